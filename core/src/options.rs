//! The options of a score (SPEC §2 to §5). The defaults are those of the paper's best model.
//!
//! In options, results and flags, `patches` are the crops of an image, as in the paper.

use serde::{Deserialize, Serialize};

pub(crate) mod stored;

use stored::StoredOptions;

use crate::error::{Error, Result};
use crate::preprocess::ViewPlan;
use crate::prompts::{PromptSet, Task};

/// The default number of crops in scoring (IPCE; SPEC §1, D4).
pub const DEFAULT_CROPS: usize = 15;

/// How the quality of a task is computed.
///
/// In JSON, `task` is absent if it is the task that the prompts describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredOptions", into = "StoredOptions")]
pub struct Options {
    /// The quality that is scored.
    pub task: Task,
    /// The task-specific prompts. They may describe another task (paper, Table 5).
    pub prompts: PromptSet,
    /// The weight of the resized image (Eq. 7).
    pub alpha: Alpha,
    /// The views that are scored (paper, Table 5).
    pub inputs: Inputs,
    /// Whether fine quality, from the words of the initial prompt, is added (Eq. 6; paper, Fig. 5).
    pub fine: bool,
    /// The factor of similarities before the softmax of Eq. 3.
    pub temperature: Temperature,
    /// What counts as a word in Eq. 4.
    pub words: Words,
    /// How the features of crops are averaged.
    pub patch_mean: PatchMean,
    /// The number of crops, `N`.
    pub crops: usize,
}

/// The weight α of Eq. 7: 1 for the resized image only, 0 for the crops only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Alpha {
    /// A constant in [0, 1].
    Fixed(f64),
    /// `sigmoid(learned)`.
    Learned {
        /// The trained parameter; any finite number.
        learned: f64,
    },
}

/// The views of an image that are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// The resized image.
    Image,
    /// The crops.
    Patches,
    /// The resized image and the crops, weighted by α.
    Both,
}

/// The factor of the softmax in Eq. 3 (SPEC D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temperature {
    /// `logit_scale.exp()`, as in CLIP and IPCE.
    Clip,
    /// 1, as in Eq. 3.
    None,
}

/// The words of Eq. 4 (SPEC D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Each byte-pair token is a word.
    Tokens,
    /// The feature of a word is the mean over its tokens.
    Merged,
}

/// How the mean feature of crops, `F̄_P`, is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchMean {
    /// The mean of the features.
    Raw,
    /// The mean of the features at unit length.
    Normalised,
}

impl Options {
    /// The options of the paper's best model for a task (Tables 2 to 5, Fig. 7).
    pub fn default_for(task: Task) -> Self {
        let alpha = match task {
            Task::Perception => 0.0,
            Task::Alignment => 1.0,
        };
        Self {
            task,
            prompts: PromptSet::default_for(task),
            alpha: Alpha::Fixed(alpha),
            inputs: Inputs::Both,
            fine: true,
            temperature: Temperature::Clip,
            words: Words::Tokens,
            patch_mean: PatchMean::Raw,
            crops: DEFAULT_CROPS,
        }
    }

    /// Whether an image without a prompt has no score: alignment compares with the prompt, and some level texts contain it.
    pub fn needs_prompt(&self) -> bool {
        self.task == Task::Alignment || self.prompts.contain_prompt()
    }

    /// Whether the resized image affects the score.
    pub fn needs_image(&self) -> bool {
        match self.inputs {
            Inputs::Image => true,
            Inputs::Patches => false,
            Inputs::Both => self.fine || self.alpha.value() > 0.0,
        }
    }

    /// Whether crops affect the score.
    pub fn needs_crops(&self) -> bool {
        match self.inputs {
            Inputs::Image => false,
            Inputs::Patches => true,
            Inputs::Both => self.fine || self.alpha.value() < 1.0,
        }
    }

    /// The views that some tasks need together. `side` is the model's `image_size`.
    ///
    /// # Errors
    /// - [`Error::Options`] if there is no task, tasks have different numbers of crops, or an α is outside [0, 1]
    /// - [`Error::Crops`] if there are no crops, or more than the smallest image has positions
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::options::{Inputs, Options};
    /// use tsp_mgs_core::prompts::Task;
    ///
    /// let options = Options { inputs: Inputs::Image, ..Options::default_for(Task::Alignment) };
    /// let plan = Options::view_plan(&[options], 224)?;
    /// assert_eq!((plan.has_image, plan.crops), (true, 0));
    /// # Ok::<(), tsp_mgs_core::Error>(())
    /// ```
    pub fn view_plan(tasks: &[Self], side: u32) -> Result<ViewPlan> {
        let first = tasks.first().ok_or_else(|| Error::Options("no task to score".into()))?;
        for options in tasks {
            let alpha = options.alpha.value();
            if !(0.0..=1.0).contains(&alpha) {
                return Err(Error::Options(format!("alpha is {alpha}, expected a number in [0, 1]")));
            }
            if options.crops != first.crops {
                let (a, b) = (first.crops, options.crops);
                return Err(Error::Options(format!("tasks scored together have {a} and {b} crops, expected the same")));
            }
            let max = ViewPlan::max_crops(side);
            if !(1..=max).contains(&options.crops) {
                return Err(Error::Crops { found: options.crops, max });
            }
        }
        let needs_crops = tasks.iter().any(Self::needs_crops);
        Ok(ViewPlan {
            side,
            has_image: tasks.iter().any(Self::needs_image),
            crops: if needs_crops { first.crops } else { 0 },
        })
    }
}

impl Alpha {
    /// The weight, in [0, 1].
    pub fn value(self) -> f64 {
        match self {
            Self::Fixed(alpha) => alpha,
            Self::Learned { learned } => 1.0 / (1.0 + (-learned).exp()),
        }
    }
}
