//! The settings that decide the scores of a run. A resumed run must have the same settings.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::PREPROCESS_ID;
use tsp_mgs_data::settings::differences;

use crate::args::ScoreArgs;
use crate::input::shard::Shard;
use crate::model::Model;
use crate::scorer_args::TowerPrecision;

/// The settings of a run, which are saved beside the parts and in the metadata of a Parquet file.
///
/// The number of threads and the device are not part of the settings, because a run may be resumed on another machine.
/// The device is a column of each row.
#[derive(Serialize)]
pub struct Settings {
    model: String,
    model_sha256: String,
    // The hash of the weights does not determine the activation.
    #[serde(skip_serializing_if = "Activation::is_quick_gelu")]
    activation: Activation,
    tasks: Vec<Options>,
    preprocess: &'static str,
    prompt: Option<String>,
    batch: NonZeroUsize,
    precision: TowerPrecision,
    shard: Option<Shard>,
}

impl Settings {
    /// Collects the settings from the flags and the model.
    pub fn new(args: &ScoreArgs, model: &Model, tasks: &[Options]) -> Self {
        Self {
            model: model.name.clone(),
            model_sha256: model.sha256.clone(),
            activation: model.checkpoint.config().activation,
            tasks: tasks.to_vec(),
            preprocess: PREPROCESS_ID,
            prompt: args.prompt.clone(),
            batch: args.compute.batch,
            precision: args.compute.precision,
            shard: args.shard,
        }
    }

    /// Returns the settings as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("settings are plain data")
    }

    /// Compares the settings with those of an earlier run, which are JSON.
    ///
    /// # Errors
    /// Returns an error that names the settings that differ.
    pub fn check(&self, earlier: &[u8]) -> Result<()> {
        let now = serde_json::to_value(self).expect("settings are plain data");
        let earlier: Value = serde_json::from_slice(earlier).context("its settings cannot be read")?;
        let differing = differences(&earlier, &now);
        if !differing.is_empty() {
            bail!("{}", differing.join("; "));
        }
        Ok(())
    }
}
