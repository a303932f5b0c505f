//! One image of a gallery: a line of the table, and a figure of the page.

use std::cmp::Ordering;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tsp_mgs_core::result::{Run, TaskScore};

use super::THUMBNAILS;
use crate::results::row::{ResultRow, ScoredImage};

/// Decimal places of the numbers in a table.
const PLACES: i32 = 4;
/// The ends of the opinion scale.
const SCALE: (f32, f32) = (0.0, 5.0);

/// An image of a gallery.
pub struct Entry {
    /// The line of the table, without a line break.
    pub line: String,
    /// The figure of the page.
    pub figure: Figure,
    /// The mean of both scores, or the only score.
    pub mean: Option<f32>,
    /// The notes of the result.
    pub notes: Vec<String>,
}

/// An image in the template of the page, which escapes all texts.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub(super) name: String,
    /// Its address, relative to the page.
    pub(super) thumbnail: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) scores: Vec<Score>,
    pub(super) error: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Score {
    task: &'static str,
    title: &'static str,
    /// Two decimals, or a dash.
    value: String,
    /// The length of the bar, in [0, 5].
    width: String,
}

impl Entry {
    /// Creates the entry of a row. `name` and `error` replace the name and the error of the row.
    ///
    /// # Errors
    /// Returns an error if the row cannot be written as JSON.
    pub fn new(row: &ResultRow, name: String, error: Option<String>, run: &Run) -> Result<Self> {
        let Ok(scored) = &row.result else {
            let line = json!({ "id": name, "path": null, "error": error }).to_string();
            let error = error.as_deref().map(sentence);
            let figure = Figure { name, thumbnail: None, prompt: None, scores: Vec::new(), error };
            return Ok(Self { line, figure, mean: None, notes: Vec::new() });
        };
        let thumbnail = scored.thumbnail.as_ref().map(|thumbnail| format!("{THUMBNAILS}/{}", thumbnail.name));
        let [perception, alignment] =
            [&scored.score.perception, &scored.score.alignment].map(|task| task.as_ref().map(|task| task.score));
        let mean = match (perception, alignment) {
            (Some(one), Some(other)) => Some(f32::midpoint(one, other)),
            (one, other) => one.or(other),
        };
        Ok(Self {
            line: line(scored, &name, thumbnail.as_deref(), run)?,
            mean,
            notes: scored.result(run).notes().iter().map(ToString::to_string).collect(),
            figure: Figure {
                name,
                thumbnail,
                prompt: scored.prompt.as_ref().map(|prompt| prompt.text.clone()),
                scores: vec![
                    score("perception", "Perception", scored.score.perception.as_ref()),
                    score("alignment", "Alignment", scored.score.alignment.as_ref()),
                ],
                error: None,
            },
        })
    }

    /// Compares two entries for the order of the page: from the highest mean to the lowest, then images without scores.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| entry.mean.unwrap_or(f32::NEG_INFINITY);
        key(other).total_cmp(&key(self))
    }
}

/// Adds a capital letter and a full stop, as the script does.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let end = if text.ends_with(['.', '…']) || text.is_empty() { "" } else { "." };
    first.chain(letters).chain(end.chars()).collect()
}

fn score(task: &'static str, title: &'static str, score: Option<&TaskScore>) -> Score {
    let value = score.map_or("–".into(), |task| format!("{:.2}", task.score));
    let width = format!("{:.3}", score.map_or(SCALE.0, |task| task.score.clamp(SCALE.0, SCALE.1)));
    Score { task, title, value, width }
}

/// Returns a row as in JSON lines, but with rounded numbers, and without the parts of crops and words, which are most of
/// its text.
fn line(scored: &ScoredImage, name: &str, thumbnail: Option<&str>, run: &Run) -> Result<String> {
    let mut row = Map::new();
    row.insert("id".into(), name.into());
    row.insert("path".into(), thumbnail.into());
    if let Value::Object(mut result) = serde_json::to_value(scored.result(run))? {
        for task in ["perception", "alignment"] {
            if let Some(Value::Object(parts)) = result.get_mut(task) {
                parts.remove("patches");
                parts.remove("words");
            }
        }
        row.append(&mut result);
    }
    let mut row = Value::Object(row);
    round(&mut row);
    Ok(row.to_string())
}

fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let scale = 10_f64.powi(PLACES);
            *value = number.as_f64().map(|number| (number * scale).round() / scale).into();
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        _ => {}
    }
}
