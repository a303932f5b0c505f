//! Lists of paths and JSON lines, read line by line.

use std::io::{BufRead, Read};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};

use super::table::{ColumnNames, Given, NamedColumns, Table, TableRow};
use super::{Records, of_path};

/// A line that is longer is no path and no row that was meant: memory stays bounded.
const MAX_LINE: u64 = 256 << 20;

/// The lines of a text, without their breaks; empty ones are passed over.
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
            let text = read.context("the rest cannot be read").and_then(|read| {
                if read as u64 == MAX_LINE {
                    bail!("a line of more than {MAX_LINE} bytes; the rest is not read");
                }
                Ok(())
            });
            if let Err(error) = text {
                self.is_broken = true;
                return Some((self.line, Err(error)));
            }
            let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
            line.truncate(end);
            if !line.is_empty() {
                let line = String::from_utf8(line).map_err(|_| anyhow!("expected UTF-8, found other bytes"));
                return Some((self.line, line));
            }
        }
        None
    }
}

/// A list with one path a line: images, folders, patterns and tar files, as on the command line.
pub fn list(text: impl BufRead + Send + 'static, table: Table) -> Records {
    Box::new(Lines { text, line: 0, is_broken: false }.flat_map(move |(line, text)| match text {
        Ok(path) => of_path(path.as_ref()),
        Err(error) => Box::new(std::iter::once(table.failed(line, error))),
    }))
}

/// JSON lines, or a list of paths: told by the first line, which for a row begins with a brace.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn either(mut text: impl BufRead + Send + 'static, table: Table, columns: &ColumnNames) -> Result<Records> {
    let is_json = text.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    Ok(if is_json { json(text, table, columns) } else { list(text, table) })
}

/// One JSON object a line.
pub fn json(text: impl BufRead + Send + 'static, table: Table, columns: &ColumnNames) -> Records {
    let columns = columns.clone();
    Box::new(Lines { text, line: 0, is_broken: false }.map(move |(line, text)| {
        let row = text.and_then(|text| {
            let value = serde_json::from_str(&text).context("expected a JSON object")?;
            json_row(line, value, &columns)
        });
        match row {
            Ok(row) => table.record(row),
            Err(error) => table.failed(line, error),
        }
    }))
}

fn json_row(place: u64, value: Value, columns: &ColumnNames) -> Result<TableRow> {
    let Value::Object(row) = value else { bail!("expected a JSON object, found {}", kind(&value)) };
    // Each line may have other keys than the one before.
    let NamedColumns { id, image, prompt } = columns.find(row.keys().map(String::as_str))?;
    let text = |name: &str| text(&row, name);
    Ok(TableRow {
        place,
        id: id.map_or(Ok(None), |name| text(&name))?,
        image: text(&image)?.map_or(Given::Nothing, Given::Text),
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
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::record::Record;

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
    fn json_lines_are_told_from_paths() {
        let text = "\n{\"image\": \"a.png\"}\r\n\n[1]\n{\"image\": \"b.png\", \"id\": 7}\n{}";
        let records = either(text.as_bytes(), table(), &ColumnNames::default()).expect("it reads");
        let found = ids(records);
        assert_eq!(found[..3], ["a.png", "t#4: expected a JSON object, found a list", "7"]);
        assert!(found[3].starts_with("t#6: expected a column `image`"), "{}", found[3]);

        let records = either(&b"absent/a.png\n\nabsent/{b}.png\n"[..], table(), &ColumnNames::default());
        let found = ids(records.expect("it reads"));
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("absent/a.png: ") && found[1].starts_with("absent/{b}.png: "), "{found:?}");
    }
}
