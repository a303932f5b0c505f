//! A training or evaluation job: the arguments of its `trainer` process, and the files of its result.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use tsp_mgs_core::options::Inputs;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::dataset::Layout;

use crate::args::{ReproduceArgs, precision_name};
use crate::data_sets::DataSet;
use crate::paper::{AlphaSetting, Setting};

/// A job: a method for a task, on a split of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Name of its folder. Equal jobs have equal names.
    pub name: String,
    /// The data set.
    pub layout: Layout,
    /// The task whose opinion scores are predicted.
    pub task: Task,
    /// Whether it trains or evaluates, and how.
    pub kind: JobKind,
    /// Number of the split.
    pub split: usize,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq)]
pub enum JobKind {
    /// Trains a model and tests it.
    Train(Setting),
    /// Tests the CLIP weights as they are, by this method of `trainer evaluate`.
    ZeroShot(String),
}

/// The settings that all jobs share.
pub struct SharedSettings<'a> {
    /// The flags.
    pub args: &'a ReproduceArgs,
    /// The CLIP file, or the model's name with its commit.
    pub clip: String,
    /// SHA-256 of the CLIP file.
    pub clip_sha256: String,
    /// Number of threads of a job that prepare images.
    pub workers: usize,
}

impl Job {
    /// A job, with a name that follows from the other fields.
    pub fn new(layout: Layout, task: Task, kind: JobKind, split: usize) -> Self {
        let what = match &kind {
            JobKind::ZeroShot(method) => method.clone(),
            JobKind::Train(setting) => {
                let alpha = match (setting.inputs, setting.alpha) {
                    (Inputs::Both, AlphaSetting::Fixed(alpha)) => format!("_alpha-{alpha}"),
                    (Inputs::Both, AlphaSetting::Learned(_)) => "_alpha-learned".into(),
                    _ => String::new(),
                };
                let fine = if setting.fine { "" } else { "_no-fine" };
                format!("{}_{}{alpha}{fine}", json_name(&setting.prompts), json_name(&setting.inputs))
            }
        };
        let name = format!("{}_{}_{what}_split-{split}", layout.name(), task.name()).to_lowercase();
        Self { name, layout, task, kind, split }
    }

    /// The folder of its run.
    pub fn folder(&self, out: &Path) -> PathBuf {
        out.join("jobs").join(&self.name)
    }

    /// The file that it writes last.
    pub fn result(&self, out: &Path) -> PathBuf {
        let name = match self.kind {
            JobKind::Train(_) => "report.json",
            JobKind::ZeroShot(_) => "evaluation.json",
        };
        self.folder(out).join(name)
    }

    /// The file of its output, which is locked while the job runs.
    pub fn log(&self, out: &Path) -> PathBuf {
        out.join("logs").join(format!("{}.txt", self.name))
    }

    /// The arguments of its `trainer` process, without the device.
    pub fn arguments(&self, shared: &SharedSettings, set: &DataSet) -> Vec<String> {
        let args = shared.args;
        let mut all: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: String| all.extend([format!("--{name}"), value]);
        flag("out", self.folder(&args.out).display().to_string());
        flag("task", self.task.name().into());
        flag("clip", shared.clip.clone());
        if let Some(activation) = &args.activation {
            flag("activation", json_name(activation));
        }
        flag("workers", shared.workers.to_string());
        flag("cache", args.cache.clone().unwrap_or_else(|| args.out.join("image-cache")).display().to_string());
        flag("split", self.split.to_string());
        match (&set.lists, &self.kind) {
            (Some(lists), _) => flag("splits", lists.display().to_string()),
            (None, JobKind::ZeroShot(_)) => flag("seed", args.seed.to_string()),
            (None, JobKind::Train(_)) => {}
        }
        all.extend(set.flags());
        let (subcommand, own) = match &self.kind {
            JobKind::Train(setting) => ("train", train_flags(setting, args)),
            JobKind::ZeroShot(method) => ("evaluate", vec!["--method".into(), method.clone()]),
        };
        all.insert(0, subcommand.into());
        all.extend(own);
        all
    }

    /// Removes the checkpoints of a finished training, which are several times as large as its weights.
    ///
    /// # Errors
    /// Fails if they cannot be removed.
    pub fn remove_checkpoints(&self, out: &Path) -> Result<()> {
        self.remove(out, "checkpoints")
    }

    /// Removes the weights of a finished training.
    ///
    /// # Errors
    /// Fails if they cannot be removed.
    pub fn remove_models(&self, out: &Path) -> Result<()> {
        self.remove(out, "paper")?;
        self.remove(out, "honest")
    }

    fn remove(&self, out: &Path, name: &str) -> Result<()> {
        let folder = self.folder(out).join(name);
        if !folder.is_dir() {
            return Ok(());
        }
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))
    }
}

/// The flags that only `trainer train` has.
fn train_flags(setting: &Setting, args: &ReproduceArgs) -> Vec<String> {
    let training = &args.training;
    let mut all: Vec<String> = Vec::new();
    let mut flag = |name: &str, value: String| all.extend([format!("--{name}"), value]);
    flag("prompts", json_name(&setting.prompts));
    flag("inputs", json_name(&setting.inputs));
    if let (Inputs::Both, AlphaSetting::Fixed(alpha)) = (setting.inputs, setting.alpha) {
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
    if let (Inputs::Both, AlphaSetting::Learned(_)) = (setting.inputs, setting.alpha) {
        all.push("--learn-alpha".into());
    }
    if !setting.fine {
        all.push("--no-fine".into());
    }
    all
}

/// The name of a value in JSON, which is also its name on the command line.
fn json_name<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("a name is plain data");
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use tsp_mgs_core::prompts::PromptSet;

    use super::*;

    #[test]
    fn jobs_with_the_same_prompts_for_other_tasks_have_other_names() {
        let name = |task| {
            let setting =
                Setting { prompts: PromptSet::Adv, inputs: Inputs::Image, alpha: AlphaSetting::Fixed(1.0), fine: true };
            Job::new(Layout::Agiqa3k, task, JobKind::Train(setting), 1).name
        };
        assert_eq!(name(Task::Perception), "agiqa-3k_perception_adv_image_split-1");
        assert_eq!(name(Task::Alignment), "agiqa-3k_alignment_adv_image_split-1");
    }
}
