//! What SPEC leaves to choose: every option of §2 to §5, with the paper's best model as default.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::preprocess::ViewPlan;
use crate::prompts::{PromptSet, Task};

/// Windows of an image that are scored (IPCE; SPEC §1, D4).
pub const DEFAULT_CROPS: usize = 15;

/// How one task's quality is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The task-specific prompts, which decide the task too.
    pub prompts: PromptSet,
    /// Weight of the whole image against its patches, Eq. 7.
    pub alpha: Alpha,
    /// What is looked at (paper, Table 5).
    pub inputs: Inputs,
    /// Whether the words of the initial prompt count, Eq. 6 (paper, Fig. 5).
    pub fine: bool,
    /// What multiplies similarities before the softmax of Eq. 3.
    pub temperature: Temperature,
    /// What is compared with the image as a word.
    pub words: Words,
    /// How patch features are averaged.
    pub patch_mean: PatchMean,
    /// Number of patches `N`.
    pub crops: usize,
}

/// The weight α of Eq. 7: 1 for the whole image alone, 0 for its patches alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Alpha {
    /// A number in [0, 1].
    Fixed(f64),
    /// `sigmoid(learned)`.
    Learned {
        /// The trained parameter, any number.
        learned: f64,
    },
}

/// Which views of an image count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// The resized image.
    Image,
    /// The patches.
    Patches,
    /// Both, weighted by α.
    Both,
}

/// The factor of the softmax in Eq. 3 (SPEC D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temperature {
    /// `logit_scale.exp()`, as CLIP and IPCE.
    Clip,
    /// 1: Eq. 3 as printed.
    None,
}

/// The words of Eq. 4 (SPEC D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Byte-pair tokens.
    Tokens,
    /// The mean over the tokens of each word.
    Merged,
}

/// How `F̄_P` is averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchMean {
    /// Over the features as they are.
    Raw,
    /// Over the features at unit length.
    Normalised,
}

impl Options {
    /// The paper's best model of a task (Tables 2 to 5, Fig. 7).
    pub fn default_for(task: Task) -> Self {
        let alpha = match task {
            Task::Perception => 0.0,
            Task::Alignment => 1.0,
        };
        Self {
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

    /// The task that these options score.
    pub fn task(&self) -> Task {
        self.prompts.task()
    }

    /// Whether the resized image is looked at at all.
    pub fn needs_image(&self) -> bool {
        match self.inputs {
            Inputs::Image => true,
            Inputs::Patches => false,
            Inputs::Both => self.fine || self.alpha.value() > 0.0,
        }
    }

    /// Whether patches are looked at at all.
    pub fn needs_patches(&self) -> bool {
        match self.inputs {
            Inputs::Image => false,
            Inputs::Patches => true,
            Inputs::Both => self.fine || self.alpha.value() < 1.0,
        }
    }

    /// The views that several tasks need together.
    ///
    /// # Errors
    /// [`Error::Options`] when there is no task or their crops differ, [`Error::Crops`] when there
    /// are more than every image has, [`Error::Options`] for an α outside [0, 1].
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
        let needs_patches = tasks.iter().any(Self::needs_patches);
        Ok(ViewPlan {
            side,
            has_image: tasks.iter().any(Self::needs_image),
            crops: if needs_patches { first.crops } else { 0 },
        })
    }
}

impl Alpha {
    /// The weight itself, in [0, 1].
    pub fn value(self) -> f64 {
        match self {
            Self::Fixed(alpha) => alpha,
            Self::Learned { learned } => 1.0 / (1.0 + (-learned).exp()),
        }
    }
}
