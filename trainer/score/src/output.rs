//! The destination of rows: standard output, or parts that are joined to a file at the end.

pub(crate) mod encode;
#[cfg(feature = "arrow")]
mod parquet;
pub(crate) mod parts;
pub(crate) mod resume;
pub(crate) mod run_settings;

use std::io::{self, Stdout, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tsp_mgs_core::result::Run;

use crate::results::row::ResultRow;
use crate::results::tally::Tally;
use crate::results::text_rows::{self, Format};
use parts::Parts;

/// A destination of rows.
pub enum Output {
    /// Standard output.
    Stdout {
        /// The text format of the rows.
        format: Format,
        /// The open stream.
        out: Stdout,
    },
    /// A file, which is written in parts.
    File {
        /// The parts that are written so far.
        parts: Box<Parts>,
        /// The maximum age of a part: an older one is finished after the next batch.
        max_age: Duration,
        /// The time when the open part was started.
        started: Instant,
    },
}

impl Output {
    /// Creates an output that prints each batch at once, and prints the header of `format`.
    ///
    /// # Errors
    /// Returns an error if standard output is closed.
    pub fn to_stdout(format: Format) -> Result<Self> {
        let mut output = Self::Stdout { format, out: io::stdout() };
        output.print(text_rows::header(format).as_bytes())?;
        Ok(output)
    }

    /// Creates an output that adds rows to `parts`, and finishes a part once it is older than `max_age`.
    pub fn to_file(parts: Parts, max_age: Duration) -> Self {
        Self::File { parts: Box::new(parts), max_age, started: Instant::now() }
    }

    /// Writes the rows of one batch.
    ///
    /// A part always ends with a batch, so that a resumed run forms the same batches.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be written.
    pub fn add(&mut self, rows: &[ResultRow], tally: Tally, run: &Run) -> Result<()> {
        match self {
            Self::Stdout { format, .. } => {
                let lines = rows.iter().map(|row| text_rows::line(*format, row, run)).collect::<Result<Vec<_>>>()?;
                self.print(&lines.concat())
            }
            Self::File { parts, max_age, started } => {
                parts.add(rows, tally, run)?;
                if started.elapsed() >= *max_age {
                    parts.finish_part()?;
                    *started = Instant::now();
                }
                Ok(())
            }
        }
    }

    /// Joins the parts and puts the output file in place.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Stdout { .. } => Ok(()),
            Self::File { parts, .. } => parts.join(),
        }
    }

    /// Finishes the open part and keeps all parts, so that a later run can resume.
    ///
    /// # Errors
    /// Returns an error if the part cannot be written.
    pub fn stop(mut self) -> Result<()> {
        match &mut self {
            Self::Stdout { .. } => Ok(()),
            Self::File { parts, .. } => parts.finish_part(),
        }
    }

    fn print(&mut self, text: &[u8]) -> Result<()> {
        let Self::Stdout { out, .. } = self else { return Ok(()) };
        out.write_all(text).and_then(|()| out.flush()).context("writing results to standard output")
    }
}
