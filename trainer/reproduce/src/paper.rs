//! The paper's numbers, and how each is reproduced: the built-in file `assets/paper.json`.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tsp_mgs_core::options::{Inputs, Options};
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_data::dataset::Layout;

const PAPER: &str = include_str!("../../assets/paper.json");

/// The tables and figures of the paper (Xia et al.).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Authors and title.
    pub source: String,
    /// Tables and figures, in the paper's order.
    pub experiments: Vec<Experiment>,
}

/// A table or a figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name on the command line and of files, such as "table3".
    pub id: String,
    /// Title for people.
    pub title: String,
    /// The data set.
    pub data_set: Layout,
    /// What the paper says about a figure whose numbers it does not print.
    #[serde(default)]
    pub claim: Option<String>,
    /// Notes for a reader.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Rows of methods or settings.
    pub rows: Vec<PaperRow>,
}

/// A method or a setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperRow {
    /// Name in the paper.
    pub label: String,
    /// Where the method was published, if elsewhere.
    #[serde(default)]
    pub venue: Option<String>,
    /// Results, one for each task.
    pub results: Vec<PublishedResult>,
}

/// The published result for one task.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedResult {
    /// The task whose opinion scores are predicted.
    pub task: Task,
    /// Spearman rank correlation, in [−1, 1]; `None` if the paper prints none.
    pub srcc: Option<f64>,
    /// Pearson correlation, in [−1, 1]; `None` if the paper prints none.
    pub plcc: Option<f64>,
    /// Why the paper has no number.
    #[serde(default)]
    pub note: Option<String>,
    /// How we compute it; `None` if we do not.
    #[serde(default)]
    pub ours: Option<Computation>,
}

/// How we compute a result.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Computation {
    /// By training.
    Train(Setting),
    /// By training, if `--baselines` is given.
    Baseline(Setting),
    /// By a method of `trainer evaluate` with the initial CLIP weights.
    ZeroShot(String),
    /// By a method of `trainer evaluate` that needs its own published weights. It is not run here.
    OwnWeights(String),
}

/// The settings that experiments vary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Task-specific prompts (§3.2).
    pub prompts: PromptSet,
    /// Views that the image tower gets.
    pub inputs: Inputs,
    /// The weight of the resized image in Eq. 7; unused with one kind of view.
    pub alpha: AlphaSetting,
    /// Whether the words of the prompt count (Eq. 6).
    pub fine: bool,
}

/// The α of Eq. 7: a number, or the word "learned".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AlphaSetting {
    /// A fixed value in [0, 1].
    Fixed(f64),
    /// Trained with the model.
    Learned(LearnedKeyword),
}

/// The word "learned", for a trained α.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnedKeyword {
    /// α is trained.
    Learned,
}

impl Paper {
    /// Reads the built-in file.
    ///
    /// # Errors
    /// Fails if the built-in file is invalid.
    pub fn open() -> Result<Self> {
        serde_json::from_str(PAPER).context("reading the built-in paper.json")
    }
}

impl Setting {
    /// The options of `trainer train` for a task, with the initial α. `crops` is the number of crops for scoring.
    pub fn options(&self, task: Task, crops: usize) -> Options {
        use tsp_mgs_core::options::Alpha;
        let default = Options::default_for(task);
        let alpha = match (self.inputs, self.alpha) {
            (Inputs::Both, AlphaSetting::Fixed(alpha)) => Alpha::Fixed(alpha),
            (Inputs::Both, AlphaSetting::Learned(_)) => Alpha::Learned { learned: 0.0 },
            _ => default.alpha,
        };
        Options { prompts: self.prompts, inputs: self.inputs, fine: self.fine, alpha, crops, ..default }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_models_of_the_paper_are_our_defaults() {
        let paper = Paper::open().expect("the file is right");
        for (id, task) in [("table2", Task::Perception), ("table3", Task::Perception), ("table4", Task::Alignment)] {
            let experiment = paper.experiments.iter().find(|experiment| experiment.id == id).expect("it is there");
            let best = experiment.rows.last().expect("rows");
            assert_eq!(best.label, "TSP-MGS");
            let Some(Computation::Train(setting)) = &best.results[0].ours else { panic!("{id}: {best:?}") };
            assert_eq!(setting.options(task, 15), Options::default_for(task), "{id}");
        }
    }
}
