//! Reads lists of paths and JSON lines, line by line.

use std::io::{BufRead, Read};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};
use tsp_mgs_core::metadata::parse_json;
use tsp_mgs_data::image_cell::ImageCell;

use super::images::SkippedImages;
use super::paths::of_path;
use super::record::Records;
use super::table::{FoundColumns, InputColumns, InputRow, Table};

/// The maximum size of a line in bytes. It limits memory if the input is not a text.
const MAX_LINE: u64 = 256 << 20;

/// The byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An iterator over the lines of a text that are not empty, with their numbers from 1.
///
/// Line breaks and a byte order mark are removed.
struct Lines<R> {
    text: R,
    line: u64,
    is_broken: bool,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = (u64, Result<String>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_broken {
            let mut line = Vec::new();
            self.line += 1;
            let read = self.text.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            if read.as_ref().is_ok_and(|&read| read == 0) {
                return None;
            }
            let text = read.context("the rest of the input cannot be read").and_then(|read| {
                if read as u64 == MAX_LINE {
                    bail!("the line has more than {MAX_LINE} bytes; the rest of the input is not read");
                }
                Ok(())
            });
            if let Err(error) = text {
                self.is_broken = true;
                return Some((self.line, Err(error)));
            }
            let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
            line.truncate(end);
            if self.line == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if !line.is_empty() {
                let line = String::from_utf8(line).map_err(|_| anyhow!("expected UTF-8, found other bytes"));
                return Some((self.line, line));
            }
        }
        None
    }
}

/// Returns the records of a list with one path in each line: an image, a folder, a tar file or a glob pattern.
pub fn list(text: impl BufRead + Send + 'static, table: Table, skipped: &SkippedImages) -> Records {
    let skipped = skipped.clone();
    Box::new(Lines { text, line: 0, is_broken: false }.flat_map(move |(line, text)| match text {
        Ok(path) => of_path(path.as_ref(), &skipped),
        Err(error) => Box::new(std::iter::once(table.failed(line, error))),
    }))
}

/// Returns the records of JSON lines or of a list of paths. The text is JSON lines if its first character is a brace.
///
/// # Errors
/// Returns an error if the first bytes cannot be read.
pub fn json_or_list(
    mut text: impl BufRead + Send + 'static,
    table: Table,
    columns: &InputColumns,
    skipped: &SkippedImages,
) -> Result<Records> {
    let start = text.fill_buf()?;
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let is_json = start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    Ok(if is_json { json(text, table, columns) } else { list(text, table, skipped) })
}

/// Returns the sum of `of_line` over all lines, or `None` if it is `None` for one of them.
pub fn count(text: impl BufRead, of_line: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    Lines { text, line: 0, is_broken: false }.map(|(_, line)| line.map_or(Some(1), |line| of_line(&line))).sum()
}

/// Returns the records of JSON lines, which have one object in each line.
pub fn json(text: impl BufRead + Send + 'static, table: Table, columns: &InputColumns) -> Records {
    let columns = columns.clone();
    Box::new(Lines { text, line: 0, is_broken: false }.map(move |(line, text)| {
        let row = text.and_then(|text| {
            let value = parse_json(&text).context("expected a JSON object")?;
            json_row(line, value, &columns)
        });
        match row {
            Ok(row) => table.record(row),
            Err(error) => table.failed(line, error),
        }
    }))
}

fn json_row(number: u64, value: Value, columns: &InputColumns) -> Result<InputRow> {
    let Value::Object(row) = value else { bail!("expected a JSON object, found {}", kind(&value)) };
    // The keys of each line are looked up, because lines may have different keys.
    let FoundColumns { id, image, prompt } = columns.find(row.keys().map(String::as_str))?;
    let text = |name: &str| text(&row, name);
    let id = id.map_or(Ok(None), |name| text(&name));
    Ok(InputRow {
        number,
        id: if columns.names_id() { id? } else { id.unwrap_or_default() },
        image: text(&image)?.map_or(ImageCell::Empty, ImageCell::Text),
        prompt: prompt.map_or(Ok(None), |name| text(&name))?,
    })
}

fn text(row: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => bail!("`{name}`: expected text, found {}", kind(other)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a Boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::record::Record;

    fn table() -> Table {
        Table { name: "t".into(), folder: "".into() }
    }

    fn ids(records: impl Iterator<Item = Record>) -> Vec<String> {
        let id = |record: Record| match record.image {
            Ok(_) => record.name.id,
            Err(error) => format!("{}: {error:#}", record.name.id),
        };
        records.map(id).collect()
    }

    #[test]
    fn json_lines_are_distinguished_from_paths() {
        let text = "\n{\"image\": \"a.png\"}\r\n\n[1]\n{\"image\": \"b.png\", \"id\": 7}\n{}";
        let records = json_or_list(text.as_bytes(), table(), &InputColumns::default(), &SkippedImages::default())
            .expect("it reads");
        let found = ids(records);
        assert_eq!(found[..3], ["a.png", "t#4: expected a JSON object, found a list", "7"]);
        assert!(found[3].starts_with("t#6: expected a column `image`"), "{}", found[3]);

        let text = &b"absent/a.png\n\nabsent/{b}.png\n"[..];
        let records = json_or_list(text, table(), &InputColumns::default(), &SkippedImages::default());
        let found = ids(records.expect("it reads"));
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("absent/a.png: ") && found[1].starts_with("absent/{b}.png: "), "{found:?}");
    }

    #[test]
    fn a_byte_order_mark_before_the_first_line_is_removed() {
        for (text, expected) in [
            ("\u{feff}{\"image\": \"a.png\"}\n{\"image\": \"b.png\"}", ["a.png", "b.png"]),
            ("\u{feff}https://a.b/c.png\nhttps://d.e/f.png", ["https://a.b/c.png", "https://d.e/f.png"]),
        ] {
            let records = json_or_list(text.as_bytes(), table(), &InputColumns::default(), &SkippedImages::default());
            let names: Vec<String> = records.expect("it reads").map(|record| record.name.id).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn lines_are_counted_without_their_breaks_and_the_empty_ones() {
        let of_line = |line: &str| (line != "?").then_some(line.len() as u64);
        assert_eq!(count(&b"\xef\xbb\xbfa\r\n\nbcd\n"[..], of_line), Some(4));
        assert_eq!(count(&b"a\n?\n"[..], of_line), None);
    }
}
