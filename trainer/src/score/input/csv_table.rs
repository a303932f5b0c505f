//! Tables as comma-separated values, read row by row.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::Records;
use super::table::{ColumnNames, Given, Table, TableRow};

/// Opens a table.
///
/// # Errors
/// When it cannot be read or lacks a column.
pub fn open(path: &Path, table: Table, columns: &ColumnNames) -> Result<Records> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(BufReader::new(File::open(path)?));
    let header = reader.headers()?.clone();
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

struct Places {
    id: Option<usize>,
    image: usize,
    prompt: Option<usize>,
    width: usize,
}

struct Rows {
    reader: Reader<BufReader<File>>,
    table: Table,
    places: Places,
    row: u64,
    is_broken: bool,
}

impl Iterator for Rows {
    type Item = crate::score::record::Record;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = ByteRecord::new();
        if self.is_broken {
            return None;
        }
        self.row += 1;
        match self.reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return None,
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
    fn row(&self, place: u64, record: &ByteRecord) -> Result<TableRow> {
        if record.len() != self.width {
            return Err(anyhow!("expected {} fields, found {}", self.width, record.len()));
        }
        let cell = |column: usize| -> Result<Option<String>> {
            let text = std::str::from_utf8(&record[column])
                .map_err(|_| anyhow!("expected UTF-8, found other bytes in field {}", column + 1))?;
            Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
        };
        let optional = |column: Option<usize>| column.map_or(Ok(None), cell);
        let image = cell(self.image)?.map_or(Given::Nothing, Given::Text);
        Ok(TableRow { place, id: optional(self.id)?, image, prompt: optional(self.prompt)? })
    }
}
