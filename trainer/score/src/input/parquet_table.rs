//! Reads Parquet files in batches of a few rows.

use std::fs::File;
use std::iter;
use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use tsp_mgs_data::cells::holds_bytes;
use tsp_mgs_data::parallel::catch_panic;

use super::cells;
use super::record::{Record, Records};
use super::table::{FoundColumns, InputColumns, Table};

/// The number of rows that are read at once, if the image column has paths.
const PATH_ROWS: usize = 1024;
/// The number of rows that are read at once, if the image column has the images themselves.
const IMAGE_ROWS: usize = 16;

/// Returns the records of a Parquet file.
///
/// # Errors
/// Returns an error if the file cannot be read, or lacks a column.
pub fn open(path: &Path, table: Table, columns: &InputColumns) -> Result<Records> {
    let file = File::open(path)?;
    ensure!(file.metadata()?.len() > 0, "the file is empty, expected a Parquet file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = reader.schema().clone();
    let columns = cells::columns(&schema, columns)?;
    let is_used = |name: &str| {
        let used = [columns.id.as_deref(), Some(columns.image.as_str()), columns.prompt.as_deref()];
        used.contains(&Some(name))
    };
    let roots = schema.fields().iter().enumerate().filter(|(_, field)| is_used(field.name())).map(|(root, _)| root);
    let projection = ProjectionMask::roots(reader.parquet_schema(), roots);
    let rows = if holds_bytes(schema.field_with_name(&columns.image)?.data_type()) { IMAGE_ROWS } else { PATH_ROWS };
    let reader = reader.with_projection(projection).with_batch_size(rows).build()?;
    Ok(Box::new(Batches { reader, table, columns, read: 0, is_broken: false }.flatten()))
}

/// Returns the number of rows in a Parquet file.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn count(path: &Path) -> Result<u64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    Ok(reader.metadata().file_metadata().num_rows().try_into()?)
}

struct Batches {
    reader: ParquetRecordBatchReader,
    table: Table,
    columns: FoundColumns,
    read: u64,
    is_broken: bool,
}

impl Iterator for Batches {
    type Item = Box<dyn Iterator<Item = Record> + Send>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_broken {
            return None;
        }
        // The reader may panic on a damaged file.
        match catch_panic(|| self.reader.next().transpose().map_err(|error| anyhow!(error))) {
            Ok(None) => None,
            Ok(Some(batch)) => {
                let (first, rows) = (self.read + 1, batch.num_rows());
                self.read += rows as u64;
                Some(Box::new(self.rows(batch, first)))
            }
            Err(error) => {
                self.is_broken = true;
                let error = error.context("the rest of the file cannot be read");
                Some(Box::new(iter::once(self.table.failed(self.read + 1, error))))
            }
        }
    }
}

impl Batches {
    fn rows(&self, batch: RecordBatch, first: u64) -> impl Iterator<Item = Record> + Send + use<> {
        let (table, columns) = (self.table.clone(), self.columns.clone());
        let rows = (0..batch.num_rows()).zip(first..);
        rows.map(move |(row_idx, number)| cells::record(&batch, &table, &columns, row_idx, number))
    }
}
