//! AIGCIQA2023 (Wang et al. 2023, arXiv 2307.00211): 2,400 images of six generators and 100 prompts, with three scores
//! each.
//!
//! The table is `all_set.csv`, which IPCE publishes. Its score columns are files of the data set, in the order of the
//! paper's title: `mosz1` is quality (perception here), `mosz2` is authenticity (not used here), `mosz3` is
//! correspondence (alignment here). Each generator has a folder of images, and names repeat between folders. Prompts
//! have an additional pair of quotation marks, which is removed.

use super::columns::{Columns, OPINION_SCALE, PropertySource, is_header};

/// The header of the table.
pub(crate) const HEADER: [&str; 6] = ["model", "image_name", "mosz1", "mosz2", "mosz3", "prompt"];

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    is_header(first, &HEADER).then(|| Columns {
        name: vec![0, 1],
        prompt: Some(5),
        clean_prompt: unquoted,
        perception: Some(2),
        alignment: Some(4),
        // The published values are means of z-scores, mapped to the scale of opinions. They are from 1.33 to 3.69.
        scale: Some(OPINION_SCALE),
        generator: PropertySource::Column(0),
        ..Columns::with_name(1)
    })
}

/// Removes one pair of quotation marks. The prompt itself may end with a quotation.
fn unquoted(prompt: &str) -> &str {
    let prompt = prompt.trim();
    prompt.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map_or(prompt, str::trim)
}
