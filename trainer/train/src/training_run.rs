//! A run under way: epochs of steps, what they are judged by, and what is kept of them.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::encoder::ClipEncoder;
use tsp_mgs_core::options::{Alpha, Options};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::scorer::{ImageTower, Scorer};
use tsp_mgs_data::decoded::{DecodedSet, workers};
use tsp_mgs_data::files::write_atomically;
use tsp_mgs_data::loader::{BatchPlan, Batches, Mirroring};
use tsp_mgs_data::metrics::{plcc, srcc};
use tsp_mgs_data::splits::{self, Split};
use tsp_mgs_score::device::{self, SelectedDevice};
use tsp_mgs_score::export::{Trained, write_trained};
use tsp_mgs_score::predict::predict;

use crate::args::TrainArgs;
use crate::checkpoints::Checkpoints;
use crate::config::RunConfig;
use crate::display::Display;
use crate::history::{Correlations, EpochRecord, Progress, kept_exactly};
use crate::learner::{Learner, StepInput};
use crate::{memory, outcome};

/// A run's settings.
const CONFIG: &str = "config.json";
/// A run's epochs.
const LOG: &str = "log.jsonl";
/// What a result made with weights from generated images must say.
const SYNTHETIC: &str = "demo weights, trained on synthetic images";

/// A run under way.
pub struct Run {
    folder: PathBuf,
    config: RunConfig,
    data: DecodedSet,
    train: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
    learner: Learner,
    device: SelectedDevice,
    checkpoints: Checkpoints,
    progress: Progress,
    display: Display,
    workers: NonZeroUsize,
    checkpoint_every: Option<usize>,
}

impl Run {
    /// Makes the run's folder, or finds where it stopped.
    ///
    /// # Errors
    /// When the device, the split or the folder does not do, or the folder holds a run with other settings.
    pub fn open(
        args: &TrainArgs,
        config: RunConfig,
        weights: Checkpoint,
        data: DecodedSet,
        split: Split,
    ) -> Result<Self> {
        let device = device::select(args.device)?;
        let mut training_tasks = config.tasks.clone();
        for task in &mut training_tasks {
            task.crops = config.train_crops;
        }
        let mut learner = Learner::new(weights, training_tasks, &config.optimiser, &device.device)?;
        let (train, validation) = match config.split.validation {
            0.0 => (split.train.clone(), Vec::new()),
            share => splits::validation(&split, &data.set.items, share, config.seed)?,
        };
        open_folder(&args.out, &config)?;
        let checkpoints = Checkpoints::open(&args.out.join("checkpoints"), args.optimiser.keep)?;
        let progress = checkpoints.load_newest(&mut learner)?.unwrap_or_default();
        let display = match (args.quiet, args.tui) {
            (true, _) => Display::Quiet,
            (_, true) => Display::dashboard(config.tasks.iter().map(Options::task))?,
            _ => Display::bar(),
        };
        let run = Self {
            folder: args.out.clone(),
            train,
            validation,
            test: split.test,
            learner,
            device,
            checkpoints,
            progress,
            display,
            workers: workers(args.workers),
            checkpoint_every: args.optimiser.checkpoint_every,
            config,
            data,
        };
        run.introduce();
        Ok(run)
    }

    /// Says what is trained on what.
    fn introduce(&self) {
        if matches!(self.display, Display::Quiet) {
            return;
        }
        let (train, validation, test) = (self.train.len(), self.validation.len(), self.test.len());
        let set = &self.data.set.name;
        eprintln!("training on {train} images of {set}, choosing on {validation}, testing on {test}");
        eprintln!("device {}, starting from {}", self.device.name, self.config.start.name);
        if self.data.set.is_synthetic {
            eprintln!("note: the images and their scores are synthetic");
        }
        if let Progress { epoch, step, .. } = &self.progress
            && (*epoch, *step) != (0, 0)
        {
            eprintln!("going on after epoch {epoch}, step {step}");
        }
    }

