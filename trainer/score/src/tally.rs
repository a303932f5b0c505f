//! What is counted while rows are made, and by what their order is known again.

use std::ops::AddAssign;

use sha2::{Digest, Sha256};

use crate::row::ResultRow;

/// Counts of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All rows.
    pub rows: u64,
    /// Rows with an error.
    pub failures: u64,
    /// Scored rows without the alignment that was asked for.
    pub without_prompt: u64,
}

/// Hash of ids in their order.
#[derive(Clone, Default)]
pub struct IdHash(Sha256);

impl Tally {
    /// Counts rows; `wants_alignment` tells whether images are to have a prompt.
    pub fn of(rows: &[ResultRow], wants_alignment: bool) -> Self {
        let mut tally = Self { rows: rows.len() as u64, ..Self::default() };
        for row in rows {
            match &row.result {
                Ok(scored) => tally.without_prompt += u64::from(wants_alignment && scored.score.alignment.is_none()),
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
        // The length keeps `a` and `b` apart from `ab`.
        self.0.update((id.len() as u64).to_le_bytes());
        self.0.update(id);
    }

    /// Half of the hash in hexadecimal: it guards against a mistake, not against malice.
    pub fn finish(self) -> String {
        self.0.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
