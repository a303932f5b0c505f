//! Rows as text: an aligned table, JSON lines or CSV.

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use tsp_mgs_core::result::{ImageResult, Run, TaskScore};
use tsp_mgs_data::terminal::printable_line;

use super::columns::{COLUMNS, Cells};
use super::row::{ResultRow, ScoredImage};

/// The text formats of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One aligned line for each image, to be read by people
    Table,
    /// One JSON object for each image, with all parts of its scores
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// The JSON object of a scored image.
#[derive(Serialize)]
struct JsonRow<'a> {
    id: Option<&'a str>,
    path: Option<&'a str>,
    #[serde(flatten)]
    result: ImageResult<'a>,
}

/// The JSON object of an image that could not be scored.
#[derive(Serialize)]
struct JsonError<'a> {
    id: &'a str,
    path: Option<&'a str>,
    error: String,
}

/// Returns the lines before the first row.
pub fn header(format: Format) -> String {
    match format {
        Format::Table => "perception  alignment  image\n".into(),
        Format::Jsonl => String::new(),
        Format::Csv => COLUMNS.map(|(name, _)| name).join(",") + "\n",
    }
}

/// Returns one row with its line break.
///
/// # Errors
/// Returns no error in practice: rows are plain data.
pub fn line(format: Format, row: &ResultRow, run: &Run) -> Result<Vec<u8>> {
    match format {
        Format::Table => Ok(table_row(row).into_bytes()),
        Format::Jsonl => json_row(row, run),
        Format::Csv => {
            let mut csv = csv::WriterBuilder::new().has_headers(false).buffer_capacity(1024).from_writer(Vec::new());
            csv.serialize(Cells::of(row, run))?;
            Ok(csv.into_inner()?)
        }
    }
}

fn table_row(row: &ResultRow) -> String {
    let id = printable_line(&row.name.id);
    match &row.result {
        Ok(scored) => {
            let cell = |task: &Option<TaskScore>| task.as_ref().map_or("-".into(), |task| format!("{:.3}", task.score));
            format!("{:>10}  {:>9}  {id}\n", cell(&scored.score.perception), cell(&scored.score.alignment))
        }
        Err(error) => format!("{:>10}  {:>9}  {id}: {}\n", "error", "", printable_line(&format!("{error:#}"))),
    }
}

fn json_row(row: &ResultRow, run: &Run) -> Result<Vec<u8>> {
    let (id, path) = (row.name.id.as_str(), row.name.path.as_deref());
    match &row.result {
        Ok(scored) => json_scored(Some(id), path, scored, run),
        Err(error) => json_line(&JsonError { id, path, error: format!("{error:#}") }),
    }
}

/// Returns a scored image as a line of JSON. An image without a name has no `id`.
///
/// # Errors
/// Returns no error in practice: results are plain data.
pub fn json_scored(id: Option<&str>, path: Option<&str>, scored: &ScoredImage, run: &Run) -> Result<Vec<u8>> {
    json_line(&JsonRow { id, path, result: scored.result(run) })
}

fn json_line(object: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec(object)?;
    json.push(b'\n');
    Ok(json)
}
