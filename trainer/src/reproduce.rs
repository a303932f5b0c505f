//! `trainer reproduce`: the paper's tables and figures, ours beside the published numbers.
//!
//! An experiment is a list of trainings, each a process of its own with a folder of its own. What is finished is never
//! run again, and what was interrupted goes on, as `trainer train` does; trainings that experiments share run once.

mod args;
mod chart;
mod job;
pub mod paper;
mod queue;
mod render;
pub mod result;
mod sets;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::prompts::Task;

pub use args::{Choice, ReproduceArgs, TrainingArgs};
use job::{Job, Report, Shared};
use paper::{Experiment, Ours, Paper, Setting};
use queue::{Process, for_people, make_folder};
use result::{Line, Numbers, Table};
use sets::Set;

use crate::cli::{ModelArgs, UsageError};
use crate::dataset::{self, Layout};
use crate::evaluation::plots;
use crate::files::write_atomically;
use crate::model::Model;

/// All that was found before anything runs.
struct Plan<'a> {
    shared: Shared<'a>,
    source: String,
    experiments: Vec<Experiment>,
    sets: Vec<Set>,
    jobs: Vec<Job>,
    /// In the order of the jobs: the hash of the table as each reads it.
    data_sha256: Vec<String>,
    /// How the CLIP file differs from the paper's model, if it does.
    other_clip: Option<String>,
}

/// Runs `trainer reproduce`; the exit code is 1 when a job failed.
///
/// # Errors
/// When a data set, a list, the CLIP file or the folder is wrong, before anything runs.
pub fn run(args: &ReproduceArgs) -> Result<ExitCode> {
    let slots = args.slots()?;
    let plan = Plan::new(args, slots.len())?;
    for folder in ["jobs", "logs"] {
        make_folder(&args.out.join(folder))?;
    }
    let mut reports = BTreeMap::new();
    for index in 0..plan.jobs.len() {
        if let Some(report) = plan.report(index)? {
            reports.insert(index, report);
        }
    }
    let failed = plan.train(&slots, &mut reports)?;
    let mut written = Vec::new();
    for experiment in &plan.experiments {
        let table = plan.table(experiment, &reports);
        written.extend(write_table(&args.out, &table)?);
        written.extend(write_chart(&args.out, experiment, &table)?);
        println!("{}", render::text(&table));
    }
    for (name, error) in &failed {
        eprintln!("failed: {name}: {error}");
    }
    let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    println!("wrote {}", names.join(", "));
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let (count, all, out) = (failed.len(), plan.jobs.len(), args.out.display());
    eprintln!("{count} of {all} jobs failed; {out}/logs has their output, and the same command tries them again");
    Ok(ExitCode::FAILURE)
}

