//! The predictions of a model on a data set, as plain data for the report.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use tsp_mgs_data::dataset::ImageSource;
use tsp_mgs_data::metrics::Metrics;

/// Width of the opinion scale: scores are from 0 to 5.
pub const SCALE: f64 = 5.0;
/// Largest error of a prediction that is not marked with ×: the distance of two of the five levels.
pub const MAX_UNMARKED_ERROR: f64 = 1.0;
/// Number of images on a contact sheet.
const SHEET_IMAGES: usize = 8;

/// The predictions of one model for one task on one data set.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Name of the task: "perception" or "alignment".
    pub task: String,
    /// Name of the model, for people.
    pub model: String,
    /// Names of the data set and its part, for people.
    pub dataset: String,
    /// Whether the images and their opinion scores are synthetic. All outputs say so.
    pub is_synthetic: bool,
    /// Notes for a reader: warnings of the model, leaks, skipped images.
    pub notes: Vec<String>,
    /// The predictions, in the order of the data set.
    pub rows: Vec<EvaluatedImage>,
}

/// Opinion score and predicted score of an image, both on the scale of 0 to 5; higher is better.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluatedImage {
    /// Place of the image. In JSON, it is a text, whose characters that are not Unicode are replaced.
    #[serde(serialize_with = "as_text")]
    pub image: ImageSource,
    /// The prompt.
    pub prompt: String,
    /// Name of the generator of the image, if known.
    pub generator: Option<String>,
    /// Style that the prompt asks for, if known.
    pub style: Option<String>,
    /// Mean opinion score.
    pub mos: f64,
    /// Predicted score.
    pub predicted: f64,
    /// Scores of the image in the other task, which the contact sheets show too.
    pub other: Option<TaskScores>,
}

/// Scores of an image in the task that the evaluation is not about.
#[derive(Clone, Debug, Serialize)]
pub struct TaskScores {
    /// Name of the task.
    pub task: String,
    /// Mean opinion score, from 0 to 5.
    pub mos: f64,
    /// Predicted score, on the same scale.
    pub predicted: f64,
}

/// The property that the rows of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// None: the group has all rows.
    Overall,
    /// The generator of the images.
    Generator,
    /// The style that the prompt asks for.
    Style,
}

/// A group of rows, with its metrics.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The property that the rows share.
    pub kind: GroupKind,
    /// Value of the property.
    pub name: String,
    /// Agreement of the predictions with the opinion scores.
    pub metrics: Metrics,
}

impl EvaluatedImage {
    /// The file name of the image.
    pub fn name(&self) -> String {
        self.image.name()
    }

    /// Absolute difference of prediction and opinion score, ≥ 0.
    pub fn error(&self) -> f64 {
        (self.predicted - self.mos).abs()
    }
}

impl Evaluation {
    /// The group of all rows, then the groups of each generator and of each style, sorted by name.
    ///
    /// A row without a generator or a style is in no group of that property.
    pub fn groups(&self) -> Vec<Group> {
        let all: Vec<&EvaluatedImage> = self.rows.iter().collect();
        let mut groups = vec![Group { kind: GroupKind::Overall, name: "all".into(), metrics: metrics(&all) }];
        let mut add = |kind, name_of: fn(&EvaluatedImage) -> Option<&str>| {
            let mut by_name = BTreeMap::<&str, Vec<&EvaluatedImage>>::new();
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
        add(GroupKind::Generator, |row| row.generator.as_deref());
        add(GroupKind::Style, |row| row.style.as_deref());
        groups
    }

    /// The rows with the smallest errors, smallest first. [`Evaluation::furthest`] returns none of them.
    pub fn closest(&self) -> Vec<&EvaluatedImage> {
        let mut rows = self.by_error();
        rows.truncate(SHEET_IMAGES.min(self.rows.len().div_ceil(2)));
        rows
    }

    /// The rows with the largest errors, largest first. [`Evaluation::closest`] returns none of them.
    pub fn furthest(&self) -> Vec<&EvaluatedImage> {
        let mut rows = self.by_error();
        rows.reverse();
        rows.truncate(SHEET_IMAGES.min(self.rows.len() / 2));
        rows
    }

    /// The name of the data set, with "(synthetic)" if it is synthetic.
    pub fn dataset_label(&self) -> String {
        if self.is_synthetic { format!("{} (synthetic)", self.dataset) } else { self.dataset.clone() }
    }

    /// Rows by ascending error. Rows of equal error are sorted by file, so that the order is deterministic.
    fn by_error(&self) -> Vec<&EvaluatedImage> {
        let mut rows: Vec<&EvaluatedImage> = self.rows.iter().collect();
        rows.sort_by(|a, b| a.error().total_cmp(&b.error()).then_with(|| a.image.cmp(&b.image)));
        rows
    }
}

fn metrics(rows: &[&EvaluatedImage]) -> Metrics {
    let (predicted, mos) = predictions_and_mos(rows.iter().copied());
    Metrics::of(&predicted, &mos)
}

/// Splits rows into predictions and opinion scores.
pub(crate) fn predictions_and_mos<'a>(rows: impl IntoIterator<Item = &'a EvaluatedImage>) -> (Vec<f64>, Vec<f64>) {
    rows.into_iter().map(|row| (row.predicted, row.mos)).unzip()
}

fn as_text<S: Serializer>(image: &ImageSource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(image)
}

/// Formats a metric with three digits; `None` is a dash.
pub(crate) fn format_metric(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
