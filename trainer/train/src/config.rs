//! What a run is: everything that decides its weights, resolved, and saved beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::Options;
use tsp_mgs_data::settings::differences;

use crate::schedule::Schedule;

/// Saved as `config.json`; a run goes on only with the very same one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Version of this program.
    pub version: String,
    /// The tasks that are trained together, with the options that they are scored with.
    pub tasks: Vec<Options>,
    /// The weights that training starts from.
    pub start: Start,
    /// Name of the data set.
    pub data_set: String,
    /// Whether its images and scores are generated.
    pub is_synthetic: bool,
    /// SHA-256 of its table: names, prompts, scores.
    pub data_sha256: String,
    /// SHA-256 over its images' names and contents.
    pub images_sha256: String,
    /// How it was split.
    pub split: SplitConfig,
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Times that every training image is seen.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Windows of an image in a step.
    pub train_crops: usize,
    /// Whether images are mirrored with probability ½.
    pub mirror: bool,
    /// The step itself.
    pub optimiser: Optimiser,
}

/// Weights that training starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Name of the file, the bundle or the initialisation.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Their activation, which no tensor tells.
    #[serde(default, skip_serializing_if = "Activation::is_quick_gelu")]
    pub activation: Activation,
}

/// How a data set is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// Folder of lists, as it was given; without it the split is drawn from the seed.
    pub lists: Option<PathBuf>,
    /// Which of the splits.
    pub number: usize,
    /// SHA-256 of both parts' names.
    pub sha256: String,
    /// Share of the training part that is held out to choose an epoch; 0 for none.
    pub validation: f64,
}

/// How weights move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimiser {
    /// Rates over time.
    pub schedule: Schedule,
    /// Decoupled weight decay of every tensor.
    pub weight_decay: f64,
    /// Rate of a learned α, as a multiple of the schedule's peak.
    pub alpha_rate: f64,
    /// Images whose gradients are computed at once.
    pub micro_batch: usize,
    /// Element types.
    pub precision: TrainingPrecision,
    /// Whether activations are computed again in the backward pass.
    pub checkpointing: bool,
    /// The tower that stays as it is.
    pub freeze: Freeze,
}

/// Element types in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainingPrecision {
    /// 32-bit floats
    F32,
    /// Matrix products in bfloat16, weights kept in 32-bit floats
    Bf16,
    /// Weights rounded to 16-bit floats after every step, as IPCE does: an ablation
    ClipFp16Step,
}

/// A tower that is not trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Train both towers
    None,
    /// Keep the text tower
    Text,
    /// Keep the image tower
    Image,
}

impl RunConfig {
    /// Compares with what the run's folder was started with.
    ///
    /// # Errors
    /// Names every setting that differs, as it was and as it is.
    pub fn check_same(&self, path: &Path) -> Result<()> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let was: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
        let is = serde_json::to_value(self).expect("a configuration is plain data");
        let differences = differences(&was, &is);
        if !differences.is_empty() {
            let folder = path.parent().unwrap_or(path).display();
            bail!(
                "{folder} holds a run with other settings: {}; pass the same ones to go on with it, or another --out",
                differences.join(", ")
            );
        }
        Ok(())
    }
}