impl<'a> Plan<'a> {
    fn new(args: &'a ReproduceArgs, n_slots: usize) -> Result<Self> {
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
        let shared = Shared { args, clip_sha256: clip.sha256, workers };
        let mut plan =
            Self { shared, source, experiments, sets, jobs: Vec::new(), data_sha256: Vec::new(), other_clip };
        plan.jobs = plan.all_jobs();
        let mut hashes: Vec<(dataset::DataArgs, String)> = Vec::new();
        for job in &plan.jobs {
            let data = plan.set(job.layout)?.data_args(job)?;
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

    fn set(&self, layout: Layout) -> Result<&Set> {
        self.sets.iter().find(|set| set.layout == layout).context("every experiment's data set was found")
    }

    /// Split by split, so that all settings have equally many at any time; each job once.
    fn all_jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for repeat in 0..self.shared.args.repeats {
            for experiment in &self.experiments {
                let numbers = self.set(experiment.data_set).map_or(&[][..], |set| &set.numbers);
                let Some(&split) = numbers.get(repeat) else { continue };
                for result in experiment.rows.iter().flat_map(|row| &row.results) {
                    let Some(setting) = self.trained(result.ours.as_ref()) else { continue };
                    let job = Job::new(experiment.data_set, result.task, setting, split);
                    if !jobs.iter().any(|known| known.name == job.name) {
                        jobs.push(job);
                    }
                }
            }
        }
        jobs
    }

    /// What is trained for a row.
    fn trained(&self, ours: Option<&Ours>) -> Option<Setting> {
        match ours {
            Some(Ours::Train(setting)) => Some(*setting),
            Some(Ours::Baseline(setting)) if self.shared.args.baselines => Some(*setting),
            _ => None,
        }
    }

    fn report(&self, index: usize) -> Result<Option<Report>> {
        let job = &self.jobs[index];
        job.report(&self.shared, self.set(job.layout)?, &self.data_sha256[index])
    }

    /// Runs what is not finished; returns what failed, with the reasons.
    fn train(&self, slots: &[String], reports: &mut BTreeMap<usize, Report>) -> Result<Vec<(String, String)>> {
        let out = &self.shared.args.out;
        let todo: Vec<usize> = (0..self.jobs.len()).filter(|index| !reports.contains_key(index)).collect();
        let processes = todo.iter().map(|&index| {
            let job = &self.jobs[index];
            let set = self.set(job.layout)?;
            Ok(Process {
                name: job.name.clone(),
                arguments: job.arguments(&self.shared, set, &set.data_args(job)?),
                log: job.log(out),
                result: job.folder(out).join("report.json"),
            })
        });
        let processes: Vec<Process> = processes.collect::<Result<_>>()?;
        let (all, before) = (self.jobs.len(), reports.len());
        eprintln!("{all} jobs, {before} of them finished before; {} at a time", slots.len());
        let (start, mut ended, mut failed) = (Instant::now(), 0, Vec::new());
        queue::run(&processes, slots, |place, time, result| {
            ended += 1;
            let job = &self.jobs[todo[place]];
            let result = result.and_then(|()| self.report(todo[place])?.context("it wrote no report"));
            let outcome = match &result {
                Ok(report) => summary(report),
                Err(error) => format!("failed: {error:#}"),
            };
            let share_left = (todo.len() - ended) as f64 / ended as f64;
            let left = Duration::from_secs_f64(start.elapsed().as_secs_f64() * share_left);
            let (done, time, left) = (before + ended, for_people(time), for_people(left));
            eprintln!("{done}/{all} {}: {outcome}; {time}, about {left} left", job.name);
            match result {
                Ok(report) => drop(reports.insert(todo[place], report)),
                Err(error) => failed.push((job.name.clone(), format!("{error:#}"))),
            }
            // What is known so far survives whatever comes.
            for experiment in &self.experiments {
                if let Err(error) = write_table(out, &self.table(experiment, reports)) {
                    eprintln!("warning: {error:#}");
                }
            }
        })?;
        Ok(failed)
    }

    fn table(&self, experiment: &Experiment, reports: &BTreeMap<usize, Report>) -> Table {
        let set = self.sets.iter().find(|set| set.layout == experiment.data_set);
        let is_synthetic = set.is_some_and(|set| set.data.is_synthetic);
        let mut lines = Vec::new();
        for (row, result) in experiment.rows.iter().flat_map(|row| row.results.iter().map(move |result| (row, result)))
        {
            let ours = self.trained(result.ours.as_ref()).map(|setting| {
                let numbers = set.map_or(&[][..], |set| &set.numbers);
                let finished = numbers.iter().filter_map(|&split| {
                    let name = Job::new(experiment.data_set, result.task, setting, split).name;
                    let index = self.jobs.iter().position(|job| job.name == name)?;
                    Some((name, reports.get(&index)?))
                });
                Numbers::new(&finished.collect::<Vec<_>>(), self.shared.args.repeats)
            });
            lines.push(Line {
                method: row.label.clone(),
                venue: row.venue.clone(),
                task: result.task,
                published_srcc: result.srcc,
                published_plcc: result.plcc,
                published_note: result.note.clone(),
                ours,
            });
        }
        let notes = set.map_or_else(Vec::new, |set| self.notes(experiment, set, &lines, reports));
        Table {
            experiment: experiment.id.clone(),
            title: match is_synthetic {
                true => format!("{} (ours: synthetic images)", experiment.title),
                false => experiment.title.clone(),
            },
            data_set: set.map_or_else(String::new, |set| set.data.name.clone()),
            is_synthetic,
            notes,
            lines,
        }
    }

    /// What a reader of a table must know.
    fn notes(
        &self,
        experiment: &Experiment,
        set: &Set,
        lines: &[Line],
        reports: &BTreeMap<usize, Report>,
    ) -> Vec<String> {
        let args = self.shared.args;
        let mut notes = Vec::new();
        let (done, asked) = lines
            .iter()
            .filter_map(|line| line.ours.as_ref())
            .fold((0, 0), |(done, asked), ours| (done + ours.jobs.len(), asked + ours.splits_asked));
        if done < asked {
            notes.push(format!("partial: {done} of {asked} trainings"));
        }
        let n_images = set.data.items.len();
        notes.push(match set.data.is_synthetic {
            true => format!(
                "ours are of {n_images} synthetic images in the layout of {}: they say nothing about real images, and \
                 are no match for the published numbers",
                set.layout.name()
            ),
            false => format!("ours are of {n_images} images of {}", set.data.name),
        });
        let n_splits = set.numbers.len();
        notes.push(match &set.lists {
            Some(folder) => format!(
                "{n_splits} splits from the lists in {}; `trainer splits check` finds prompts in both parts",
                folder.display()
            ),
            None => format!(
                "{n_splits} splits drawn from seed {}, 4 : 1 with no prompt in both parts: not the paper's lists",
                args.seed
            ),
        });
        if n_splits < args.repeats {
            notes.push(format!("the lists have {n_splits} of the {} splits that were asked for", args.repeats));
        }
        let mut differences = args.differences();
        differences.extend(self.other_clip.clone());
        notes.push(match differences.is_empty() {
            true => "trained with the paper's settings (§4.1)".into(),
            false => format!("differs from the paper: {}", differences.join("; ")),
        });
        let honest = match args.training.validation {
            0.0 => "the last epoch",
            _ => "the epoch that is best on held-out training prompts",
        };
        notes.push(format!(
            "mean ± standard deviation (n − 1) over splits; paper protocol: the epoch with the best (SRCC + PLCC) / 2 on \
             the test split itself; honest: {honest}"
        ));
        if set.skip_bad {
            let of_set = |report: &&Report| report.config.data_set == set.data.name;
            let undecodable = reports.values().find(of_set).map_or(0, |report| report.undecodable.len());
            let left_out = set.data.skipped.len() + undecodable;
            notes.push(format!("--skip-bad: {left_out} rows were left out; each job's report.json lists them"));
        }
        if let Some(claim) = &experiment.claim {
            notes.push(format!("the paper prints no numbers here; what it says: {claim}"));
        }
        notes.extend(experiment.notes.iter().cloned());
        let results = || experiment.rows.iter().flat_map(|row| row.results.iter().map(move |result| (row, result)));
        if results().any(|(_, result)| matches!(result.ours, Some(Ours::Baseline(_)))) {
            notes.push(match args.baselines {
                true => {
                    "ours of IPCE: its configuration, adv prompts without words, mean of image and patches, trained as \
                         the rest"
                        .into()
                }
                false => "--baselines trains IPCE's configuration, too".into(),
            });
        }
        let methods: Vec<String> = results()
            .filter_map(|(row, result)| match &result.ours {
                Some(Ours::Evaluate(method)) => Some(format!("{} ({method})", row.label)),
                _ => None,
            })
            .collect();
        if !methods.is_empty() {
            notes.push(format!("needs no training and stays as published here: {}", methods.join(", ")));
        }
        notes.push(format!("published numbers: {}", self.source));
        notes
    }
}

/// What can be told to be wrong from the flags alone.
fn check(args: &ReproduceArgs) -> Result<()> {
    let training = &args.training;
    if !(training.lr.is_finite() && training.lr >= 0.0) {
        return Err(UsageError::new(format!("--lr is {}, expected a number, at least 0", training.lr)).into());
    }
    if !(0.0..1.0).contains(&training.validation) {
        let text = format!("--validation is {}, expected a number in [0, 1)", training.validation);
        return Err(UsageError::new(text).into());
    }
    if !args.data.is_dir() {
        bail!("{} is no folder; pass the folder of the data sets as --data", args.data.display());
    }
    Ok(())
}

/// A finished job in a line.
fn summary(report: &Report) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4}"));
    let synthetic = if report.config.is_synthetic { " (synthetic)" } else { "" };
    match report.paper.as_ref().and_then(|record| record.test.first()) {
        Some(found) => {
            format!("SRCC {} PLCC {}{synthetic} on {}", number(found.srcc), number(found.plcc), report.device)
        }
        None => format!("no correlation{synthetic} on {}", report.device),
    }
}

/// Writes a table as text, Markdown and JSON.
fn write_table(out: &Path, table: &Table) -> Result<Vec<PathBuf>> {
    let mut json = serde_json::to_string_pretty(table).context("writing a table")?;
    json.push('\n');
    let files = [("txt", render::text(table)), ("md", render::markdown(table)), ("json", json)];
    let write = |(extension, text): (&str, String)| {
        let path = out.join(format!("{}.{extension}", table.experiment));
        write_atomically(&path, text.as_bytes())?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}

/// Draws a figure; a table has none.
fn write_chart(out: &Path, experiment: &Experiment, table: &Table) -> Result<Vec<PathBuf>> {
    let tasks = [Task::Perception, Task::Alignment];
    let has_all = |task: &Task| table.lines.iter().any(|line| line.task == *task);
    if !experiment.id.starts_with("fig") || !tasks.iter().all(has_all) {
        return Ok(Vec::new());
    }
    let svg = chart::bars(table)?;
    let (vector, picture) =
        (out.join(format!("{}.svg", table.experiment)), out.join(format!("{}.png", table.experiment)));
    write_atomically(&vector, svg.as_bytes())?;
    write_atomically(&picture, &plots::png(&svg)?)?;
    Ok(vec![vector, picture])
}
