//! The plan of a reproduction: its experiments, data sets and jobs. It is complete and checked before the first job
//! starts.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_data::dataset::Layout;
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_score::model::{Model, ModelArgs};

use crate::args::ReproduceArgs;
use crate::data_sets::DataSet;
use crate::job::{Job, JobKind, SharedSettings};
use crate::paper::{Computation, Experiment, Paper};
use crate::report::Report;

/// Experiments, data sets and jobs.
pub struct Plan<'a> {
    /// The settings that all jobs share.
    pub shared: SharedSettings<'a>,
    /// Authors and title of the paper.
    pub source: String,
    /// The experiments to reproduce.
    pub experiments: Vec<Experiment>,
    /// The data sets of the experiments.
    pub sets: Vec<DataSet>,
    /// The jobs, ordered by split, without duplicates.
    pub jobs: Vec<Job>,
    /// Description of the model, if its sizes differ from the paper's.
    pub other_clip: Option<String>,
}

impl<'a> Plan<'a> {
    /// Finds and checks all inputs of the jobs.
    ///
    /// # Errors
    /// Fails if a flag, a data set, a split list or the CLIP file is wrong.
    pub fn new(args: &'a ReproduceArgs, n_slots: usize) -> Result<Self> {
        check(args)?;
        let Paper { source, experiments } = Paper::open()?;
        let experiments: Vec<Experiment> =
            experiments.into_iter().filter(|experiment| args.experiment.includes(&experiment.id)).collect();
        let mut sets: Vec<DataSet> = Vec::new();
        for experiment in &experiments {
            if !sets.iter().any(|set| set.layout == experiment.data_set) {
                sets.push(DataSet::find(args, experiment.data_set, &experiment.id)?);
            }
        }
        let clip = ModelArgs { clip: Some(args.clip.clone()), model: None, activation: args.activation };
        let clip = Model::open(&clip)?;
        // All jobs read the same commit, even if the hub changes meanwhile.
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
        // One thread of each job runs its device.
        let workers = (all / n_slots).saturating_sub(1).max(1);
        let shared = SharedSettings { args, clip: pinned, clip_sha256: clip.sha256, workers };
        let mut plan = Self { shared, source, experiments, sets, jobs: Vec::new(), other_clip };
        plan.jobs = plan.all_jobs();
        for job in &plan.jobs {
            if let JobKind::Train(setting) = &job.kind {
                let options = setting.options(job.task, args.training.crops);
                plan.set(job.layout)?
                    .require(&options)
                    .with_context(|| format!("checking the data of {}", job.name))?;
            }
        }
        Ok(plan)
    }

    /// The data set of a layout.
    ///
    /// # Errors
    /// Fails if no experiment needs it.
    pub fn set(&self, layout: Layout) -> Result<&DataSet> {
        self.sets.iter().find(|set| set.layout == layout).context("the data set of each experiment is in the plan")
    }

    /// Indices of the jobs to run: all, or the one of `--only`.
    ///
    /// # Errors
    /// Fails if there is no job of that name.
    pub fn selected_jobs(&self) -> Result<Vec<usize>> {
        let Some(name) = &self.shared.args.only else { return Ok((0..self.jobs.len()).collect()) };
        match self.jobs.iter().position(|job| job.name == *name) {
            Some(index) => Ok(vec![index]),
            None => Err(UsageError::new(format!("there is no job `{name}`; --list names them")).into()),
        }
    }

    /// The experiments whose tables are written. With `--only` there are none, because other machines run the other
    /// jobs.
    pub fn written_experiments(&self) -> &[Experiment] {
        if self.shared.args.only.is_some() { &[] } else { &self.experiments }
    }

    /// All jobs without duplicates, ordered by split, so that at any time all settings have finished about equally many
    /// splits.
    fn all_jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for repeat in 0..self.shared.args.repeats {
            for experiment in &self.experiments {
                let numbers = self.set(experiment.data_set).map_or(&[][..], |set| &set.numbers);
                let Some(&split) = numbers.get(repeat) else { continue };
                for result in experiment.rows.iter().flat_map(|row| &row.results) {
                    let Some(kind) = self.job_kind(result.ours.as_ref()) else { continue };
                    let job = Job::new(experiment.data_set, result.task, kind, split);
                    if !jobs.iter().any(|known| known.name == job.name) {
                        jobs.push(job);
                    }
                }
            }
        }
        jobs
    }

    /// The kind of job that computes a result; `None` if it is not computed.
    pub fn job_kind(&self, ours: Option<&Computation>) -> Option<JobKind> {
        match ours? {
            Computation::Train(setting) => Some(JobKind::Train(*setting)),
            Computation::Baseline(setting) => self.shared.args.baselines.then_some(JobKind::Train(*setting)),
            Computation::ZeroShot(method) => Some(JobKind::ZeroShot(method.clone())),
            Computation::OwnWeights(_) => None,
        }
    }

    /// The report of a job; `None` if the job is not finished.
    ///
    /// # Errors
    /// Fails if the report is of a run with other settings.
    pub fn report(&self, index: usize) -> Result<Option<Report>> {
        let job = &self.jobs[index];
        Report::read(job, &self.shared, self.set(job.layout)?)
    }
}

/// Checks the flags alone.
fn check(args: &ReproduceArgs) -> Result<()> {
    if !args.data.is_dir() {
        bail!("{} is not a folder; pass the folder of the data sets as --data", args.data.display());
    }
    Ok(())
}
