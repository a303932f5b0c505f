//! What a model's predictions on a data set were: plain data, which the report is made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use tsp_mgs_data::metrics::Metrics;

/// The opinion scale's width (SPEC §5).
pub const SCALE: f64 = 5.0;
/// A prediction further from its opinion score than one of the scale's five levels is marked ×.
pub const POOR: f64 = 1.0;
/// Images in each of the two contact sheets.
const SHEET: usize = 8;

/// One model's predictions for one task on one data set.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// "perception" or "alignment".
    pub task: String,
    /// Which model predicted, as people call it.
    pub model: String,
    /// Which images, as people call them, with the split.
    pub dataset: String,
    /// A program made the images and their opinion scores; wherever the numbers appear, so does this.
    pub is_synthetic: bool,
    /// What a reader must know: warnings of the model, what was left out.
    pub notes: Vec<String>,
    /// The predictions, in the data set's order.
    pub rows: Vec<JudgedImage>,
}

/// One image's opinion score and prediction, on the scale of 0 to 5.
#[derive(Clone, Debug, Serialize)]
pub struct JudgedImage {
    /// The image's file, as it can be opened.
    #[serde(serialize_with = "lossy")]
    pub image: PathBuf,
    /// What was asked of the generator.
    pub prompt: String,
    /// The model that made the image, if it is known.
    pub generator: Option<String>,
    /// The style that was asked for, if it is known.
    pub style: Option<String>,
    /// What people think.
    pub mos: f64,
    /// What the model thinks they think.
    pub predicted: f64,
    /// The same image in the other task, shown beside this one.
    pub other: Option<OtherTask>,
}

/// An image's scores in the task that the evaluation is not about.
#[derive(Clone, Debug, Serialize)]
pub struct OtherTask {
    /// Its name.
    pub task: String,
    /// What people think.
    pub mos: f64,
    /// What the model thinks they think.
    pub predicted: f64,
}

/// What a group of rows has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing: all rows.
    Overall,
    /// The model that made the images.
    Generator,
    /// The style that was asked for.
    Style,
}

/// Rows with something in common.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What they have in common.
    pub kind: Kind,
    /// Its value.
    pub name: String,
    /// How good their predictions are.
    pub metrics: Metrics,
}

impl JudgedImage {
    /// The image's file name.
    pub fn name(&self) -> String {
        self.image.file_name().map_or_else(|| self.image.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
    }

    /// Distance of prediction and opinion score.
    pub fn error(&self) -> f64 {
        (self.predicted - self.mos).abs()
    }
}

impl Evaluation {
    /// All rows, then each generator's, then each style's, by name; a row that has none is in no group.
    pub fn groups(&self) -> Vec<Group> {
        let all: Vec<&JudgedImage> = self.rows.iter().collect();
        let mut groups = vec![Group { kind: Kind::Overall, name: "all".into(), metrics: metrics(&all) }];
        let mut add = |kind, name_of: fn(&JudgedImage) -> Option<&str>| {
            let mut by_name = BTreeMap::<&str, Vec<&JudgedImage>>::new();
            for row in &self.rows {
                if let Some(name) = name_of(row) {
                    by_name.entry(name).or_default().push(row);
                }
            }
            groups.extend(by_name.into_iter().map(|(name, rows)| Group {
                kind,
                name: name.into(),
                metrics: metrics(&rows),
            }));
        };
        add(Kind::Generator, |row| row.generator.as_deref());
        add(Kind::Style, |row| row.style.as_deref());
        groups
    }

    /// The rows that were predicted best, best first; never one that is among the worst.
    pub fn closest(&self) -> Vec<&JudgedImage> {
        let mut rows = self.by_error();
        rows.truncate(SHEET.min(self.rows.len().div_ceil(2)));
        rows
    }

    /// The rows that were predicted worst, worst first; never one that is among the best.
    pub fn furthest(&self) -> Vec<&JudgedImage> {
        let mut rows = self.by_error();
        rows.reverse();
        rows.truncate(SHEET.min(self.rows.len() / 2));
        rows
    }

    /// The data set's name, with what must be said of it.
    pub fn dataset_label(&self) -> String {
        if self.is_synthetic { format!("{} (synthetic)", self.dataset) } else { self.dataset.clone() }
    }

    /// Ascending; equal errors by their files, so that the order is always the same.
    fn by_error(&self) -> Vec<&JudgedImage> {
        let mut rows: Vec<&JudgedImage> = self.rows.iter().collect();
        rows.sort_by(|a, b| a.error().total_cmp(&b.error()).then_with(|| a.image.cmp(&b.image)));
        rows
    }
}

fn metrics(rows: &[&JudgedImage]) -> Metrics {
    let (predicted, mos) = sides(rows.iter().copied());
    Metrics::of(&predicted, &mos)
}

/// Predictions and opinion scores.
pub(crate) fn sides<'a>(rows: impl IntoIterator<Item = &'a JudgedImage>) -> (Vec<f64>, Vec<f64>) {
    rows.into_iter().map(|row| (row.predicted, row.mos)).unzip()
}

/// A file name need not be Unicode, JSON is.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// A number with three digits, or a dash for none.
pub(crate) fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