    /// Trains the epochs that are left.
    ///
    /// # Errors
    /// When the loss is not finite, or the folder cannot be written.
    pub fn train(&mut self) -> Result<()> {
        while self.progress.epoch < self.config.epochs {
            let mut record = self.train_epoch()?;
            let start = Instant::now();
            record.test = self.evaluate(&self.test.clone())?;
            record.validation = self.evaluate(&self.validation.clone())?;
            record.evaluate_seconds = kept_exactly(start.elapsed().as_secs_f64());
            self.display.end_epoch(&record, self.config.epochs);
            self.progress.history.push(record);
            self.progress.epoch += 1;
            self.progress.step = 0;
            self.progress.loss_sum = 0.0;
            self.save_models()?;
            self.checkpoints.save(&self.learner, &self.progress)?;
            self.progress.write_log(&self.folder.join(LOG))?;
        }
        Ok(())
    }

    /// The steps of one epoch that are left.
    fn train_epoch(&mut self) -> Result<EpochRecord> {
        let epoch = self.progress.epoch;
        let plan = BatchPlan {
            batch_size: NonZeroUsize::new(self.config.batch).expect("checked by its flag"),
            views: self.learner.view_plan(),
            mirroring: if self.config.mirror { Mirroring::Half } else { Mirroring::Off },
            seed: self.config.seed,
            workers: self.workers,
        };
        let steps = plan.steps(self.train.len());
        let start = Instant::now();
        let (mut rate, mut stuck_share) = (0.0, None);
        self.display.start_epoch(epoch, self.config.epochs, steps, self.progress.step);
        let mut batches =
            Batches::from_step(self.data.images.clone(), &self.train, plan, epoch as u64, self.progress.step)?;
        while let Some(batch) = batches.next() {
            let batch = batch?;
            let items = || batch.items.iter().map(|&item| &self.data.set.items[item]);
            let prompts: Vec<&str> = items().map(|item| item.prompt.as_str()).collect();
            let mos = |task: &Options| items().map(|item| item.score(task.task()).expect("required")).collect();
            let mos: Vec<Vec<f64>> = self.config.tasks.iter().map(mos).collect();
            let input = StepInput { pixels: &batch.pixels, prompts: &prompts, mos: &mos };
            let optimiser = &self.config.optimiser;
            rate = optimiser.schedule.step_rate(epoch, epoch * steps + self.progress.step);
            let alpha_rate = optimiser.alpha_rate * rate / optimiser.schedule.peak.max(f64::MIN_POSITIVE);
            let is_last = self.progress.step + 1 == steps;
            let result = if is_last {
                self.learner.step_and_count(&input, optimiser.micro_batch, rate, alpha_rate)?
            } else {
                self.learner.step(&input, optimiser.micro_batch, rate, alpha_rate)?
            };
            if !result.loss.is_finite() {
                let files: Vec<String> = items().map(|item| item.image.display().to_string()).collect();
                bail!(
                    "the loss is {} in step {} of epoch {}; the weights before it are in the last checkpoint. The images of \
                     the step: {}",
                    result.loss,
                    self.progress.step + 1,
                    epoch + 1,
                    files.join(", ")
                );
            }
            stuck_share = result.stuck_share;
            self.progress.step += 1;
            self.progress.loss_sum += result.loss;
            batches.give_back(batch.pixels);
            self.display.step(self.progress.step, result.loss, rate);
            if !is_last && self.checkpoint_every.is_some_and(|every| self.progress.step.is_multiple_of(every)) {
                self.checkpoints.save(&self.learner, &self.progress)?;
            }
        }
        let tasks = self.learner.tasks()?;
        let learned = tasks.iter().filter(|task| matches!(task.alpha, Alpha::Learned { .. }));
        Ok(EpochRecord {
            epoch: epoch + 1,
            steps: (epoch + 1) * steps,
            rate: kept_exactly(rate),
            loss: kept_exactly(self.progress.loss_sum / steps as f64),
            alphas: learned.map(|task| kept_exactly(task.alpha.value())).collect(),
            test: Vec::new(),
            validation: Vec::new(),
            stuck_share: stuck_share.map(kept_exactly),
            train_seconds: kept_exactly(start.elapsed().as_secs_f64()),
            evaluate_seconds: 0.0,
        })
    }

