//! Writes rows to a file in one of the formats, and joins such files.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use tsp_mgs_core::result::Run;

#[cfg(feature = "arrow")]
use super::parquet::{self, ParquetEncoder};
use crate::results::row::ResultRow;
use crate::results::text_rows::{self, Format};
use crate::without_arrow;
#[cfg(not(feature = "arrow"))]
use crate::without_arrow::parquet::{self, ParquetEncoder};

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
    Parquet(ParquetEncoder),
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
            "parquet" => {
                without_arrow::check().map_err(|error| error.to_string())?;
                FileFormat::Parquet
            }
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
            FileFormat::Parquet => Self::Parquet(ParquetEncoder::new(file, None)?),
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
            Self::Parquet(out) => out.add(rows, run)?,
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
            Self::Parquet(out) => out.finish()?,
        };
        Ok(file.sync_all()?)
    }
}

/// Joins parts to one file. A Parquet file gets `settings` as the value of the key `tsp-mgs` in its metadata.
///
/// # Errors
/// Returns an error if a part cannot be read, or if the file cannot be written.
pub fn join(format: FileFormat, parts: impl Iterator<Item = PathBuf>, out: File, settings: &str) -> Result<()> {
    let file = match format {
        FileFormat::Text(format) => {
            let mut out = BufWriter::new(out);
            out.write_all(text_rows::header(format).as_bytes())?;
            for part in parts {
                let file = File::open(&part).with_context(|| format!("reading the part {}", part.display()))?;
                io::copy(&mut BufReader::new(file), &mut out)?;
            }
            out.into_inner().map_err(io::IntoInnerError::into_error)?
        }
        FileFormat::Parquet => parquet::join(parts, out, settings)?,
    };
    Ok(file.sync_all()?)
}
