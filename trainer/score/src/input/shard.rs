//! The division of an input among processes: process I of N takes every N-th row, starting at row I.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The number of the part, counted from 1.
    index: u64,
    /// The number of parts.
    #[serde(rename = "of")]
    count: u64,
}

impl Shard {
    /// Returns the number of rows in this part of an input of `rows` rows.
    pub fn share(self, rows: u64) -> u64 {
        (rows + self.count - self.index) / self.count
    }

    /// Returns whether this part has the row with this index, counted from 0.
    pub fn has(self, row_idx: u64) -> bool {
        row_idx % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, count: of }),
            _ => Err("expected I/N with I from 1 to N, such as 1/4".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_one_shard() {
        let shards: Vec<Shard> = (1..=3).map(|index| format!("{index}/3").parse().expect("a shard")).collect();
        assert!((0..20).all(|row_idx| shards.iter().filter(|shard| shard.has(row_idx)).count() == 1));
        assert_eq!(shards.iter().map(|shard| shard.share(20)).collect::<Vec<_>>(), [7, 7, 6]);
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
