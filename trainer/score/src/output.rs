//! Where rows go: printed as they come, or kept in parts and joined to a file.

use std::io::{self, Stdout, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tsp_mgs_core::result::Run;

use crate::parts::Parts;
use crate::row::ResultRow;
use crate::tally::Tally;
use crate::text_rows;
use crate::text_rows::Format;

/// Takes rows.
pub enum Output {
    /// Standard output.
    Printed {
        /// How.
        format: Format,
        /// Where.
        out: Stdout,
    },
    /// A file.
    Kept {
        /// What is written so far.
        parts: Box<Parts>,
        /// How long rows may stay unwritten.
        every: Duration,
        /// When the part that is being written was begun.
        since: Instant,
    },
}

impl Output {
    /// Starts to print.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn printed(format: Format) -> Result<Self> {
        let mut output = Self::Printed { format, out: io::stdout() };
        output.print(text_rows::header(format).as_bytes())?;
        Ok(output)
    }

    /// Starts to write, or goes on.
    pub fn kept(parts: Parts, every: Duration) -> Self {
        Self::Kept { parts: Box::new(parts), every, since: Instant::now() }
    }

    /// Takes the rows of one batch: a part ends with a batch, so that a run that goes on forms the same batches.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, rows: &[ResultRow], tally: Tally, run: &Run) -> Result<()> {
        match self {
            Self::Printed { format, .. } => {
                let lines = rows.iter().map(|row| text_rows::line(*format, row, run)).collect::<Result<Vec<_>>>()?;
                self.print(&lines.concat())
            }
            Self::Kept { parts, every, since } => {
                parts.add(rows, tally, run)?;
                if since.elapsed() >= *every {
                    parts.finish_part()?;
                    *since = Instant::now();
                }
                Ok(())
            }
        }
    }

    /// Puts the file in place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Printed { .. } => Ok(()),
            Self::Kept { parts, .. } => parts.join(),
        }
    }

    /// Keeps what there is, as nothing more will come.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stop(mut self) -> Result<()> {
        match &mut self {
            Self::Printed { .. } => Ok(()),
            Self::Kept { parts, .. } => parts.finish_part(),
        }
    }

    fn print(&mut self, text: &[u8]) -> Result<()> {
        let Self::Printed { out, .. } = self else { return Ok(()) };
        out.write_all(text).and_then(|()| out.flush()).context("writing results to standard output")
    }
}
