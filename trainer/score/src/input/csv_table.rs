//! Reads CSV tables row by row. The separator may also be another character than a comma.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::{ByteRecord, Reader};
use tsp_mgs_data::csv_format::{self, QuoteChecker, WRONG_QUOTE, read_row};
use tsp_mgs_data::image_cell::ImageCell;

use super::record::Records;
use super::table::{InputColumns, InputRow, Table};

/// Returns the records of a table.
///
/// # Errors
/// Returns an error if the table cannot be read, or lacks a column.
pub fn open(path: &Path, table: Table, columns: &InputColumns) -> Result<Records> {
    let mut reader = reader(path)?;
    let header = reader.headers()?.clone();
    if header.is_empty() {
        bail!("the table is empty; expected a header and a row for each image");
    }
    let end = reader.position().byte();
    ensure!(!reader.get_mut().take_wrong(end), "the header: {WRONG_QUOTE}");
    // The crate `csv` removes a byte order mark, but not the spaces around names.
    let columns = columns.find(header.iter().map(str::trim))?;
    let index = |name: &str| header.iter().position(|found| found.trim() == name);
    let indices = ColumnIndices {
        id: columns.id.as_deref().and_then(index),
        image: index(&columns.image).context("the column was found")?,
        prompt: columns.prompt.as_deref().and_then(index),
        n_columns: header.len(),
    };
    Ok(Box::new(CsvRecords { reader, table, indices, number: 0, is_broken: false }))
}

fn reader(path: &Path) -> Result<Reader<QuoteChecker<BufReader<File>>>> {
    let mut file = BufReader::new(File::open(path)?);
    let (builder, separator) = csv_format::builder(path, file.fill_buf()?);
    Ok(builder.from_reader(QuoteChecker::new(file, separator)))
}

/// Returns the number of rows after the header.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub fn count(path: &Path) -> Result<u64> {
    let (mut reader, mut record, mut rows) = (reader(path)?, ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        rows += 1;
    }
    Ok(rows)
}

/// The indices of the columns that are read, and the number of all columns.
struct ColumnIndices {
    id: Option<usize>,
    image: usize,
    prompt: Option<usize>,
    n_columns: usize,
}

struct CsvRecords {
    reader: Reader<QuoteChecker<BufReader<File>>>,
    table: Table,
    indices: ColumnIndices,
    /// The number of the last row, counted from 1.
    number: u64,
    is_broken: bool,
}

impl Iterator for CsvRecords {
    type Item = super::record::Record;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = ByteRecord::new();
        if self.is_broken {
            return None;
        }
        self.number += 1;
        match read_row(&mut self.reader, &mut record) {
            Ok(None) => return None,
            Ok(Some(true)) => {}
            Ok(Some(false)) => {
                let line = record.position().map_or(0, csv::Position::line);
                return Some(self.table.failed(self.number, anyhow!("from line {line}: {WRONG_QUOTE}")));
            }
            Err(error) => {
                self.is_broken = true;
                let error = anyhow!(error).context("the rest of the table cannot be read");
                return Some(self.table.failed(self.number, error));
            }
        }
        Some(match self.indices.row(self.number, &record) {
            Ok(row) => self.table.record(row),
            Err(error) => self.table.failed(self.number, error),
        })
    }
}

impl ColumnIndices {
    fn row(&self, number: u64, record: &ByteRecord) -> Result<InputRow> {
        if record.len() != self.n_columns {
            return Err(anyhow!("expected {} fields, found {}", self.n_columns, record.len()));
        }
        let cell = |column: usize| -> Result<Option<String>> {
            let text = std::str::from_utf8(&record[column])
                .map_err(|_| anyhow!("expected UTF-8, found other bytes in field {}", column + 1))?;
            Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
        };
        let optional = |column: Option<usize>| column.map_or(Ok(None), cell);
        let image = cell(self.image)?.map_or(ImageCell::Empty, ImageCell::Text);
        Ok(InputRow { number, id: optional(self.id)?, image, prompt: optional(self.prompt)? })
    }
}
