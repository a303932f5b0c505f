//! What is to run: experiments, their data sets, and their jobs, all looked at before the first one starts.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_data::dataset::{self, Layout};
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_score::model::{Model, ModelArgs};

use crate::args::ReproduceArgs;
use crate::job::{Job, Shared, Work};
use crate::paper::{Experiment, Ours, Paper};
use crate::report::Report;
use crate::sets::Set;

/// All that was found before anything runs.
pub struct Plan<'a> {
    /// What every job shares.
    pub shared: Shared<'a>,
    /// The paper.
    pub source: String,
    /// What was asked for.
    pub experiments: Vec<Experiment>,
    /// Their data sets.
    pub sets: Vec<Set>,
    /// Split by split, each once.
    pub jobs: Vec<Job>,
    /// In the order of the jobs: the hash of the table as each reads it.
    pub data_sha256: Vec<String>,
    /// How the CLIP file differs from the paper's model, if it does.
    pub other_clip: Option<String>,
}

impl<'a> Plan<'a> {
    /// Looks at all that the jobs will need.
    ///
    /// # Errors
    /// When a flag, a data set, a list or the CLIP file is wrong.
    pub fn new(args: &'a ReproduceArgs, n_slots: usize) -> Result<Self> {
        check(args)?;
        let Paper { source, experiments } = Paper::open()?;
        let experiments: Vec<Experiment> =
            experiments.into_iter().filter(|experiment| args.experiment.includes(&experiment.id)).collect();
        let mut sets: Vec<Set> = Vec::new();
        for experiment in &experiments {
            if !sets.iter().any(|set| set.layout == experiment.data_set) {
                sets.push(Set::find(args, experiment.data_set, &experiment.id)?);
            }
        }
        let clip = ModelArgs { clip: Some(args.clip.clone()), model: None, activation: args.activation };
        let clip = Model::open(&clip)?;
        // Every job reads the same commit, whatever happens on the hub meanwhile.
        let pinned = clip.commit.as_ref().map_or_else(|| args.clip.display().to_string(), |_| clip.source());
        let (is, paper) = (clip.checkpoint.config(), ClipConfig::vit_b_32());
        let is_other = (&is.vision, &is.text, is.embed_dim) != (&paper.vision, &paper.text, paper.embed_dim);
        let other_clip = is_other.then(|| {
            format!(
                "weights {} of {} layers and width {} instead of ViT-B/32",
                clip.name, is.vision.layers, is.vision.width
            )
        });
        let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        // One thread of a job feeds its device.
        let workers = (all / n_slots).saturating_sub(1).max(1);
        let shared = Shared { args, clip: pinned, clip_sha256: clip.sha256, workers };
        let mut plan =
            Self { shared, source, experiments, sets, jobs: Vec::new(), data_sha256: Vec::new(), other_clip };
        plan.jobs = plan.all_jobs();
        let mut hashes: Vec<(dataset::DataArgs, String)> = Vec::new();
        for job in &plan.jobs {
            let data = job.data_args(plan.set(job.layout)?)?;
            let known = hashes.iter().find(|(known, _)| *known == data).map(|(_, sha256)| sha256.clone());
            let sha256 = match known {
                Some(sha256) => sha256,
                None => dataset::open(&data)?.sha256,
            };
            plan.data_sha256.push(sha256.clone());
            hashes.push((data, sha256));
        }
        Ok(plan)
    }

    /// A data set that was found.
    ///
    /// # Errors
    /// When no experiment needs it.
    pub fn set(&self, layout: Layout) -> Result<&Set> {
        self.sets.iter().find(|set| set.layout == layout).context("every experiment's data set was found")
    }

    /// The places of the jobs that are asked for: all, or the one of `--only`.
    ///
    /// # Errors
    /// When no job is called so.
    pub fn wanted(&self) -> Result<Vec<usize>> {
        let Some(name) = &self.shared.args.only else { return Ok((0..self.jobs.len()).collect()) };
        match self.jobs.iter().position(|job| job.name == *name) {
            Some(index) => Ok(vec![index]),
            None => Err(UsageError::new(format!("there is no job `{name}`; --list names them")).into()),
        }
    }

    /// The experiments whose tables are written: none by a run of one job, which others run beside.
    pub fn told(&self) -> &[Experiment] {
        if self.shared.args.only.is_some() { &[] } else { &self.experiments }
    }

    /// Split by split, so that all settings have equally many at any time; each job once.
    fn all_jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for repeat in 0..self.shared.args.repeats {
            for experiment in &self.experiments {
                let numbers = self.set(experiment.data_set).map_or(&[][..], |set| &set.numbers);
                let Some(&split) = numbers.get(repeat) else { continue };
                for result in experiment.rows.iter().flat_map(|row| &row.results) {
                    let Some(work) = self.work(result.ours.as_ref()) else { continue };
                    let job = Job::new(experiment.data_set, result.task, work, split);
                    if !jobs.iter().any(|known| known.name == job.name) {
                        jobs.push(job);
                    }
                }
            }
        }
        jobs
    }

    /// What is done for a row; `None` for one that stays as published.
    pub fn work(&self, ours: Option<&Ours>) -> Option<Work> {
        match ours? {
            Ours::Train(setting) => Some(Work::Train(*setting)),
            Ours::Baseline(setting) => self.shared.args.baselines.then_some(Work::Train(*setting)),
            Ours::ZeroShot(method) => Some(Work::ZeroShot(method.clone())),
            Ours::OwnWeights(_) => None,
        }
    }

    /// A job's report; `None` while it is not finished.
    ///
    /// # Errors
    /// When it is of a run with other settings.
    pub fn report(&self, index: usize) -> Result<Option<Report>> {
        let job = &self.jobs[index];
        Report::read(job, &self.shared, self.set(job.layout)?, &self.data_sha256[index])
    }
}

/// What can be told to be wrong from the flags alone.
fn check(args: &ReproduceArgs) -> Result<()> {
    if !args.data.is_dir() {
        bail!("{} is no folder; pass the folder of the data sets as --data", args.data.display());
    }
    Ok(())
}
