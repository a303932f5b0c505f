//! The columns of the results, the same whatever the format.

use serde::Serialize;
use tsp_mgs_core::result::Run;

use crate::row::ResultRow;

/// Name and meaning of each column, in order.
pub const COLUMNS: [(&str, &str); 14] = [
    ("id", "the id column of a table; else the path, else the place in the table"),
    ("path", "the image's file, or SHARD.tar/MEMBER; empty for an image that came as bytes"),
    ("perception", "how good it looks, 0 to 5, higher is better; empty when not scored"),
    ("alignment", "how well it shows its prompt, 0 to 5, higher is better; empty without a prompt"),
    ("prompt", "the prompt"),
    ("prompt_source", "where it was found: argument, table, sidecar, or the kind of metadata"),
    ("prompt_truncated", "whether it was longer than CLIP reads"),
    ("width", "upright width in pixels"),
    ("height", "upright height in pixels"),
    ("crops", "number of crops"),
    ("device", "where it was computed"),
    ("model", "name and hash of the weights"),
    ("notes", "what must be said of the result"),
    ("error", "why there is no score; empty when there is one"),
];

/// A row's columns without its scores' parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cells<'a> {
    /// See [`COLUMNS`], as for the others.
    pub id: &'a str,
    /// The image's file.
    pub path: Option<&'a str>,
    /// A score.
    pub perception: Option<f32>,
    /// A score.
    pub alignment: Option<f32>,
    /// The prompt.
    pub prompt: Option<&'a str>,
    /// Its source.
    pub prompt_source: Option<&'a str>,
    /// Whether it was cut.
    pub prompt_truncated: Option<bool>,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// Number of crops.
    pub crops: usize,
    /// Kind and adapter.
    pub device: &'a str,
    /// Name and hash.
    pub model: &'a str,
    /// Joined by semicolons.
    pub notes: String,
    /// With all its causes.
    pub error: Option<String>,
}

impl<'a> Cells<'a> {
    /// The cells of a row.
    pub fn of(row: &'a ResultRow, run: &'a Run) -> Self {
        let shared = Self {
            id: &row.name.id,
            path: row.name.path.as_deref(),
            crops: run.crops(),
            device: &run.device,
            model: &run.model,
            ..Self::default()
        };
        match &row.result {
            Ok(scored) => Self {
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
            Err(error) => Self { error: Some(format!("{error:#}")), ..shared },
        }
    }
}

/// What `--help` says of the columns.
pub fn help() -> String {
    let lines = COLUMNS.map(|(name, meaning)| format!("  {name:<17} {meaning}"));
    format!(
        "Columns of the results, in CSV and Parquet:\n{}\nJSON lines have the same names; there, perception and alignment hold every \
         part of the score.",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_stand_in_the_order_of_the_columns() {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.serialize(Cells::default()).expect("cells are plain data");
        let text = String::from_utf8(csv.into_inner().expect("a vector takes all")).expect("UTF-8");
        let names = COLUMNS.map(|(name, _)| name);
        assert_eq!(text.lines().next(), Some(names.join(",").as_str()));
    }
}
