//! One training: what is asked of `trainer train`, and whether its report answers that.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tsp_mgs_core::options::{Inputs, Options};
use tsp_mgs_core::prompts::Task;

use super::args::{ReproduceArgs, precision_name};
use super::paper::{Setting, Weight};
use super::sets::{Set, flags};
use crate::cli::task_name;
use crate::dataset::{DataArgs, Layout};
use crate::train::{EpochRecord, RunConfig};

/// One data set, split, task and setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Name of its folder: the same for the same job.
    pub name: String,
    /// The images.
    pub layout: Layout,
    /// Whose opinion scores are predicted.
    pub task: Task,
    /// What is varied.
    pub setting: Setting,
    /// Which split.
    pub split: usize,
}

/// What a finished job wrote; the part that is needed of `report.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// Its settings.
    pub config: RunConfig,
    /// Where it was computed.
    pub device: String,
    /// The epoch that the paper's protocol chooses.
    pub paper: Option<EpochRecord>,
    /// The epoch that the honest one chooses.
    pub honest: Option<EpochRecord>,
    /// Rows that were left out.
    pub skipped: Vec<Value>,
    /// Images that were left out.
    pub undecodable: Vec<String>,
}

/// What every job shares.
pub struct Shared<'a> {
    /// The flags.
    pub args: &'a ReproduceArgs,
    /// SHA-256 of the CLIP file.
    pub clip_sha256: String,
    /// Threads of each job that prepare images.
    pub workers: usize,
}

impl Job {
    /// With a name that follows from the rest.
    pub fn new(layout: Layout, task: Task, setting: Setting, split: usize) -> Self {
        let mut name =
            format!("{}_{}_{}_{}", layout.name(), task_name(task), word(&setting.prompts), word(&setting.inputs));
        if setting.inputs == Inputs::Both {
            match setting.alpha {
                Weight::Fixed(alpha) => name.push_str(&format!("_alpha-{alpha}")),
                Weight::Learned(_) => name.push_str("_alpha-learned"),
            }
        }
        if !setting.fine {
            name.push_str("_no-fine");
        }
        name.push_str(&format!("_split-{split}"));
        Self { name: name.to_lowercase(), layout, task, setting, split }
    }

    /// The folder of its run.
    pub fn folder(&self, out: &Path) -> PathBuf {
        out.join("jobs").join(&self.name)
    }

    /// What it writes to; locked while it runs.
    pub fn log(&self, out: &Path) -> PathBuf {
        out.join("logs").join(format!("{}.txt", self.name))
    }

    /// The arguments of `trainer`, but for the device.
    pub fn arguments(&self, shared: &Shared, set: &Set, data: &DataArgs) -> Vec<String> {
        let (args, training) = (shared.args, &shared.args.training);
        let mut all: Vec<String> = vec!["train".into()];
        let mut flag = |name: &str, value: String| all.extend([format!("--{name}"), value]);
        flag("out", self.folder(&args.out).display().to_string());
        flag("task", task_name(self.setting.prompts.task()).into());
        flag("prompts", word(&self.setting.prompts));
        flag("inputs", word(&self.setting.inputs));
        flag("clip", args.clip.display().to_string());
        if let Some(activation) = &args.activation {
            flag("activation", word(activation));
        }
        if let (Inputs::Both, Weight::Fixed(alpha)) = (self.setting.inputs, self.setting.alpha) {
            flag("alpha", alpha.to_string());
        }
        if let Some(lists) = &set.lists {
            flag("splits", lists.display().to_string());
        }
        flag("split", self.split.to_string());
        flag("seed", args.seed.to_string());
        flag("workers", shared.workers.to_string());
        flag("cache", args.cache.clone().unwrap_or_else(|| args.out.join("image-cache")).display().to_string());
        flag("epochs", training.epochs.to_string());
        flag("batch", training.batch.to_string());
        flag("train-crops", training.train_crops.to_string());
        flag("crops", training.crops.to_string());
        flag("lr", training.lr.to_string());
        flag("precision", precision_name(training.precision));
        flag("validation", training.validation.to_string());
        if let Some(images) = training.micro_batch {
            flag("micro-batch", images.to_string());
        }
        if training.checkpointing {
            all.push("--checkpointing".into());
        }
        if let (Inputs::Both, Weight::Learned(_)) = (self.setting.inputs, self.setting.alpha) {
            all.push("--learn-alpha".into());
        }
        if !self.setting.fine {
            all.push("--no-fine".into());
        }
        all.extend(flags(data));
        all
    }

    /// Its report; `None` while there is none.
    ///
    /// # Errors
    /// When it cannot be read, or answers another question: then its folder is of a run with other settings.
    pub fn report(&self, shared: &Shared, set: &Set, data_sha256: &str) -> Result<Option<Report>> {
        let folder = self.folder(&shared.args.out);
        let path = folder.join("report.json");
        if !path.is_file() {
            return Ok(None);
        }
        let json = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let report: Report = serde_json::from_slice(&json).with_context(|| format!("reading {}", path.display()))?;
        let differences = self.differences(&report.config, shared, set, data_sha256);
        if !differences.is_empty() {
            bail!(
                "{} was trained with other settings: {}; pass the same ones, or another --out",
                folder.display(),
                differences.join(", ")
            );
        }
        Ok(Some(report))
    }

    fn differences(&self, was: &RunConfig, shared: &Shared, set: &Set, data_sha256: &str) -> Vec<String> {
        let (args, training) = (shared.args, &shared.args.training);
        let options: Vec<Options> = vec![self.setting.options(training.crops)];
        let optimiser = &was.optimiser;
        let lists = |lists: &Option<PathBuf>| lists.as_ref().map_or("drawn".into(), |dir| dir.display().to_string());
        let pairs = [
            ("version", was.version.clone(), env!("CARGO_PKG_VERSION").into()),
            ("options", json(&was.tasks), json(&options)),
            ("weights", was.start.sha256.clone(), shared.clip_sha256.clone()),
            ("data", was.data_sha256.clone(), data_sha256.to_owned()),
            ("splits", lists(&was.split.lists), lists(&set.lists)),
            ("validation", was.split.validation.to_string(), training.validation.to_string()),
            ("seed", was.seed.to_string(), args.seed.to_string()),
            ("epochs", was.epochs.to_string(), training.epochs.to_string()),
            ("batch", was.batch.to_string(), training.batch.to_string()),
            ("train-crops", was.train_crops.to_string(), training.train_crops.to_string()),
            ("lr", optimiser.schedule.peak.to_string(), training.lr.to_string()),
            ("precision", precision_name(optimiser.precision), precision_name(training.precision)),
            (
                "micro-batch",
                optimiser.micro_batch.to_string(),
                training.micro_batch.unwrap_or(training.batch).to_string(),
            ),
        ];
        let differing = pairs.into_iter().filter(|(_, was, is)| was != is);
        differing.map(|(name, was, is)| format!("{name} was {was} and is {is}")).collect()
    }
}

fn json(options: &[Options]) -> String {
    serde_json::to_string(options).expect("options are plain data")
}

/// The one word that a value is in JSON and on the command line.
fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("a name is plain data");
    value.as_str().unwrap_or_default().to_owned()
}
