//! A share of the input: the I-th of N processes takes every N-th row.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    index: u64,
    /// Of how many.
    of: u64,
}

impl Shard {
    /// How many of so many rows it holds.
    pub fn share(self, rows: u64) -> u64 {
        (rows + self.of - self.index) / self.of
    }

    /// Whether it holds the row at this place, counted from 0.
    pub fn has(self, place: u64) -> bool {
        place % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
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
        assert!((0..20).all(|place| shards.iter().filter(|shard| shard.has(place)).count() == 1));
        assert_eq!(shards.iter().map(|shard| shard.share(20)).collect::<Vec<_>>(), [7, 7, 6]);
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
