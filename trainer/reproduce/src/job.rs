//! A training or evaluation job: the arguments of its `trainer` process, and the files of its result.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tsp_mgs_core::options::Inputs;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::dataset::{DataArgs, Layout, OpinionColumns, agiqa_1k, agiqa_3k};

use crate::args::{ReproduceArgs, precision_name};
use crate::data_sets::{DataSet, data_flags};
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

    /// The task of the prompts, which the scores are computed for. The prompts of one task may be trained on the
    /// opinion scores of the other.
    pub fn scored_task(&self) -> Task {
        match &self.kind {
            JobKind::Train(setting) => setting.prompts.task(),
            JobKind::ZeroShot(_) => self.task,
        }
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
    pub fn arguments(&self, shared: &SharedSettings, set: &DataSet, data: &DataArgs) -> Vec<String> {
        let args = shared.args;
        let mut all: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: String| all.extend([format!("--{name}"), value]);
        flag("out", self.folder(&args.out).display().to_string());
        flag("task", self.scored_task().name().into());
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
        all.extend(data_flags(data));
        let (subcommand, own) = match &self.kind {
            JobKind::Train(setting) => ("train", train_flags(setting, args)),
            JobKind::ZeroShot(method) => ("evaluate", vec!["--method".into(), method.clone()]),
        };
        all.insert(0, subcommand.into());
        all.extend(own);
        all
    }

    /// How it reads its data set. If the prompts are those of the other task, columns assign the scores of the job's
    /// task to the task of the prompts.
    ///
    /// # Errors
    /// Fails if the columns of the table have no names.
    pub fn data_args(&self, set: &DataSet) -> Result<DataArgs> {
        let data =
            DataArgs { data: set.table.clone(), layout: None, images: None, columns: None, skip_bad: set.skip_bad };
        let prompts = self.scored_task();
        if prompts == self.task {
            return Ok(DataArgs { layout: Some(set.layout), ..data });
        }
        let is_raw = set.table.file_name().is_some_and(|name| name == "AIGC_all.csv");
        let [name, prompt, _, _, _, mos_quality, _, mos_align, _] = agiqa_3k::HEADER;
        let (image, prompt, scores) = match (set.layout, self.task) {
            (Layout::Agiqa3k, Task::Perception) => (name, prompt, mos_quality),
            (Layout::Agiqa3k, Task::Alignment) => (name, prompt, mos_align),
            (Layout::Agiqa1k, Task::Perception) if !is_raw => agiqa_1k::HEADER.into(),
            _ => bail!(
                "{} has no column of prompts, which {} needs; put AIGC_MOS_Zscore.xlsx beside it",
                set.table.display(),
                self.name
            ),
        };
        let scores = Some(scores.to_owned());
        let (perception, alignment) = match prompts {
            Task::Perception => (scores, None),
            Task::Alignment => (None, scores),
        };
        let columns = OpinionColumns {
            image: image.into(),
            prompt: Some(prompt.into()),
            perception,
            alignment,
            ..OpinionColumns::default()
        };
        Ok(DataArgs { columns: Some(columns), ..data })
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
    use tsp_mgs_data::dataset::Dataset;

    #[test]
    fn prompts_of_the_other_task_are_trained_on_the_scores_of_the_jobs_task() {
        let data = Dataset {
            name: "AGIQA-3K".into(),
            items: Vec::new(),
            is_synthetic: false,
            skipped: Vec::new(),
            sha256: String::new(),
        };
        let table = PathBuf::from("data.csv");
        let set = DataSet { layout: Layout::Agiqa3k, table, data, lists: None, numbers: Vec::new(), skip_bad: false };
        let flags_of = |task, prompts| {
            let setting = Setting { prompts, inputs: Inputs::Image, alpha: AlphaSetting::Fixed(1.0), fine: true };
            let job = Job::new(Layout::Agiqa3k, task, JobKind::Train(setting), 1);
            data_flags(&job.data_args(&set).expect("the columns are known")).join(" ")
        };
        assert_eq!(flags_of(Task::Perception, PromptSet::Ant), "--data data.csv");
        assert_eq!(
            flags_of(Task::Perception, PromptSet::Adv),
            "--data data.csv --columns image=name,prompt=prompt,alignment=mos_quality"
        );
        assert_eq!(
            flags_of(Task::Alignment, PromptSet::Adj),
            "--data data.csv --columns image=name,prompt=prompt,perception=mos_align"
        );
    }
}
