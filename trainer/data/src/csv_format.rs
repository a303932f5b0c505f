//! What a file of comma-separated values leaves unsaid: which character separates, and where a quotation mark is wrong.
//!
//! The crate `csv` reads everything without a complaint. A field whose quotation mark is not closed takes the rows behind
//! it along; here it is found beside the reading (RFC 4180, §2, rules 5 to 7).

use std::collections::VecDeque;
use std::io::{Read, Result as IoResult};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

/// What a row with a wrong quotation mark says.
pub const WRONG_QUOTE: &str = "a quotation mark that is not closed, or one inside a quoted field that is not doubled: rows may have \
     been taken for one field";

/// Characters that separate where no comma does.
const OTHERS: [u8; 3] = [b'\t', b';', b'|'];

/// A reader for a table whose first bytes are `start`; rows may have any number of fields.
pub fn builder(path: &Path, start: &[u8]) -> (ReaderBuilder, u8) {
    let separator = separator(path, start);
    let mut builder = ReaderBuilder::new();
    builder.flexible(true).delimiter(separator);
    (builder, separator)
}

/// A tab for `.tsv`; else what the first line has: commas, or the most of the other separators.
fn separator(path: &Path, start: &[u8]) -> u8 {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv") || ending.eq_ignore_ascii_case("tab")) {
        return b'\t';
    }
    let line = start.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    // Every other part stands in quotation marks.
    let unquoted = || line.split(|&byte| byte == b'"').step_by(2).flatten();
    let count = |separator: u8| unquoted().filter(|&&byte| byte == separator).count();
    let most = OTHERS.into_iter().rev().max_by_key(|&separator| count(separator));
    most.filter(|&most| count(b',') == 0 && count(most) > 0).unwrap_or(b',')
}

/// Reads through, and looks for quotation marks that are wrong.
pub struct Quotes<R> {
    text: R,
    separator: u8,
    place: Place,
    /// Bytes that were read.
    at: u64,
    /// Where the last quoted field began.
    opened: u64,
    /// Where fields with a wrong quotation mark began.
    wrong: VecDeque<u64>,
}

/// Where in a row the next byte stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Plain,
    Quoted,
    /// Behind a quotation mark in a quoted field.
    Quote,
}

impl<R> Quotes<R> {
    /// At the start of a table.
    pub fn new(text: R, separator: u8) -> Self {
        Self { text, separator, place: Place::Start, at: 0, opened: 0, wrong: VecDeque::new() }
    }

    fn see(&mut self, byte: u8) {
        // The three bytes of a byte order mark, which the reader drops.
        let is_mark = self.at < 3 && byte == b"\xef\xbb\xbf"[self.at as usize];
        let is_end = byte == self.separator || matches!(byte, b'\r' | b'\n');
        self.place = match self.place {
            Place::Start if is_mark => Place::Start,
            Place::Start | Place::Plain if is_end => Place::Start,
            Place::Start if byte == b'"' => {
                self.opened = self.at;
                Place::Quoted
            }
            Place::Start | Place::Plain => Place::Plain,
            Place::Quoted if byte == b'"' => Place::Quote,
            Place::Quote if is_end => Place::Start,
            Place::Quote if byte != b'"' => {
                self.wrong.push_back(self.opened);
                Place::Plain
            }
            Place::Quoted | Place::Quote => Place::Quoted,
        };
        self.at += 1;
    }

    /// Whether a field that began before this byte has a wrong quotation mark; each is told once.
    pub fn take_wrong(&mut self, end: u64) -> bool {
        let before = self.wrong.len();
        self.wrong.retain(|&opened| opened >= end);
        self.wrong.len() < before
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let read = self.text.read(buffer)?;
        buffer[..read].iter().for_each(|&byte| self.see(byte));
        if read == 0 && self.place == Place::Quoted && !buffer.is_empty() {
            self.wrong.push_back(self.opened);
            self.place = Place::Start;
        }
        Ok(read)
    }
}

/// Reads a row; `Some(false)` if a quotation mark in it is wrong, `None` at the end.
///
/// # Errors
/// When the table cannot be read on.
pub fn read_row<R: Read>(reader: &mut Reader<Quotes<R>>, record: &mut ByteRecord) -> csv::Result<Option<bool>> {
    if !reader.read_byte_record(record)? {
        return Ok(None);
    }
    let end = reader.position().byte();
    Ok(Some(!reader.get_mut().take_wrong(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_told_by_the_ending_or_the_first_line() {
        for (name, start, expected) in [
            ("a.tsv", "image,x\tprompt\n", b'\t'),
            ("a.csv", "image,prompt;x\n", b','),
            ("a.csv", "image\tprompt\na,b", b'\t'),
            ("a.csv", "image;prompt|x;y\r\n", b';'),
            ("a.csv", "\"a;b\",prompt\n", b','),
            ("a.csv", "\"a,b\"|prompt\n", b'|'),
            ("a.csv", "image\n1,2", b','),
            ("a.csv", "", b','),
        ] {
            assert_eq!(separator(Path::new(name), start.as_bytes()), expected, "{start:?}");
        }
    }

    fn rows(text: &str) -> Vec<(usize, bool)> {
        let (builder, separator) = builder(Path::new("a.csv"), text.as_bytes());
        let mut reader = builder.from_reader(Quotes::new(text.as_bytes(), separator));
        let (mut rows, mut record) = (Vec::new(), ByteRecord::new());
        reader.byte_headers().expect("a header");
        while let Some(is_right) = read_row(&mut reader, &mut record).expect("text") {
            rows.push((record.len(), is_right));
        }
        rows
    }

    #[test]
    fn a_quotation_mark_that_takes_rows_along_is_found() {
        let right = "\u{feff}\"a\",b\r\n1,\"x, \"\"y\"\"\nz\"\r\n2,5\" nails\n\"\",\"\"";
        assert_eq!(rows(right), [(2, true); 3]);
        assert_eq!(rows("a,b\n1,\"x\n2,y\n3,z\n"), [(2, false)]);
        assert_eq!(rows("a,b\n0,w\n1,\"x\n2,\"y\"\n3,z\n"), [(2, true), (2, false), (2, true)]);
        assert_eq!(rows("a,b\n1,\"say \"hi\" now\"\n2,y"), [(2, false), (2, true)]);
        let long = format!("a,b\n{}1,\"x\n", "0,w\n".repeat(100_000));
        let rows = rows(&long);
        assert!(rows[..100_000].iter().all(|row| row.1) && rows[100_000..] == [(2, false)]);
    }
}
