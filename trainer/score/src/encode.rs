//! Rows to a file of one of the formats, and such files to one.

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

use crate::row::ResultRow;
use crate::text_rows::Format;
use crate::{arrow_rows, text_rows};

/// Rows of a joined Parquet file that are encoded at once; the file does not depend on how its parts were cut.
const PARQUET_ROWS: usize = 8192;

/// Where results are kept, and in which format: told by the ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: FileFormat,
}

/// Format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// One of those that are printed, too.
    Text(Format),
    /// Parquet, compressed with Zstandard.
    Parquet,
}

/// A file that takes rows.
pub enum Encoder {
    /// Text.
    Text(Format, BufWriter<File>),
    /// Parquet.
    Parquet(Box<ArrowWriter<File>>),
}

impl FromStr for OutputFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let format = match ending.as_str() {
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
    /// Starts a part, which has no header.
    ///
    /// # Errors
    /// As the file system's.
    pub fn new(format: FileFormat, file: File) -> Result<Self> {
        Ok(match format {
            FileFormat::Text(format) => Self::Text(format, BufWriter::new(file)),
            FileFormat::Parquet => Self::Parquet(parquet_writer(file, None)?),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
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

    /// Ends the file and waits until the disk has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<()> {
        let file = match self {
            Self::Text(_, out) => out.into_inner().map_err(io::IntoInnerError::into_error)?,
            Self::Parquet(out) => out.into_inner()?,
        };
        Ok(file.sync_all()?)
    }
}

/// Joins parts to one file; `about` says in a Parquet file's metadata what it is.
///
/// # Errors
/// When a part cannot be read, or the file cannot be written.
pub fn join(format: FileFormat, parts: impl Iterator<Item = PathBuf>, out: File, about: &str) -> Result<()> {
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
            let mut out = parquet_writer(out, Some(about))?;
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

fn parquet_writer(file: File, about: Option<&str>) -> Result<Box<ArrowWriter<File>>> {
    let about = about.map(|about| vec![KeyValue::new("tsp-mgs".to_owned(), about.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(about)
        .set_created_by(concat!("tsp-mgs ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    Ok(Box::new(ArrowWriter::try_new(file, arrow_rows::SCHEMA.clone(), Some(properties))?))
}
