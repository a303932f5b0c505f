//! Writes rows to a file in one of the formats, and joins such files.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

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
use crate::results::text_rows::{self, Format};

/// The number of rows that a joined Parquet file encodes at once. It is fixed, so that the file does not depend on the
/// sizes of its parts.
const PARQUET_ROWS: usize = 8192;

/// An output file, and its format according to the extension of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The path of the file.
    pub path: PathBuf,
    /// Its format.
    pub format: FileFormat,
}

/// The format of an output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// A text format, which can also be printed.
    Text(Format),
    /// Parquet, compressed with Zstandard.
    Parquet,
}

/// A writer of rows to a file.
pub enum Encoder {
    /// Writes text.
    Text(Format, BufWriter<File>),
    /// Writes Parquet.
    Parquet(Box<ArrowWriter<File>>),
}

impl FromStr for OutputFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let extension =
            path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
        let format = match extension.as_str() {
            "csv" => FileFormat::Text(Format::Csv),
            "jsonl" | "ndjson" => FileFormat::Text(Format::Jsonl),
            "txt" => FileFormat::Text(Format::Table),
            "parquet" => FileFormat::Parquet,
            _ => return Err("expected a file ending in .csv, .jsonl, .parquet or .txt (a table for people)".into()),
        };
        Ok(Self { path, format })
    }
}

impl Encoder {
    /// Starts a part. A part in a text format has no header.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn new(format: FileFormat, file: File) -> Result<Self> {
        Ok(match format {
            FileFormat::Text(format) => Self::Text(format, BufWriter::new(file)),
            FileFormat::Parquet => Self::Parquet(parquet_writer(file, None)?),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be written.
    pub fn add(&mut self, rows: &[ResultRow], run: &Run) -> Result<()> {
        match self {
            Self::Text(format, out) => {
                for row in rows {
                    out.write_all(&text_rows::line(*format, row, run)?)?;
                }
            }
            Self::Parquet(out) => out.write(&arrow_rows::batch(rows, run)?)?,
        }
        Ok(())
    }

    /// Ends the file and waits until it is on the disk.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn finish(self) -> Result<()> {
        let file = match self {
            Self::Text(_, out) => out.into_inner().map_err(io::IntoInnerError::into_error)?,
            Self::Parquet(out) => out.into_inner()?,
        };
        Ok(file.sync_all()?)
    }
}

/// Joins parts to one file. A Parquet file gets `settings` as the value of the key `tsp-mgs` in its metadata.
///
/// # Errors
/// Returns an error if a part cannot be read, or if the file cannot be written.
pub fn join(format: FileFormat, parts: impl Iterator<Item = PathBuf>, out: File, settings: &str) -> Result<()> {
    let open = |path: &Path| File::open(path).with_context(|| format!("reading the part {}", path.display()));
    let file = match format {
        FileFormat::Text(format) => {
            let mut out = BufWriter::new(out);
            out.write_all(text_rows::header(format).as_bytes())?;
            for part in parts {
                io::copy(&mut BufReader::new(open(&part)?), &mut out)?;
            }
            out.into_inner().map_err(io::IntoInnerError::into_error)?
        }
        FileFormat::Parquet => {
            let mut out = parquet_writer(out, Some(settings))?;
            let mut chunks = BatchCoalescer::new(arrow_rows::SCHEMA.clone(), PARQUET_ROWS);
            for part in parts {
                let context = || format!("reading the part {}", part.display());
                let reader = ParquetRecordBatchReaderBuilder::try_new(open(&part)?).with_context(context)?;
                for batch in reader.with_batch_size(PARQUET_ROWS).build().with_context(context)? {
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
            out.into_inner()?
        }
    };
    Ok(file.sync_all()?)
}

fn parquet_writer(file: File, settings: Option<&str>) -> Result<Box<ArrowWriter<File>>> {
    let metadata = settings.map(|settings| vec![KeyValue::new("tsp-mgs".to_owned(), settings.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(metadata)
        .set_created_by(concat!("tsp-mgs ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    Ok(Box::new(ArrowWriter::try_new(file, arrow_rows::SCHEMA.clone(), Some(properties))?))
}
