//! Passing over what an earlier run scored.

use anyhow::{Result, bail};

use crate::parts::Part;
use crate::record::Record;
use crate::tally::{IdHash, Tally};

/// Takes the records whose rows are there, and counts the rows.
///
/// # Errors
/// When they are not the ones that were scored: then going on would leave images out, or score some twice.
pub fn pass_over(records: &mut impl Iterator<Item = Record>, parts: &[Part]) -> Result<Tally> {
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
                "the input has {} rows now, and {last} were scored already: it was changed; pass --overwrite to start anew",
                total.rows + found
            );
        }
        if ids.finish() != part.ids {
            bail!(
                "rows {first} to {last} of the input are not those that were scored: it was changed; pass --overwrite to \
                 start anew"
            );
        }
        total += part.tally;
    }
    Ok(total)
}
