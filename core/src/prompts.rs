//! Task-specific prompts: texts that describe the levels of a quality, from worst to best (SPEC §2).

use serde::{Deserialize, Serialize};

/// The quality that is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// How good the image looks.
    Perception,
    /// How well the image matches its prompt.
    Alignment,
}

/// A set of task-specific prompts `T_ts` (paper, §3.2). A task can be scored with each of them (paper, Table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptSet {
    /// "A photo of {bad … perfect} quality."; describes perception.
    Adj,
    /// "{Bad, Good} photo."; describes perception.
    Ant,
    /// "A photo that {badly … perfectly} matches {pt}."; describes alignment.
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

/// The sentence features of a prompt set, for a model without text tower.
#[derive(Clone, Debug)]
pub struct PromptFeatures {
    /// The prompts. Their texts do not contain the prompt of an image.
    pub prompts: PromptSet,
    /// Row-major `[levels, embed_dim]`, not of unit length.
    pub values: Vec<f32>,
}

impl PromptSet {
    /// The prompts of the paper's best model for a task.
    pub fn default_for(task: Task) -> Self {
        match task {
            Task::Perception => Self::Adj,
            Task::Alignment => Self::Adv,
        }
    }

    /// The task that the texts describe.
    pub fn described_task(self) -> Task {
        match self {
            Self::Adj | Self::Ant => Task::Perception,
            Self::Adv => Task::Alignment,
        }
    }

    /// Whether the texts contain the prompt of the image.
    pub fn contain_prompt(self) -> bool {
        match self {
            Self::Adj | Self::Ant => false,
            Self::Adv => true,
        }
    }

    /// The word for each level, worst first.
    pub fn levels(self) -> &'static [&'static str] {
        match self {
            Self::Adj => &["bad", "poor", "fair", "good", "perfect"],
            Self::Ant => &["bad", "good"],
            Self::Adv => &["badly", "poorly", "fairly", "well", "perfectly"],
        }
    }

    /// The text of each level, worst first. `initial_prompt` is the prompt of the image.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::prompts::PromptSet;
    ///
    /// assert_eq!(PromptSet::Adv.texts("a cat")[4], "A photo that perfectly matches a cat.");
    /// assert_eq!(PromptSet::Adj.texts("a cat")[0], "A photo of bad quality.");
    /// ```
    pub fn texts(self, initial_prompt: &str) -> Vec<String> {
        let text = |level: &&str| match self {
            Self::Adj => format!("A photo of {level} quality."),
            Self::Ant => format!("{level} photo."), // the tokenizer converts to lower case
            Self::Adv => format!("A photo that {level} matches {initial_prompt}."),
        };
        self.levels().iter().map(text).collect()
    }
}
