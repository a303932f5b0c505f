//! AGIQA-3K (Li et al. 2023, arXiv 2306.04717): `data.csv`, 2,982 images of 300 prompts.
//!
//! Names have the form `GENERATOR_SETTING_PROMPT.jpg`, such as `sd1.5_lowstep_012.jpg`. There are six generators and
//! four settings.

use super::columns::{Columns, OPINION_SCALE, PropertySource, is_header};

/// The header of the table, which `trainer synth` also writes.
pub const HEADER: [&str; 9] =
    ["name", "prompt", "adj1", "adj2", "style", "mos_quality", "std_quality", "mos_align", "std_align"];

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    is_header(first, &HEADER).then(|| Columns {
        prompt: Some(1),
        style: PropertySource::Column(4),
        perception: Some(5),
        alignment: Some(7),
        scale: Some(OPINION_SCALE),
        generator: PropertySource::Name(|name| name.split_once('_').map(|(generator, _)| generator)),
        ..Columns::with_name(0)
    })
}
