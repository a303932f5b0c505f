//! Writes rows to a Parquet file, and joins such files.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use arrow_select::coalesce::BatchCoalescer;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tsp_mgs_core::result::Run;

use crate::results::arrow_rows;
use crate::results::row::ResultRow;

/// The number of rows that a joined file encodes at once. It is fixed, so that the file does not depend on the sizes of
/// its parts.
const ROWS: usize = 8192;

/// A writer of rows.
pub struct ParquetEncoder(Box<ArrowWriter<File>>);

impl ParquetEncoder {
    /// Starts a file. `settings` becomes the value of the key `tsp-mgs` in its metadata.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn new(file: File, settings: Option<&str>) -> Result<Self> {
        let metadata = settings.map(|settings| vec![KeyValue::new("tsp-mgs".to_owned(), settings.to_owned())]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(metadata)
            .set_created_by(concat!("tsp-mgs ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        Ok(Self(Box::new(ArrowWriter::try_new(file, arrow_rows::SCHEMA.clone(), Some(properties))?)))
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be written.
    pub fn add(&mut self, rows: &[ResultRow], run: &Run) -> Result<()> {
        Ok(self.0.write(&arrow_rows::batch(rows, run)?)?)
    }

    /// Ends the file and returns it.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn finish(self) -> Result<File> {
        Ok(self.0.into_inner()?)
    }
}

/// Joins parts to one file and returns it. `settings` becomes the value of the key `tsp-mgs` in its metadata.
///
/// # Errors
/// Returns an error if a part cannot be read, or if the file cannot be written.
pub fn join(parts: impl Iterator<Item = PathBuf>, out: File, settings: &str) -> Result<File> {
    let mut out = ParquetEncoder::new(out, Some(settings))?.0;
    let mut chunks = BatchCoalescer::new(arrow_rows::SCHEMA.clone(), ROWS);
    for part in parts {
        let context = || format!("reading the part {}", part.display());
        let file = File::open(&part).with_context(context)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).with_context(context)?;
        for batch in reader.with_batch_size(ROWS).build().with_context(context)? {
            chunks.push_batch(batch.with_context(context)?)?;
            while let Some(chunk) = chunks.next_completed_batch() {
                out.write(&chunk)?;
            }
        }
    }
    chunks.finish_buffered_batch()?;
    while let Some(chunk) = chunks.next_completed_batch() {
        out.write(&chunk)?;
    }
    Ok(out.into_inner()?)
}
