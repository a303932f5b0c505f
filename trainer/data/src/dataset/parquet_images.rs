//! Reads the images that a column of a Parquet file holds.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::cells;
use crate::image_cell::ImageCell;
use crate::parallel::catch_panic;

/// The number of rows that are read at once. It limits memory: images have up to some megabytes.
const ROWS: usize = 32;

/// The number of a row, counted from 1, and its image or the reason why it has none.
pub(crate) type ImageRow = (usize, Result<Vec<u8>>);

/// The images of a column, in batches of a few rows.
pub(crate) struct ImageBatches {
    reader: ParquetRecordBatchReader,
    /// The number of the next row, counted from 1.
    next: usize,
}

impl ImageBatches {
    /// Opens the column of a Parquet file.
    pub fn open(table: &Path, column: &str) -> Result<Self> {
        Ok(Self { reader: column_of(table, column)?.build()?, next: 1 })
    }

    /// Returns the next rows, or `None` after the last one.
    ///
    /// # Errors
    /// Returns an error if the rest of the file cannot be read.
    pub fn next_rows(&mut self) -> Result<Option<Vec<ImageRow>>> {
        // The reader may panic on a damaged file.
        let batch = catch_panic(|| self.reader.next().transpose().map_err(|error| anyhow!(error)))?;
        let Some(batch) = batch else { return Ok(None) };
        let first = self.next;
        self.next += batch.num_rows();
        Ok(Some((0..batch.num_rows()).map(|row| (first + row, image(&batch, row))).collect()))
    }
}

/// Returns the image in one row, counted from 1.
pub(crate) fn read_one(table: &Path, column: &str, row: usize) -> Result<Vec<u8>> {
    let reader = column_of(table, column)?.with_offset(row - 1).with_limit(1).build()?;
    let rows = ImageBatches { reader, next: row }.next_rows()?;
    let (_, image) = rows.and_then(|mut rows| rows.pop()).with_context(|| format!("the file has no row {row}"))?;
    image
}

fn column_of(table: &Path, column: &str) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(table)?)?;
    let root = reader.schema().index_of(column)?;
    let projection = ProjectionMask::roots(reader.parquet_schema(), [root]);
    Ok(reader.with_projection(projection).with_batch_size(ROWS))
}

fn image(batch: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    match cells::image(batch.column(0).as_ref(), row)? {
        ImageCell::Bytes(bytes) => Ok(bytes),
        ImageCell::Text(path) => bail!("expected an image, found only its path {path}"),
        ImageCell::Empty => bail!("expected an image, found nothing"),
    }
}
