//! Results as a table, JSON lines or CSV.

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use tsp_mgs_core::result::{FoundPrompt, ImageResult, ImageScore, Run, TaskScore};

use crate::cli::Format;

/// One image's result.
pub struct Row {
    /// The image.
    pub path: PathBuf,
    /// Its scores, or why there are none.
    pub result: Result<Scored>,
}

/// A scored image.
pub struct Scored {
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// Its prompt, if it has one.
    pub prompt: Option<FoundPrompt>,
    /// Its scores.
    pub score: ImageScore,
}

impl Scored {
    fn result<'a>(&'a self, run: &'a Run) -> ImageResult<'a> {
        run.result((self.width, self.height), self.prompt.as_ref(), &self.score)
    }
}

/// One line of JSON.
#[derive(Serialize)]
struct JsonRow<'a> {
    path: &'a str,
    #[serde(flatten)]
    result: ImageResult<'a>,
}

/// One line of JSON for an image that could not be scored.
#[derive(Serialize)]
struct JsonError<'a> {
    path: &'a str,
    error: String,
}

/// One line of CSV; fields in the order of the columns.
#[derive(Default, Serialize)]
struct CsvRow<'a> {
    path: Cow<'a, str>,
    perception: Option<f32>,
    alignment: Option<f32>,
    prompt: Option<&'a str>,
    prompt_source: Option<&'a str>,
    prompt_truncated: Option<bool>,
    width: Option<u32>,
    height: Option<u32>,
    crops: usize,
    device: &'a str,
    model: &'a str,
    notes: String,
    error: Option<String>,
}

/// Writes rows as they come.
pub struct Printer<W: Write> {
    format: Format,
    run: Run,
    out: Out<W>,
    is_first: bool,
}

enum Out<W: Write> {
    Lines(W),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Printer<W> {
    /// Writes to `out`.
    pub fn new(format: Format, run: Run, out: W) -> Self {
        let out = match format {
            Format::Csv => Out::Csv(Box::new(csv::Writer::from_writer(out))),
            Format::Table | Format::Jsonl => Out::Lines(out),
        };
        Self { format, run, out, is_first: true }
    }

    /// Writes one result and flushes it.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn print(&mut self, row: &Row) -> Result<()> {
        let is_first = std::mem::take(&mut self.is_first);
        let written = match &mut self.out {
            Out::Csv(csv) => csv.serialize(csv_row(row, &self.run)).map_err(Into::into).and_then(|()| csv.flush()),
            Out::Lines(out) if self.format == Format::Jsonl => {
                writeln!(out, "{}", json_row(row, &self.run)).and_then(|()| out.flush())
            }
            Out::Lines(out) => {
                let header = if is_first { "perception  alignment  image\n" } else { "" };
                writeln!(out, "{header}{}", table_row(row)).and_then(|()| out.flush())
            }
        };
        written.context("writing results to standard output")
    }

    /// Ends the output.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn finish(&mut self) -> Result<()> {
        match &mut self.out {
            Out::Csv(csv) => csv.flush(),
            Out::Lines(out) => out.flush(),
        }
        .context("writing results to standard output")
    }
}

fn table_row(row: &Row) -> String {
    let path = row.path.display();
    match &row.result {
        Ok(scored) => {
            let cell = |task: &Option<TaskScore>| task.as_ref().map_or("-".into(), |task| format!("{:.3}", task.score));
            format!("{:>10}  {:>9}  {path}", cell(&scored.score.perception), cell(&scored.score.alignment))
        }
        Err(error) => format!("{:>10}  {:>9}  {path}: {error:#}", "error", ""),
    }
}

fn csv_row<'a>(row: &'a Row, run: &'a Run) -> CsvRow<'a> {
    let path = row.path.to_string_lossy();
    let shared = CsvRow { path, crops: run.crops(), device: &run.device, model: &run.model, ..CsvRow::default() };
    match &row.result {
        Ok(scored) => CsvRow {
            perception: scored.score.perception.as_ref().map(|task| task.score),
            alignment: scored.score.alignment.as_ref().map(|task| task.score),
            prompt: scored.prompt.as_ref().map(|prompt| prompt.text.as_str()),
            prompt_source: scored.prompt.as_ref().map(|prompt| prompt.source),
            prompt_truncated: Some(scored.score.prompt_truncated),
            width: Some(scored.width),
            height: Some(scored.height),
            notes: scored.result(run).notes().join("; "),
            ..shared
        },
        Err(error) => CsvRow { error: Some(format!("{error:#}")), ..shared },
    }
}

fn json_row(row: &Row, run: &Run) -> String {
    let path = &row.path.to_string_lossy();
    let json = match &row.result {
        Ok(scored) => serde_json::to_string(&JsonRow { path, result: scored.result(run) }),
        Err(error) => serde_json::to_string(&JsonError { path, error: format!("{error:#}") }),
    };
    json.expect("results are plain data")
}
