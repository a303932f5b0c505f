//! Skips the records that an earlier run scored.

use anyhow::{Result, bail};

use super::parts::Part;
use crate::input::record::Record;
use crate::results::tally::{IdHash, Tally};

/// Takes from `records` those whose rows are in `parts`, and returns the counts of the rows.
///
/// # Errors
/// Returns an error if the records are not the ones that were scored. A resumed run would omit images or score some
/// twice.
pub fn skip_scored(records: &mut impl Iterator<Item = Record>, parts: &[Part]) -> Result<Tally> {
    let mut total = Tally::default();
    for part in parts {
        let mut ids = IdHash::default();
        let mut found = 0;
        for record in records.by_ref().take(part.tally.rows as usize) {
            ids.add(&record.name.id);
            found += 1;
        }
        let (first, last) = (total.rows + 1, total.rows + part.tally.rows);
        if found < part.tally.rows {
            bail!(
                "the input was changed: it has {} rows, and {last} were scored before; pass --overwrite to start again",
                total.rows + found
            );
        }
        if ids.finish() != part.ids {
            bail!(
                "the input was changed: its rows {first} to {last} are not the rows that were scored before; pass --overwrite to \
                 start again"
            );
        }
        total += part.tally;
    }
    Ok(total)
}
