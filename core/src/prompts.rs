//! Task-specific prompts: texts that describe the levels of a quality, from worst to best (SPEC §2).

use serde::{Deserialize, Serialize};

/// What is asked of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// How good it looks.
    Perception,
    /// How well it shows what its prompt asked for.
    Alignment,
}

/// A set of task-specific prompts `T_ts` (paper, §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptSet {
    /// "A photo of {bad … perfect} quality."; for perception.
    Adj,
    /// "{Bad, Good} photo."; for perception.
    Ant,
    /// "A photo that {badly … perfectly} matches {pt}."; for alignment.
    Adv,
}

impl Task {
    /// Its name in flags, messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Perception => "perception",
            Self::Alignment => "alignment",
        }
    }
}

impl PromptSet {
    /// The set that the paper's best model of a task uses.
    pub fn default_for(task: Task) -> Self {
        match task {
            Task::Perception => Self::Adj,
            Task::Alignment => Self::Adv,
        }
    }

    /// The task that the set's texts describe.
    pub fn task(self) -> Task {
        match self {
            Self::Adj | Self::Ant => Task::Perception,
            Self::Adv => Task::Alignment,
        }
    }

    /// The words that tell the levels apart, worst first.
    pub fn levels(self) -> &'static [&'static str] {
        match self {
            Self::Adj => &["bad", "poor", "fair", "good", "perfect"],
            Self::Ant => &["bad", "good"],
            Self::Adv => &["badly", "poorly", "fairly", "well", "perfectly"],
        }
    }

    /// The level texts, worst first; `initial_prompt` is the image's own and stands only in [`PromptSet::Adv`].
    pub fn texts(self, initial_prompt: &str) -> Vec<String> {
        let text = |level: &&str| match self {
            Self::Adj => format!("A photo of {level} quality."),
            Self::Ant => format!("{level} photo."), // the tokenizer lowers case
            Self::Adv => format!("A photo that {level} matches {initial_prompt}."),
        };
        self.levels().iter().map(text).collect()
    }
}
