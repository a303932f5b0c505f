//! Results as a table, JSON lines or CSV.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use tsp_mgs_core::scorer::{ImageScore, TaskScore, WITHOUT_TEXT};

use crate::cli::Format;
use crate::images::FoundPrompt;

/// What a result says when alignment was to be scored and there was no prompt.
const NO_PROMPT: &str = "no prompt: alignment is not scored";

/// What all results of a run share.
pub struct Run {
    /// Where it was computed.
    pub device: String,
    /// Name and hash of the weights.
    pub model: String,
    /// What every result must say.
    pub warning: Option<String>,
    /// Number of patches.
    pub crops: usize,
    /// Whether the model has no text tower.
    pub is_vision_only: bool,
    /// Whether alignment was to be scored.
    pub wants_alignment: bool,
}

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

/// One line of JSON.
#[derive(Serialize)]
struct JsonRow<'a> {
    path: &'a str,
    prompt: Option<&'a str>,
    prompt_source: Option<&'a str>,
    prompt_truncated: bool,
    width: u32,
    height: u32,
    crops: usize,
    device: &'a str,
    model: &'a str,
    warning: Option<&'a str>,
    notes: Vec<String>,
    perception: Option<&'a TaskScore>,
    alignment: Option<&'a TaskScore>,
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
    path: &'a str,
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

/// What one result must say beside its numbers.
fn notes(scored: &Scored, run: &Run) -> Vec<String> {
    let mut notes: Vec<String> = run.warning.clone().into_iter().collect();
    if run.is_vision_only {
        notes.push(WITHOUT_TEXT.into());
    }
    if run.wants_alignment && scored.score.alignment.is_none() {
        notes.push(NO_PROMPT.into());
    }
    notes
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
    let shared = CsvRow { crops: run.crops, device: &run.device, model: &run.model, ..CsvRow::default() };
    let path = row.path.to_str().unwrap_or("(a name that is not Unicode)");
    match &row.result {
        Ok(scored) => CsvRow {
            path,
            perception: scored.score.perception.as_ref().map(|task| task.score),
            alignment: scored.score.alignment.as_ref().map(|task| task.score),
            prompt: scored.prompt.as_ref().map(|prompt| prompt.text.as_str()),
            prompt_source: scored.prompt.as_ref().map(|prompt| prompt.source),
            prompt_truncated: Some(scored.score.prompt_truncated),
            width: Some(scored.width),
            height: Some(scored.height),
            notes: notes(scored, run).join("; "),
            ..shared
        },
        Err(error) => CsvRow { path, error: Some(format!("{error:#}")), ..shared },
    }
}

fn json_row(row: &Row, run: &Run) -> String {
    let path = row.path.to_string_lossy();
    let json = match &row.result {
        Ok(scored) => serde_json::to_string(&JsonRow {
            path: &path,
            prompt: scored.prompt.as_ref().map(|prompt| prompt.text.as_str()),
            prompt_source: scored.prompt.as_ref().map(|prompt| prompt.source),
            prompt_truncated: scored.score.prompt_truncated,
            width: scored.width,
            height: scored.height,
            crops: run.crops,
            device: &run.device,
            model: &run.model,
            warning: run.warning.as_deref(),
            notes: notes(scored, run),
            perception: scored.score.perception.as_ref(),
            alignment: scored.score.alignment.as_ref(),
        }),
        Err(error) => serde_json::to_string(&JsonError { path: &path, error: format!("{error:#}") }),
    };
    json.expect("results are plain data")
}
