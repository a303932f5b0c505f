//! AGIQA-1K (Zhang et al. 2023, arXiv 2303.12618): 1,080 images of two generators, one score each, which is perception.
//!
//! The scores that are published results stand in `AIGC_MOS_Zscore.xlsx` (Image, Prompt, MOS), and in IPCE's copy of
//! it as CSV. `AIGC_all.csv` (Image, Score) has the raw means and no prompts; they come from what lies beside it.
//!
//! Two traps. The data set's README maps the numbers in names to words that contradict the prompts: the Prompt column
//! is right. And `dreamStudio_8_9_1_1.jpg` stands in the workbook twice, with different scores: which row is another
//! image's (`AIGC_all.csv` has a `dreamStudio_8_5_0_0.jpg` that the workbook lacks) cannot be told.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use walkdir::WalkDir;

use super::columns::{Columns, OPINION_SCALE, Source, is_header};
use super::table::Table;
use super::table_file;

/// The workbook's header, and that of IPCE's lists.
pub const HEADER: [&str; 3] = ["Image", "Prompt", "MOS"];

/// The header of the raw means.
pub(crate) const RAW_HEADER: [&str; 2] = ["Image", "Score"];

/// IPCE keeps its lists in `1/train.csv`, in a folder or two below the data set's.
const LIST_DEPTH: usize = 3;

pub(crate) fn columns(first: &[String]) -> Option<Columns> {
    let columns = Columns {
        perception: Some(1),
        scale: Some(OPINION_SCALE),
        generator: Source::Name(|name| name.split_once('_').map(|(generator, _)| generator)),
        ..Columns::of_name(0)
    };
    if is_header(first, &RAW_HEADER) {
        return Some(columns);
    }
    is_header(first, &HEADER).then_some(Columns {
        prompt: Some(1),
        perception: Some(2),
        style: Source::Prompt(style),
        ..columns
    })
}

/// Gives the raw means their prompts, where the workbook or IPCE's lists lie beside them.
///
/// A name that those do not have gets an empty prompt, which is noted as a problem when the row is read. The result
/// says whether the table has become one with prompts.
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
        tables.push(table_file::read(&workbook, &[])?);
    } else {
        let lists = WalkDir::new(folder).max_depth(LIST_DEPTH).sort_by_file_name().into_iter().flatten();
        for list in lists.filter(|file| file.file_name() == "train.csv" || file.file_name() == "val.csv") {
            tables.push(table_file::read(list.path(), &[])?);
        }
    }
    tables.retain(|table| is_header(&table.first, &HEADER));
    let rows = tables.into_iter().flat_map(|table| table.rows.into_iter().skip(1));
    Ok(rows.map(|row| (row.cells[0].trim().to_owned(), row.cells[1].clone())).collect())
}

/// Prompts end in their style: "bird, playing yoga, city, realistic style".
fn style(prompt: &str) -> Option<&str> {
    prompt.rsplit_once(", ").map(|(_, style)| style).filter(|style| style.ends_with(" style"))
}
