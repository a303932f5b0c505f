//! The paper's numbers, and which of them are ours to compute: `assets/paper.json`.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tsp_mgs_core::options::{Inputs, Options};
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_data::dataset::Layout;

const PAPER: &str = include_str!("../../assets/paper.json");

/// What the paper published (Xia et al.).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Authors and title.
    pub source: String,
    /// Its tables and figures, in their order.
    pub experiments: Vec<Experiment>,
}

/// A table or a figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name on the command line and of files: "table3".
    pub id: String,
    /// For people.
    pub title: String,
    /// The images that it is about.
    pub data_set: Layout,
    /// What the paper says of a figure whose numbers it does not print.
    #[serde(default)]
    pub claim: Option<String>,
    /// What a reader must know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Methods, or settings of one.
    pub rows: Vec<PaperRow>,
}

/// One method, or one setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperRow {
    /// Its name in the paper.
    pub label: String,
    /// Where it was published, if elsewhere.
    #[serde(default)]
    pub venue: Option<String>,
    /// One for each task.
    pub results: Vec<Published>,
}

/// What the paper says of one task.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Whose opinion scores are predicted.
    pub task: Task,
    /// In [−1, 1]; `None` where no number is printed.
    pub srcc: Option<f64>,
    /// In [−1, 1]; `None` where no number is printed.
    pub plcc: Option<f64>,
    /// Why there is none.
    #[serde(default)]
    pub note: Option<String>,
    /// How we compute it; `None` for what stays as published.
    #[serde(default)]
    pub ours: Option<Ours>,
}

/// How we compute a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ours {
    /// By training.
    Train(Setting),
    /// By training, where baselines are asked for.
    Baseline(Setting),
    /// By a method of `trainer evaluate`, with the CLIP file as it is.
    ZeroShot(String),
    /// By a method of `trainer evaluate` with published weights of its own: not here.
    OwnWeights(String),
}

/// What an experiment varies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Task-specific prompts.
    pub prompts: PromptSet,
    /// What the image encoder sees.
    pub inputs: Inputs,
    /// Weight of the whole image; unused with one input.
    pub alpha: Weight,
    /// Whether the words of the initial prompt count.
    pub fine: bool,
}

/// The α of Eq. 7.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Weight {
    /// In [0, 1].
    Fixed(f64),
    /// Trained.
    Learned(Learned),
}

/// The word for a trained α.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// Trained.
    Learned,
}

impl Paper {
    /// Reads what is built in.
    ///
    /// # Errors
    /// When the file that was built in has a mistake.
    pub fn open() -> Result<Self> {
        serde_json::from_str(PAPER).context("reading the built-in paper.json")
    }
}

impl Setting {
    /// The options of `trainer train`, with α as it starts; `crops` windows are scored.
    pub fn options(&self, crops: usize) -> Options {
        use tsp_mgs_core::options::Alpha;
        let default = Options::default_for(self.prompts.task());
        let alpha = match (self.inputs, self.alpha) {
            (Inputs::Both, Weight::Fixed(alpha)) => Alpha::Fixed(alpha),
            (Inputs::Both, Weight::Learned(_)) => Alpha::Learned { learned: 0.0 },
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
            let Some(Ours::Train(setting)) = &best.results[0].ours else { panic!("{id}: {best:?}") };
            assert_eq!(setting.options(15), Options::default_for(task), "{id}");
        }
    }
}
