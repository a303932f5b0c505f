//! One training or evaluation: what is asked of `trainer`, and where it leaves its result.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use tsp_mgs_core::options::Inputs;
use tsp_mgs_core::prompts::Task;

use super::args::{ReproduceArgs, precision_name};
use super::paper::{Setting, Weight};
use super::sets::{Set, flags};
use crate::cli::task_name;
use crate::dataset::{DataArgs, Layout};

/// One data set, split, task and method.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Name of its folder: the same for the same job.
    pub name: String,
    /// The images.
    pub layout: Layout,
    /// Whose opinion scores are predicted.
    pub task: Task,
    /// What is done.
    pub work: Work,
    /// Which split.
    pub split: usize,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Trains and tests.
    Train(Setting),
    /// Tests the CLIP file as it is, by a method of `trainer evaluate`.
    ZeroShot(String),
}

/// What every job shares.
pub struct Shared<'a> {
    /// The flags.
    pub args: &'a ReproduceArgs,
    /// The CLIP file, or the name with its commit.
    pub clip: String,
    /// SHA-256 of the CLIP file.
    pub clip_sha256: String,
    /// Threads of each job that prepare images.
    pub workers: usize,
}

impl Job {
    /// With a name that follows from the rest.
    pub fn new(layout: Layout, task: Task, work: Work, split: usize) -> Self {
        let what = match &work {
            Work::ZeroShot(method) => method.clone(),
            Work::Train(setting) => {
                let alpha = match (setting.inputs, setting.alpha) {
                    (Inputs::Both, Weight::Fixed(alpha)) => format!("_alpha-{alpha}"),
                    (Inputs::Both, Weight::Learned(_)) => "_alpha-learned".into(),
                    _ => String::new(),
                };
                let fine = if setting.fine { "" } else { "_no-fine" };
                format!("{}_{}{alpha}{fine}", word(&setting.prompts), word(&setting.inputs))
            }
        };
        let name = format!("{}_{}_{what}_split-{split}", layout.name(), task_name(task)).to_lowercase();
        Self { name, layout, task, work, split }
    }

    /// The task that the scores are made for: that of the prompts, which may be trained on the other one's opinions.
    pub fn scored_task(&self) -> Task {
        match &self.work {
            Work::Train(setting) => setting.prompts.task(),
            Work::ZeroShot(_) => self.task,
        }
    }

    /// The folder of its run.
    pub fn folder(&self, out: &Path) -> PathBuf {
        out.join("jobs").join(&self.name)
    }

    /// What it writes last.
    pub fn result(&self, out: &Path) -> PathBuf {
        let name = match self.work {
            Work::Train(_) => "report.json",
            Work::ZeroShot(_) => "evaluation.json",
        };
        self.folder(out).join(name)
    }

    /// What it prints to; locked while it runs.
    pub fn log(&self, out: &Path) -> PathBuf {
        out.join("logs").join(format!("{}.txt", self.name))
    }

    /// The arguments of `trainer`, but for the device.
    pub fn arguments(&self, shared: &Shared, set: &Set, data: &DataArgs) -> Vec<String> {
        let args = shared.args;
        let mut all: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: String| all.extend([format!("--{name}"), value]);
        flag("out", self.folder(&args.out).display().to_string());
        flag("task", task_name(self.scored_task()).into());
        flag("clip", shared.clip.clone());
        if let Some(activation) = &args.activation {
            flag("activation", word(activation));
        }
        flag("workers", shared.workers.to_string());
        flag("cache", args.cache.clone().unwrap_or_else(|| args.out.join("image-cache")).display().to_string());
        flag("split", self.split.to_string());
        match (&set.lists, &self.work) {
            (Some(lists), _) => flag("splits", lists.display().to_string()),
            (None, Work::ZeroShot(_)) => flag("seed", args.seed.to_string()),
            (None, Work::Train(_)) => {}
        }
        all.extend(flags(data));
        let (subcommand, own) = match &self.work {
            Work::Train(setting) => ("train", train_flags(setting, args)),
            Work::ZeroShot(method) => ("evaluate", vec!["--method".into(), method.clone()]),
        };
        all.insert(0, subcommand.into());
        all.extend(own);
        all
    }

    /// Removes the checkpoints of a finished training: several times the size of its weights.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn clear_checkpoints(&self, out: &Path) -> Result<()> {
        self.clear(out, "checkpoints")
    }

    /// Removes the weights of a finished training.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn clear_models(&self, out: &Path) -> Result<()> {
        self.clear(out, "paper")?;
        self.clear(out, "honest")
    }

    fn clear(&self, out: &Path, name: &str) -> Result<()> {
        let folder = self.folder(out).join(name);
        if !folder.is_dir() {
            return Ok(());
        }
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))
    }
}

/// The flags of `trainer train` alone.
fn train_flags(setting: &Setting, args: &ReproduceArgs) -> Vec<String> {
    let training = &args.training;
    let mut all: Vec<String> = Vec::new();
    let mut flag = |name: &str, value: String| all.extend([format!("--{name}"), value]);
    flag("prompts", word(&setting.prompts));
    flag("inputs", word(&setting.inputs));
    if let (Inputs::Both, Weight::Fixed(alpha)) = (setting.inputs, setting.alpha) {
        flag("alpha", alpha.to_string());
    }
    flag("seed", args.seed.to_string());
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
    if let (Inputs::Both, Weight::Learned(_)) = (setting.inputs, setting.alpha) {
        all.push("--learn-alpha".into());
    }
    if !setting.fine {
        all.push("--no-fine".into());
    }
    all
}

/// The one word that a value is in JSON and on the command line.
fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("a name is plain data");
    value.as_str().unwrap_or_default().to_owned()
}
