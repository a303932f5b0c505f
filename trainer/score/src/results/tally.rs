//! Counts of rows, and a hash that identifies their order.

use std::ops::AddAssign;

use sha2::{Digest, Sha256};
use tsp_mgs_core::result::Run;

use super::row::ResultRow;

/// The counts of the rows of a batch, a part or a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of all rows.
    pub rows: u64,
    /// The number of rows with an error.
    pub failures: u64,
    /// The number of scored rows that lack the score of a task, because the image has no prompt.
    pub without_prompt: u64,
}

/// A hash of ids in order.
#[derive(Clone, Default)]
pub struct IdHash(Sha256);

impl Tally {
    /// Counts rows of a run.
    pub fn of(rows: &[ResultRow], run: &Run) -> Self {
        let mut tally = Self { rows: rows.len() as u64, ..Self::default() };
        for row in rows {
            match &row.result {
                Ok(scored) => tally.without_prompt += u64::from(run.lacks_prompt(&scored.score)),
                Err(_) => tally.failures += 1,
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.failures += other.failures;
        self.without_prompt += other.without_prompt;
    }
}

impl IdHash {
    /// Adds the next id.
    pub fn add(&mut self, id: &str) {
        // With the length, the ids `a`, `b` have another hash than the id `ab`.
        self.0.update((id.len() as u64).to_le_bytes());
        self.0.update(id);
    }

    /// Returns the first half of the SHA-256 in hexadecimal. It detects mistakes, not malice.
    pub fn finish(self) -> String {
        self.0.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
