//! AIGIQA-20K (Li et al. 2024, arXiv 2404.03407), as the NTIRE 2024 challenge published it: `info_train.csv`.
//!
//! A row has a name, a prompt and one score, which is perception. There is no header. The validation list of the
//! challenge, `info_val.csv`, has no scores.

use super::columns::{Columns, OPINION_SCALE, PropertySource, is_header};

/// The header of tables that have one.
pub(crate) const HEADER: [&str; 3] = ["name", "prompt", "mos"];

/// The number of columns of a list without scores.
pub(crate) const WITHOUT_SCORES: usize = 2;

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    let has_header = is_header(first, &HEADER);
    let is_row = (WITHOUT_SCORES..=WITHOUT_SCORES + 1).contains(&first.len())
        && is_image(&first[0])
        && first.get(WITHOUT_SCORES).is_none_or(|score| score.trim().parse::<f64>().is_ok());
    (has_header || is_row).then(|| Columns {
        prompt: Some(1),
        perception: Some(2).filter(|&column| column < first.len()),
        scale: Some(OPINION_SCALE),
        // The names of generators may contain underscores: `LCM_SD1.5_0123.png`.
        generator: PropertySource::Name(|name| name.rsplit_once('_').map(|(generator, _)| generator)),
        has_header,
        ..Columns::with_name(0)
    })
}

fn is_image(name: &str) -> bool {
    [".png", ".jpg", ".jpeg"].iter().any(|ending| name.trim().to_ascii_lowercase().ends_with(ending))
}