    /// The tasks as they are scored: with the αs as they are now.
    fn scored_tasks(&self) -> Result<Vec<Options>> {
        let mut tasks = self.learner.tasks()?;
        for (task, configured) in tasks.iter_mut().zip(&self.config.tasks) {
            task.crops = configured.crops;
        }
        Ok(tasks)
    }

    /// Scores a part as `trainer score` does, and compares with its opinions.
    fn evaluate(&self, part: &[usize]) -> Result<Vec<Correlations>> {
        if part.is_empty() {
            return Ok(Vec::new());
        }
        let (config, device) = (self.learner.config(), &self.device.device);
        let clip = |_| ClipEncoder::new(self.learner.frozen_clip(), &config.vision, device);
        let tasks = self.scored_tasks()?;
        let mut scorer = Scorer::new(clip, config, None, tasks, ImageTower::default(), device.clone())?;
        let predicted = predict(&self.data, &mut scorer, part, self.workers, |_| ())?;
        let compare = |task: &Options| {
            let task = task.task();
            let scores: Vec<f64> = predicted
                .iter()
                .filter_map(|scores| match task {
                    Task::Perception => scores.perception,
                    Task::Alignment => scores.alignment,
                })
                .collect();
            let mos: Vec<f64> = part.iter().filter_map(|&item| self.data.set.items[item].score(task)).collect();
            Correlations {
                task,
                srcc: srcc(&scores, &mos).map(kept_exactly),
                plcc: plcc(&scores, &mos).map(kept_exactly),
            }
        };
        Ok(self.config.tasks.iter().map(compare).collect())
    }

    /// Writes the weights that each protocol would choose now (SPEC §6).
    fn save_models(&self) -> Result<()> {
        let last = self.progress.history.len() - 1;
        let is_paper = self.progress.best_epoch(|record| &record.test) == Some(last);
        let is_honest = match self.validation.len() {
            0 => true,
            _ => self.progress.best_epoch(|record| &record.validation) == Some(last),
        };
        let chosen = [("paper", is_paper), ("honest", is_honest)];
        if !chosen.iter().any(|(_, is_chosen)| *is_chosen) {
            return Ok(());
        }
        let (checkpoint, tasks) = (self.learner.checkpoint()?, self.scored_tasks()?);
        for (protocol, _) in chosen.iter().filter(|(_, is_chosen)| *is_chosen) {
            let run = self.folder.file_name().unwrap_or_default().to_string_lossy();
            let trained = Trained {
                checkpoint: &checkpoint,
                tasks: &tasks,
                name: &format!("{run}/{protocol} epoch {}", last + 1),
                warning: self.config.is_synthetic.then_some(SYNTHETIC),
                source: &self.config.start.name,
                source_sha256: &self.config.start.sha256,
            };
            write_trained(&self.folder.join(protocol), &trained)?;
        }
        Ok(())
    }

    /// Writes and prints what came of it.
    ///
    /// # Errors
    /// When the report cannot be written, or standard output is closed.
    pub fn finish(self) -> Result<()> {
        let memory = memory::used(&self.device.device);
        let outcome = outcome::Outcome::new(&self.config, &self.data, &self.progress, &self.device.name, memory);
        let path = self.folder.join("report.json");
        write_atomically(&path, outcome.to_json().as_bytes())?;
        self.progress.write_log(&self.folder.join(LOG))?;
        self.display.finish();
        outcome.print(&self.folder)
    }
}

/// Makes the folder with its settings, or checks that they are the same.
fn open_folder(folder: &Path, config: &RunConfig) -> Result<()> {
    let path = folder.join(CONFIG);
    if path.is_file() {
        return config.check_same(&path);
    }
    if folder.exists()
        && fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?.next().is_some()
    {
        bail!("{} is not empty and holds no run; pass another --out", folder.display());
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut json = serde_json::to_string_pretty(config).expect("a configuration is plain data");
    json.push('\n');
    write_atomically(&path, json.as_bytes())
}
