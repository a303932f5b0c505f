//! The columns of the results, which are the same in all formats.

use serde::Serialize;
use tsp_mgs_core::result::Run;

use super::row::ResultRow;

/// The name and the meaning of each column, in order.
pub const COLUMNS: [(&str, &str); 14] = [
    ("id", "the id column of the table; without one the path; without a path the row of the table"),
    ("path", "the image file, or SHARD.tar/MEMBER; empty for an image that the table itself contains"),
    ("perception", "perceptual quality from 0 to 5, higher is better; empty if not scored"),
    ("alignment", "agreement with the prompt from 0 to 5, higher is better; empty without a prompt"),
    ("prompt", "the prompt"),
    ("prompt_source", "source of the prompt: argument, table, sidecar, or the kind of metadata"),
    ("prompt_truncated", "whether CLIP ignored the end of the prompt"),
    ("width", "width of the upright image in pixels"),
    ("height", "height of the upright image in pixels"),
    ("crops", "number of crops"),
    ("device", "kind and name of the device"),
    ("model", "name and hash of the weights"),
    ("notes", "limitations of the result"),
    ("error", "reason why there is no score; empty if there is one"),
];

/// The cells of one row.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cells<'a> {
    /// The column `id`. [`COLUMNS`] has the meaning of all fields.
    pub id: &'a str,
    /// The column `path`.
    pub path: Option<&'a str>,
    /// The column `perception`, in [0, 5].
    pub perception: Option<f32>,
    /// The column `alignment`, in [0, 5].
    pub alignment: Option<f32>,
    /// The column `prompt`.
    pub prompt: Option<&'a str>,
    /// The column `prompt_source`.
    pub prompt_source: Option<&'a str>,
    /// The column `prompt_truncated`.
    pub prompt_truncated: Option<bool>,
    /// The column `width`.
    pub width: Option<u32>,
    /// The column `height`.
    pub height: Option<u32>,
    /// Number of crops.
    pub crops: usize,
    /// The column `device`.
    pub device: &'a str,
    /// The column `model`.
    pub model: &'a str,
    /// The column `notes`: all notes, joined by semicolons.
    pub notes: String,
    /// The column `error`: the message with all its causes.
    pub error: Option<String>,
}

impl<'a> Cells<'a> {
    /// Returns the cells of a row.
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

/// Returns the help text of `--output`, which lists the columns.
pub fn help() -> String {
    let lines = COLUMNS.map(|(name, meaning)| format!("  {name:<17} {meaning}"));
    format!(
        "File to write: .csv, .jsonl, .parquet or .txt\n\nColumns of the results in CSV and Parquet:\n{}\nJSON lines have fields of the \
         same names. There, perception and alignment are objects with all parts of the score.",
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
