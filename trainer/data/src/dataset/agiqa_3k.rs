//! AGIQA-3K (Li et al. 2023, arXiv 2306.04717): `data.csv`, 2,982 images of 300 prompts.
//!
//! Names are `GENERATOR_SETTING_PROMPT.jpg`, such as `sd1.5_lowstep_012.jpg`: six generators, four settings.

use super::columns::{Columns, OPINION_SCALE, Source, is_header};

/// The header; `trainer synth` writes the same.
pub const HEADER: [&str; 9] =
    ["name", "prompt", "adj1", "adj2", "style", "mos_quality", "std_quality", "mos_align", "std_align"];

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    is_header(first, &HEADER).then(|| Columns {
        prompt: Some(1),
        style: Source::Column(4),
        perception: Some(5),
        alignment: Some(7),
        scale: Some(OPINION_SCALE),
        generator: Source::Name(|name| name.split_once('_').map(|(generator, _)| generator)),
        ..Columns::of_name(0)
    })
}
