//! Detects the separator of a CSV file, and wrong quotation marks.
//!
//! The crate `csv` accepts any text. A field whose quotation mark is not closed then contains the rows after it.
//! [`QuoteChecker`] detects such fields while a file is read (RFC 4180, §2, rules 5 to 7).

use std::collections::VecDeque;
use std::io::{Read, Result as IoResult};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

/// The error message of a row with a wrong quotation mark.
pub const WRONG_QUOTE: &str = "a quotation mark that is not closed, or one inside a quoted field that is not doubled; several rows may have \
     been read as one field";

/// The separators of a file whose first line has no comma.
const OTHER_SEPARATORS: [u8; 3] = [b'\t', b';', b'|'];

/// Returns a builder of a reader, and the separator. `start` is the start of the file.
///
/// The reader accepts rows with any number of fields.
pub fn builder(path: &Path, start: &[u8]) -> (ReaderBuilder, u8) {
    let separator = separator(path, start);
    let mut builder = ReaderBuilder::new();
    builder.flexible(true).delimiter(separator);
    (builder, separator)
}

/// Returns the separator of a file.
///
/// It is the tab for the extensions `.tsv` and `.tab`. Otherwise it is the comma if the first line has one, or else the
/// most frequent of [`OTHER_SEPARATORS`] in this line.
fn separator(path: &Path, start: &[u8]) -> u8 {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv") || ending.eq_ignore_ascii_case("tab")) {
        return b'\t';
    }
    let line = start.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    // Every second part is in quotation marks.
    let unquoted = || line.split(|&byte| byte == b'"').step_by(2).flatten();
    let count = |separator: u8| unquoted().filter(|&&byte| byte == separator).count();
    let most = OTHER_SEPARATORS.into_iter().rev().max_by_key(|&separator| count(separator));
    most.filter(|&most| count(b',') == 0 && count(most) > 0).unwrap_or(b',')
}

/// A reader of a CSV text that finds wrong quotation marks in the bytes that pass through it.
///
/// # Examples
///
/// ```
/// use csv::ByteRecord;
/// use tsp_mgs_data::csv_format::{QuoteChecker, builder, read_row};
///
/// let text = "image;prompt\na.png;\"a cat\nb.png;a dog\n";
/// let (builder, separator) = builder("table.csv".as_ref(), text.as_bytes());
/// let mut reader = builder.from_reader(QuoteChecker::new(text.as_bytes(), separator));
/// assert_eq!(reader.headers()?.len(), 2);
/// // The quotation mark before `a cat` is not closed.
/// assert_eq!(read_row(&mut reader, &mut ByteRecord::new())?, Some(false));
/// # Ok::<(), csv::Error>(())
/// ```
pub struct QuoteChecker<R> {
    text: R,
    separator: u8,
    state: FieldState,
    /// The number of bytes that were read.
    position: u64,
    /// The position of the start of the last quoted field.
    quote_start: u64,
    /// The positions of the starts of fields with a wrong quotation mark.
    wrong_fields: VecDeque<u64>,
}

/// The position of the next byte in a field.
#[derive(Clone, Copy, PartialEq)]
enum FieldState {
    /// At the start of a field.
    Start,
    /// In a field without quotation marks.
    Plain,
    /// In a quoted field.
    Quoted,
    /// After a quotation mark in a quoted field.
    QuoteInQuoted,
}

impl<R> QuoteChecker<R> {
    /// Creates a reader at the start of a text.
    pub fn new(text: R, separator: u8) -> Self {
        let wrong_fields = VecDeque::new();
        Self { text, separator, state: FieldState::Start, position: 0, quote_start: 0, wrong_fields }
    }

    /// Advances the state by one byte.
    fn advance(&mut self, byte: u8) {
        // The crate `csv` removes the three bytes of a byte order mark.
        let is_mark = self.position < 3 && byte == b"\xef\xbb\xbf"[self.position as usize];
        let is_end = byte == self.separator || matches!(byte, b'\r' | b'\n');
        self.state = match self.state {
            FieldState::Start if is_mark => FieldState::Start,
            FieldState::Start | FieldState::Plain if is_end => FieldState::Start,
            FieldState::Start if byte == b'"' => {
                self.quote_start = self.position;
                FieldState::Quoted
            }
            FieldState::Start | FieldState::Plain => FieldState::Plain,
            FieldState::Quoted if byte == b'"' => FieldState::QuoteInQuoted,
            FieldState::QuoteInQuoted if is_end => FieldState::Start,
            FieldState::QuoteInQuoted if byte != b'"' => {
                self.wrong_fields.push_back(self.quote_start);
                FieldState::Plain
            }
            FieldState::Quoted | FieldState::QuoteInQuoted => FieldState::Quoted,
        };
        self.position += 1;
    }

    /// Returns whether a field that starts before `end` has a wrong quotation mark. Each field is reported once.
    pub fn take_wrong(&mut self, end: u64) -> bool {
        let before = self.wrong_fields.len();
        self.wrong_fields.retain(|&start| start >= end);
        self.wrong_fields.len() < before
    }
}

impl<R: Read> Read for QuoteChecker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let read = self.text.read(buffer)?;
        buffer[..read].iter().for_each(|&byte| self.advance(byte));
        if read == 0 && self.state == FieldState::Quoted && !buffer.is_empty() {
            self.wrong_fields.push_back(self.quote_start);
            self.state = FieldState::Start;
        }
        Ok(read)
    }
}

/// Reads a row. Returns whether its quotation marks are right, or `None` at the end of the table.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub fn read_row<R: Read>(reader: &mut Reader<QuoteChecker<R>>, record: &mut ByteRecord) -> csv::Result<Option<bool>> {
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
    fn the_extension_or_the_first_line_determines_the_separator() {
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
        let mut reader = builder.from_reader(QuoteChecker::new(text.as_bytes(), separator));
        let (mut rows, mut record) = (Vec::new(), ByteRecord::new());
        reader.byte_headers().expect("a header");
        while let Some(is_right) = read_row(&mut reader, &mut record).expect("text") {
            rows.push((record.len(), is_right));
        }
        rows
    }

    #[test]
    fn rows_with_wrong_quotation_marks_are_found() {
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
