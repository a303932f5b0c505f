//! AIGCIQA2023 (Wang et al. 2023, arXiv 2307.00211): 2,400 images, six generators, 100 prompts, three scores.
//!
//! The table is `all_set.csv`, as IPCE publishes it. Its columns are the data set's files `mosz1` (quality, our
//! perception), `mosz2` (authenticity, which no task here predicts) and `mosz3` (correspondence, our alignment): the
//! order of the paper's title. Images lie in a folder a generator, and their names repeat between folders. Prompts
//! carry a pair of quotation marks of their own, which we take off.

use super::columns::{Columns, OPINION_SCALE, Source, is_header};

/// The header.
pub(crate) const HEADER: [&str; 6] = ["model", "image_name", "mosz1", "mosz2", "mosz3", "prompt"];

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    is_header(first, &HEADER).then(|| Columns {
        name: vec![0, 1],
        prompt: Some(5),
        clean_prompt: unquoted,
        perception: Some(2),
        alignment: Some(4),
        // Published values lie in 1.33 to 3.69: means of z-scores, mapped to the scale of the opinions.
        scale: Some(OPINION_SCALE),
        generator: Source::Column(0),
        ..Columns::of_name(1)
    })
}

/// Takes off one pair of quotation marks; a prompt may end in a quotation.
fn unquoted(prompt: &str) -> &str {
    let prompt = prompt.trim();
    prompt.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map_or(prompt, str::trim)
}
