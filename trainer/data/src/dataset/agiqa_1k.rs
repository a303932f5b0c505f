//! AGIQA-1K (Zhang et al. 2023, arXiv 2303.12618): 1,080 images of two generators with one score each, which is
//! perception.
//!
//! Published results use the scores of `AIGC_MOS_Zscore.xlsx` (Image, Prompt, MOS), which IPCE also publishes as CSV.
//! `AIGC_all.csv` (Image, Score) has the raw means and no prompts. Its prompts are read from the files beside it.
//!
//! Two things are to be known:
//!
//! - The README of the data set maps the numbers in names to words that contradict the prompts. The Prompt column is right.
//! - `dreamStudio_8_9_1_1.jpg` is in the workbook twice, with different scores. One of the two rows may belong to
//!   `dreamStudio_8_5_0_0.jpg`, which is in `AIGC_all.csv` but not in the workbook. It is unknown which one.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use walkdir::WalkDir;

use super::columns::{Columns, OPINION_SCALE, PropertySource, is_header};
use super::table::Table;
use super::table_file;

/// The header of the workbook and of IPCE's lists.
pub(crate) const HEADER: [&str; 3] = ["Image", "Prompt", "MOS"];

/// The header of `AIGC_all.csv`, which has the raw means.
pub(crate) const RAW_HEADER: [&str; 2] = ["Image", "Score"];

/// The depth at which IPCE's lists are searched: `1/train.csv`, one or two folders below that of the data set.
const LIST_DEPTH: usize = 3;

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    let columns = Columns {
        perception: Some(1),
        scale: Some(OPINION_SCALE),
        generator: PropertySource::Name(|name| name.split_once('_').map(|(generator, _)| generator)),
        ..Columns::with_name(0)
    };
    if is_header(first, &RAW_HEADER) {
        return Some(columns);
    }
    is_header(first, &HEADER).then_some(Columns {
        prompt: Some(1),
        perception: Some(2),
        style: PropertySource::Prompt(style),
        ..columns
    })
}

/// Adds prompts to a table of raw means, from the workbook or IPCE's lists beside it.
///
/// A name without a prompt there gets an empty one, which is a problem when the row is read. Returns whether prompts
/// were added.
pub(crate) fn add_prompts(table: &mut Table) -> Result<bool> {
    if !is_header(&table.first, &RAW_HEADER) {
        return Ok(false);
    }
    let prompts = prompts_beside(table.path.parent().unwrap_or(Path::new("")))?;
    if prompts.is_empty() {
        return Ok(false);
    }
    for row in &mut table.rows {
        let prompt = prompts.get(row.cells[0].trim()).cloned().unwrap_or_default();
        row.cells.insert(1, prompt);
    }
    table.first = HEADER.map(str::to_owned).to_vec();
    table.rows[0].cells.clone_from(&table.first);
    Ok(true)
}

fn prompts_beside(folder: &Path) -> Result<HashMap<String, String>> {
    let mut tables = Vec::new();
    let workbook = folder.join("AIGC_MOS_Zscore.xlsx");
    if workbook.is_file() {
        tables.push(table_file::read(&workbook, &[], None)?);
    } else {
        let lists = WalkDir::new(folder).max_depth(LIST_DEPTH).sort_by_file_name().into_iter().flatten();
        for list in lists.filter(|file| file.file_name() == "train.csv" || file.file_name() == "val.csv") {
            tables.push(table_file::read(list.path(), &[], None)?);
        }
    }
    tables.retain(|table| is_header(&table.first, &HEADER));
    let rows = tables.into_iter().flat_map(|table| table.rows.into_iter().skip(1));
    Ok(rows.map(|row| (row.cells[0].trim().to_owned(), row.cells[1].clone())).collect())
}

/// Returns the style at the end of a prompt, such as "bird, playing yoga, city, realistic style".
fn style(prompt: &str) -> Option<&str> {
    prompt.rsplit_once(", ").map(|(_, style)| style).filter(|style| style.ends_with(" style"))
}
