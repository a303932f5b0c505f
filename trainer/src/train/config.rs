//! What a run is: everything that decides its weights, resolved, and saved beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::Options;

use super::schedule::Schedule;

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
    pub precision: Precision,
    /// Whether activations are computed again in the backward pass.
    pub checkpointing: bool,
    /// The tower that stays as it is.
    pub freeze: Freeze,
}

/// Element types in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
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
        let mut differences = Vec::new();
        compare("", &was, &is, &mut differences);
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

/// Lists where two JSON values differ, by the path to the place.
fn compare(place: &str, was: &Value, is: &Value, differences: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let part = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(&place, &part(a), &part(b), differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{i}]"), a, b, differences);
            }
        }
        _ if was == is => {}
        _ => differences.push(format!("{place} was {was} and is {is}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differing_settings_are_named_with_both_values() {
        let mut differences = Vec::new();
        let was = json!({"seed": 1, "optimiser": {"schedule": {"peak": 5e-6}}, "tasks": [{"crops": 15}], "old": true});
        let is = json!({"seed": 1, "optimiser": {"schedule": {"peak": 2e-6}}, "tasks": [{"crops": 5}]});
        compare("", &was, &is, &mut differences);
        assert_eq!(
            differences,
            [
                "old was true and is null",
                "optimiser.schedule.peak was 5e-6 and is 2e-6",
                "tasks[0].crops was 15 and is 5"
            ]
        );
    }
}
