//! What decides the scores of a run: a run that goes on must have the same.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::PREPROCESS_ID;
use tsp_mgs_data::settings::differences;

use crate::args::ScoreArgs;
use crate::model::Model;
use crate::scorer_args::TowerPrecision;
use crate::shard::Shard;

/// Saved beside the parts and in a Parquet file's metadata. Threads and device are no part of it: the same run may go
/// on elsewhere, and the device stands in each row.
#[derive(Serialize)]
pub struct Settings {
    model: String,
    model_sha256: String,
    // Not in the hash: no tensor tells it.
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
    /// As the flags and the model say.
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

    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("settings are plain data")
    }

    /// Compares with those of an earlier run.
    ///
    /// # Errors
    /// Names the settings that differ.
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
