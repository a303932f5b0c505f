//! The settings of a run, with all defaults filled in. The weights of the run follow from them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::Options;
use tsp_mgs_data::settings::differences;

use crate::schedule::Schedule;

/// The settings of a run, saved as `config.json` in its folder.
///
/// A run is resumed only with equal settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Version of this program.
    pub version: String,
    /// Options of the tasks that are trained together, as they are scored.
    pub tasks: Vec<Options>,
    /// The weights that training starts from.
    pub start: InitialWeights,
    /// Name of the data set.
    pub data_set: String,
    /// Whether the images and opinion scores are synthetic.
    pub is_synthetic: bool,
    /// SHA-256 of the table: names, prompts and scores.
    pub data_sha256: String,
    /// SHA-256 of the names and contents of the images.
    pub images_sha256: String,
    /// The split of the data set.
    pub split: SplitConfig,
    /// Seed of all random choices.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// Crops of an image in a step.
    pub train_crops: usize,
    /// Whether each image is mirrored with probability 1/2.
    pub mirror: bool,
    /// Settings of the optimiser.
    pub optimiser: Optimiser,
}

/// Weights that training starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialWeights {
    /// Name of the file, the bundle or the initialisation.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Activation of the towers. The tensors of a checkpoint do not contain it.
    #[serde(default, skip_serializing_if = "Activation::is_quick_gelu")]
    pub activation: Activation,
}

/// How a data set is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// Folder of the split lists as given; `None` if the split is drawn from the seed.
    pub lists: Option<PathBuf>,
    /// Number of the split.
    pub number: usize,
    /// SHA-256 of the image names of both parts.
    pub sha256: String,
    /// Share of the training prompts that is held out to choose an epoch, in [0, 1).
    pub validation: f64,
}

/// Settings of the optimiser and the computation of gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimiser {
    /// Learning rate of each step.
    pub schedule: Schedule,
    /// Decoupled weight decay of every tensor.
    pub weight_decay: f64,
    /// Peak learning rate of α. It follows the same schedule.
    pub alpha_rate: f64,
    /// Images whose gradients are computed at once.
    pub micro_batch: usize,
    /// Number types of the computation.
    pub precision: TrainingPrecision,
    /// Whether activations are recomputed in the backward pass.
    pub checkpointing: bool,
    /// The tower that is not trained.
    pub freeze: Freeze,
}

/// Number types of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainingPrecision {
    /// 32-bit floats
    F32,
    /// Matrix products in bfloat16, weights kept in 32-bit floats
    Bf16,
    /// Weights rounded to 16-bit floats after each step, as in IPCE (ablation)
    ClipFp16Step,
}

/// A tower that is not trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Train both towers
    None,
    /// Keep the text tower fixed
    Text,
    /// Keep the image tower fixed
    Image,
}

impl RunConfig {
    /// Compares these settings with those in the file at `path`.
    ///
    /// # Errors
    /// Fails if the file cannot be read or a setting differs. The error names each setting that differs, with both
    /// values.
    pub fn check_same(&self, path: &Path) -> Result<()> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let was: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
        let is = serde_json::to_value(self).expect("a configuration is plain data");
        let differences = differences(&was, &is);
        if !differences.is_empty() {
            let folder = path.parent().unwrap_or(path).display();
            bail!(
                "{folder} holds a run with other settings: {}; pass the same settings to resume it, or another --out",
                differences.join(", ")
            );
        }
        Ok(())
    }
}
