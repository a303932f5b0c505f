//! The loop of a run: epochs of steps, their evaluation, and the files that are saved.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::encoder::ClipEncoder;
use tsp_mgs_core::options::{Alpha, Options};
use tsp_mgs_core::scorer::{ImageTower, Scorer};
use tsp_mgs_data::decoded::{DecodedSet, workers};
use tsp_mgs_data::failpoint::failpoint;
use tsp_mgs_data::files::write_atomically;
use tsp_mgs_data::loader::{BatchPlan, Batches, Mirroring};
use tsp_mgs_data::splits::{self, Split};
use tsp_mgs_score::device::{self, SelectedDevice};
use tsp_mgs_score::export::{TrainedModel, write_trained};
use tsp_mgs_score::predict::predict;

use crate::args::TrainArgs;
use crate::checkpoints::Checkpoints;
use crate::config::RunConfig;
use crate::correlate::correlate;
use crate::display::Display;
use crate::history::{Correlations, EpochRecord, Progress, rounded};
use crate::learner::{Learner, StepInput};
use crate::report::RunReport;
use crate::{memory, run_folder};

/// Warning in the models of a run on synthetic images. Each result of such a model shows it.
const SYNTHETIC: &str = "demo weights, trained on synthetic images";

/// A run in progress.
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
    /// Opens the folder of a new run, or loads the newest checkpoint of an interrupted one.
    ///
    /// # Errors
    /// Fails if the device, the split or the folder is unusable, or if the folder holds a run with other settings.
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
        run_folder::open(&args.out, &config)?;
        let checkpoints = Checkpoints::open(&args.out.join(run_folder::CHECKPOINTS), args.optimiser.keep)?;
        let progress = checkpoints.load_newest(&mut learner)?.unwrap_or_default();
        let display = match (args.quiet, args.tui) {
            (true, _) => Display::Quiet,
            (_, true) => Display::dashboard(config.tasks.iter().map(|options| options.task))?,
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
        run.print_start();
        Ok(run)
    }

    /// Prints the data set, the device and the initial weights.
    fn print_start(&self) {
        if matches!(self.display, Display::Quiet) {
            return;
        }
        let (train, validation, test) = (self.train.len(), self.validation.len(), self.test.len());
        let set = &self.data.set.name;
        eprintln!("training on {train} images of {set}, {validation} for validation, {test} for testing");
        eprintln!("device {}, starting from {}", self.device.name, self.config.start.name);
        if self.data.set.is_synthetic {
            eprintln!("note: the images and their scores are synthetic");
        }
        if let Progress { epoch, step, .. } = &self.progress
            && (*epoch, *step) != (0, 0)
        {
            eprintln!("resuming after epoch {epoch}, step {step}");
        }
    }

    /// Trains the remaining epochs.
    ///
    /// # Errors
    /// Fails if the loss is not finite or a file cannot be written.
    pub fn train(&mut self) -> Result<()> {
        while self.progress.epoch < self.config.epochs {
            let mut record = self.train_epoch()?;
            let start = Instant::now();
            record.test = self.evaluate(&self.test.clone())?;
            record.validation = self.evaluate(&self.validation.clone())?;
            record.evaluate_seconds = rounded(start.elapsed().as_secs_f64());
            self.display.end_epoch(&record, self.config.epochs);
            self.progress.history.push(record);
            self.progress.epoch += 1;
            self.progress.step = 0;
            self.progress.loss_sum = 0.0;
            self.save_models()?;
            failpoint("models-saved");
            self.checkpoints.save(&self.learner, &self.progress)?;
            self.progress.write_log(&self.folder.join(run_folder::LOG))?;
        }
        Ok(())
    }

    /// Takes the remaining steps of the current epoch.
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
            let mos = |task: &Options| items().map(|item| item.score(task.task).expect("required")).collect();
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
                let files: Vec<String> = items().map(|item| item.image.to_string()).collect();
                bail!(
                    "the loss is {} in step {} of epoch {}; the last checkpoint has the weights of an earlier step; \
                     the images of the step: {}",
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
            failpoint("step-taken");
            if !is_last && self.checkpoint_every.is_some_and(|every| self.progress.step.is_multiple_of(every)) {
                self.checkpoints.save(&self.learner, &self.progress)?;
            }
        }
        let tasks = self.learner.tasks()?;
        let learned = tasks.iter().filter(|task| matches!(task.alpha, Alpha::Learned { .. }));
        Ok(EpochRecord {
            epoch: epoch + 1,
            steps: (epoch + 1) * steps,
            rate: rounded(rate),
            loss: rounded(self.progress.loss_sum / steps as f64),
            alphas: learned.map(|task| rounded(task.alpha.value())).collect(),
            test: Vec::new(),
            validation: Vec::new(),
            stuck_share: stuck_share.map(rounded),
            train_seconds: rounded(start.elapsed().as_secs_f64()),
            evaluate_seconds: 0.0,
        })
    }

    /// The options of the tasks as they are scored, with the current αs.
    fn scored_tasks(&self) -> Result<Vec<Options>> {
        let mut tasks = self.learner.tasks()?;
        for (task, configured) in tasks.iter_mut().zip(&self.config.tasks) {
            task.crops = configured.crops;
        }
        Ok(tasks)
    }

    /// Scores a part of the data set as `trainer score` does, and correlates the scores with the opinion scores.
    fn evaluate(&self, part: &[usize]) -> Result<Vec<Correlations>> {
        if part.is_empty() {
            return Ok(Vec::new());
        }
        let (config, device) = (self.learner.config(), &self.device.device);
        let clip = |_| ClipEncoder::new(self.learner.frozen_clip(), &config.vision, device);
        let tasks = self.scored_tasks()?;
        let mut scorer = Scorer::new(clip, config, None, tasks, ImageTower::default(), device.clone())?;
        let predicted = predict(&self.data, &mut scorer, part, self.workers, |_| ())?;
        let tasks = self.config.tasks.iter().map(|options| options.task);
        Ok(tasks.map(|task| correlate(&self.data.set.items, part, &predicted, task)).collect())
    }

    /// Saves the weights for each protocol that would choose the last finished epoch.
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
            let trained = TrainedModel {
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

    /// Writes the report and prints it.
    ///
    /// # Errors
    /// Fails if the report cannot be written or standard output is closed.
    pub fn finish(self) -> Result<()> {
        let memory = memory::used(&self.device.device);
        let report = RunReport::new(&self.config, &self.data, &self.progress, &self.device.name, memory);
        let path = self.folder.join(run_folder::REPORT);
        write_atomically(&path, report.to_json().as_bytes())?;
        self.progress.write_log(&self.folder.join(run_folder::LOG))?;
        self.display.finish();
        report.print(&self.folder)
    }
}
