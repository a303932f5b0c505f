//! Reads the result of a finished job, and checks that it has the requested settings.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tsp_mgs_core::options::Options;
use tsp_mgs_train::config::RunConfig;
use tsp_mgs_train::history::EpochRecord;

use crate::args::precision_name;
use crate::data_sets::DataSet;
use crate::job::{Job, JobKind, SharedSettings};
use crate::paper::Setting;

/// The result of a job.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whether the images and opinion scores are synthetic.
    pub is_synthetic: bool,
    /// Number of images that could not be decoded.
    pub undecodable: usize,
    /// Correlations of the epoch that the paper protocol chooses.
    pub paper: Agreement,
    /// Correlations of the epoch that the honest protocol chooses.
    pub honest: Agreement,
}

/// Correlations of scores and opinion scores; `None` if all scores are equal.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Agreement {
    /// Spearman rank correlation, in [−1, 1]; higher is better.
    pub srcc: Option<f64>,
    /// Pearson correlation, in [−1, 1]; higher is better.
    pub plcc: Option<f64>,
}

/// The fields of a training's `report.json` that are read.
#[derive(Deserialize)]
struct TrainingReport {
    config: RunConfig,
    paper: Option<EpochRecord>,
    honest: Option<EpochRecord>,
    undecodable: Vec<Value>,
}

/// The fields of a task in `evaluation.json` that are read.
#[derive(Deserialize)]
struct EvaluationRecord {
    model: String,
    dataset: String,
    is_synthetic: bool,
    /// The first group has all rows.
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    metrics: Agreement,
}

impl Report {
    /// Reads the report of a job; `None` if there is none.
    ///
    /// # Errors
    /// Fails if the report cannot be read or is of a run with other settings.
    pub fn read(job: &Job, shared: &SharedSettings, set: &DataSet) -> Result<Option<Self>> {
        let path = job.result(&shared.args.out);
        if !path.is_file() {
            return Ok(None);
        }
        let (report, differences) = match &job.kind {
            JobKind::Train(setting) => {
                let found: TrainingReport = read(&path)?;
                let differences = differences(&found.config, job, setting, shared, set);
                let pair = |record: Option<EpochRecord>| {
                    let found = record.and_then(|record| record.test.first().copied());
                    found.map_or_else(Agreement::default, |found| Agreement { srcc: found.srcc, plcc: found.plcc })
                };
                let report = Self {
                    is_synthetic: found.config.is_synthetic,
                    undecodable: found.undecodable.len(),
                    paper: pair(found.paper),
                    honest: pair(found.honest),
                };
                (report, differences)
            }
            JobKind::ZeroShot(_) => {
                let found: Vec<EvaluationRecord> = read(&path)?;
                let found = found.first().with_context(|| format!("{} holds no evaluation", path.display()))?;
                let pair = found.groups.first().map_or_else(Agreement::default, |group| group.metrics);
                let part = match &set.lists {
                    Some(lists) => lists.join(job.split.to_string()).display().to_string(),
                    None => format!("split {}, seed {}", job.split, shared.args.seed),
                };
                let sha256 = &shared.clip_sha256[..12];
                let mut differences = Vec::new();
                if !found.model.ends_with(sha256) {
                    differences.push(format!("weights were {} and are {sha256}", found.model));
                }
                if !found.dataset.ends_with(&part) {
                    differences.push(format!("images were {} and are the test part of {part}", found.dataset));
                }
                (Self { is_synthetic: found.is_synthetic, undecodable: 0, paper: pair, honest: pair }, differences)
            }
        };
        if !differences.is_empty() {
            bail!(
                "{} was made with other settings: {}; pass the same settings, or another --out",
                job.folder(&shared.args.out).display(),
                differences.join(", ")
            );
        }
        Ok(Some(report))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let json = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&json).with_context(|| format!("reading {}", path.display()))
}

fn differences(was: &RunConfig, job: &Job, setting: &Setting, shared: &SharedSettings, set: &DataSet) -> Vec<String> {
    let (args, training) = (shared.args, &shared.args.training);
    let options: Vec<Options> = vec![setting.options(job.task, training.crops)];
    let json = |options: &[Options]| serde_json::to_string(options).expect("options are plain data");
    let lists = |lists: &Option<PathBuf>| lists.as_ref().map_or("drawn".into(), |dir| dir.display().to_string());
    let optimiser = &was.optimiser;
    let micro_batch = training.micro_batch.unwrap_or(training.batch);
    let pairs = [
        ("version", was.version.clone(), env!("CARGO_PKG_VERSION").into()),
        ("options", json(&was.tasks), json(&options)),
        ("weights", was.start.sha256.clone(), shared.clip_sha256.clone()),
        ("data", was.data_sha256.clone(), set.data.sha256.clone()),
        ("splits", lists(&was.split.lists), lists(&set.lists)),
        ("split", was.split.number.to_string(), job.split.to_string()),
        ("validation", was.split.validation.to_string(), training.validation.to_string()),
        ("seed", was.seed.to_string(), args.seed.to_string()),
        ("epochs", was.epochs.to_string(), training.epochs.to_string()),
        ("batch", was.batch.to_string(), training.batch.to_string()),
        ("micro-batch", optimiser.micro_batch.to_string(), micro_batch.to_string()),
        ("train-crops", was.train_crops.to_string(), training.train_crops.to_string()),
        ("lr", format!("{:e}", optimiser.schedule.peak), format!("{:e}", training.lr)),
        ("precision", precision_name(optimiser.precision), precision_name(training.precision)),
    ];
    let differing = pairs.into_iter().filter(|(_, was, is)| was != is);
    differing.map(|(name, was, is)| format!("{name} was {was} and is {is}")).collect()
}
