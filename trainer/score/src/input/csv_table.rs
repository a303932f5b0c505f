//! Tables as values that commas or other characters separate, read row by row.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::{ByteRecord, Reader};
use tsp_mgs_data::csv_format::{self, Quotes, WRONG_QUOTE, read_row};

use super::table::{ImageCell, InputColumns, InputRow, Table};
use crate::record::Records;

/// Opens a table.
///
/// # Errors
/// When it cannot be read or lacks a column.
pub fn open(path: &Path, table: Table, columns: &InputColumns) -> Result<Records> {
    let mut reader = reader(path)?;
    let header = reader.headers()?.clone();
    if header.is_empty() {
        bail!("the table is empty, expected a header and a row for each image");
    }
    let end = reader.position().byte();
    ensure!(!reader.get_mut().take_wrong(end), "row 0, the header: {WRONG_QUOTE}");
    // A byte order mark is dropped by csv; spaces around names are not.
    let columns = columns.find(header.iter().map(str::trim))?;
    let place = |name: &str| header.iter().position(|found| found.trim() == name);
    let places = Places {
        id: columns.id.as_deref().and_then(place),
        image: place(&columns.image).context("the column was found")?,
        prompt: columns.prompt.as_deref().and_then(place),
        width: header.len(),
    };
    Ok(Box::new(Rows { reader, table, places, row: 0, is_broken: false }))
}

fn reader(path: &Path) -> Result<Reader<Quotes<BufReader<File>>>> {
    let mut file = BufReader::new(File::open(path)?);
    let (builder, separator) = csv_format::builder(path, file.fill_buf()?);
    Ok(builder.from_reader(Quotes::new(file, separator)))
}

/// How many rows a table has.
///
/// # Errors
/// When it cannot be read.
pub fn count(path: &Path) -> Result<u64> {
    let (mut reader, mut record, mut rows) = (reader(path)?, ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        rows += 1;
    }
    Ok(rows)
}

struct Places {
    id: Option<usize>,
    image: usize,
    prompt: Option<usize>,
    width: usize,
}

struct Rows {
    reader: Reader<Quotes<BufReader<File>>>,
    table: Table,
    places: Places,
    row: u64,
    is_broken: bool,
}

impl Iterator for Rows {
    type Item = crate::record::Record;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = ByteRecord::new();
        if self.is_broken {
            return None;
        }
        self.row += 1;
        match read_row(&mut self.reader, &mut record) {
            Ok(None) => return None,
            Ok(Some(true)) => {}
            Ok(Some(false)) => {
                let line = record.position().map_or(0, csv::Position::line);
                return Some(self.table.failed(self.row, anyhow!("from line {line}: {WRONG_QUOTE}")));
            }
            Err(error) => {
                self.is_broken = true;
                let error = anyhow!(error).context("the rest of the table cannot be read");
                return Some(self.table.failed(self.row, error));
            }
        }
        Some(match self.places.row(self.row, &record) {
            Ok(row) => self.table.record(row),
            Err(error) => self.table.failed(self.row, error),
        })
    }
}

impl Places {
    fn row(&self, place: u64, record: &ByteRecord) -> Result<InputRow> {
        if record.len() != self.width {
            return Err(anyhow!("expected {} fields, found {}", self.width, record.len()));
        }
        let cell = |column: usize| -> Result<Option<String>> {
            let text = std::str::from_utf8(&record[column])
                .map_err(|_| anyhow!("expected UTF-8, found other bytes in field {}", column + 1))?;
            Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
        };
        let optional = |column: Option<usize>| column.map_or(Ok(None), cell);
        let image = cell(self.image)?.map_or(ImageCell::Nothing, ImageCell::Text);
        Ok(InputRow { place, id: optional(self.id)?, image, prompt: optional(self.prompt)? })
    }
}
