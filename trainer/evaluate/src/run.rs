//! `trainer evaluate`: evaluates a model or a baseline against opinion scores.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tsp_mgs_core::options::Options;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::scorer::{ImageTower, Scorer};
use tsp_mgs_data::decoded::{DecodedSet, workers};
use tsp_mgs_data::files::parent;
use tsp_mgs_data::progress::progress_bar;
use tsp_mgs_score::device;
use tsp_mgs_score::model::Model;
use tsp_mgs_score::predict::{self, PredictedScores};

use crate::args::EvaluateArgs;
use crate::evaluation::{EvaluatedImage, Evaluation, TaskScores};
use crate::method::{Method, ScoreKind};
use crate::report_folder;
use crate::subset::Subset;

/// Number of skipped rows and images that a note names.
const NAMED: usize = 20;

/// Evaluates a model as the flags say, writes the report and prints its table.
///
/// # Errors
/// Fails before the scoring if a flag, the data set, a split or the weights are wrong. Fails afterwards if the report
/// cannot be written.
///
/// # Examples
///
/// ```no_run
/// use clap::Parser;
/// use tsp_mgs_evaluate::args::EvaluateArgs;
/// use tsp_mgs_evaluate::run::run;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     evaluate: EvaluateArgs,
/// }
///
/// let flags = "evaluate --data AGIQA-3K --model run/honest --out report";
/// run(&Cli::parse_from(flags.split(' ')).evaluate)?;
/// # anyhow::Ok(())
/// ```
pub fn run(args: &EvaluateArgs) -> Result<()> {
    args.method.check_weights(&args.model)?;
    report_folder::check(&args.out)?;
    let model = Model::open(&args.model)?;
    let tasks = args.method.tasks(&args.options, &model.tasks)?;
    let data = open_data(args, &tasks)?;
    let (tasks, mut notes) = with_opinions(tasks, &data)?;
    let subset = Subset::choose(&args.subset, &args.data, &data)?;
    notes.splice(0..0, notes_on(args, &model, &data, &subset));

    let device = device::select(args.device)?;
    let mut scorer = model.scorer(tasks.clone(), ImageTower::default(), &device.device)?;
    let (count, set) = (subset.items.len(), &data.set.name);
    eprintln!("evaluating {} on {count} images of {set}, device {}", args.method.name(), device.name);
    let progress = progress_bar(count);
    let done = |count: usize| progress.set_position(count as u64);
    let predicted = predict_by_method(args.method, &data, &mut scorer, &subset.items, workers(args.workers), done)?;
    progress.finish_and_clear();

    let name = match args.method {
        Method::TspMgs => model.label(),
        method => format!("{} with {}", method.name(), model.label()),
    };
    let evaluations: Vec<Evaluation> = (0..tasks.len())
        .map(|task| {
            Ok(Evaluation {
                task: tasks[task].task.name().into(),
                model: name.clone(),
                dataset: format!("{}, {}", data.set.name, subset.name),
                is_synthetic: data.set.is_synthetic,
                notes: notes.clone(),
                rows: rows(&data, &subset.items, &predicted, &tasks, task)?,
            })
        })
        .collect::<Result<_>>()?;
    // The report is written before anything is printed, so that a closed pipe does not lose it. The tables are printed
    // even if the report cannot be written.
    let written = report_folder::replace(&args.out, &evaluations);
    print(&evaluations, written, args)
}

/// Scores items by a method. Scores of kind [`ScoreKind::Cosine`] and [`ScoreKind::Logit`] are returned as alignment.
///
/// `done` is called with the number of items that are finished.
///
/// # Errors
/// Fails if an image is no longer readable, the model has no text tower, or the device fails.
pub fn predict_by_method(
    method: Method,
    data: &DecodedSet,
    scorer: &mut Scorer,
    items: &[usize],
    workers: NonZeroUsize,
    done: impl FnMut(usize),
) -> Result<Vec<PredictedScores>> {
    let numbers = match method.score_kind() {
        ScoreKind::Quality => return predict::predict(data, scorer, items, workers, done),
        ScoreKind::Cosine => Scorer::prompt_cosines,
        ScoreKind::Logit => Scorer::prompt_logits,
    };
    predict::predict_by(data, scorer, items, workers, done, |scorer, batch| {
        let numbers = numbers(scorer, batch)?.try_into_data().context("reading the scores from the device")?;
        let numbers = numbers.try_to_vec::<f32>().context("reading the scores from the device")?;
        let predicted = |number: f32| PredictedScores { perception: None, alignment: Some(number.into()) };
        Ok(numbers.into_iter().map(predicted).collect())
    })
}

/// Opens and decodes the data set. If a task was asked for, its opinion scores are required before images are decoded.
fn open_data(args: &EvaluateArgs, tasks: &[Options]) -> Result<DecodedSet> {
    let cache = args.cache.clone().unwrap_or_else(|| -> PathBuf { parent(&args.out).join("image-cache") });
    let required = if args.options.task.is_some() { tasks } else { &[] };
    DecodedSet::open(&args.data, required, &cache)
}

/// The tasks that the data set has opinion scores of, and notes on the other tasks.
fn with_opinions(tasks: Vec<Options>, data: &DecodedSet) -> Result<(Vec<Options>, Vec<String>)> {
    let (mut kept, mut notes, mut first) = (Vec::new(), Vec::new(), None);
    for task in tasks {
        match data.set.require(&task) {
            Ok(()) => kept.push(task),
            Err(error) => {
                notes.push(format!("{} is not evaluated: the data set lacks scores or prompts", task.task.name()));
                first = first.or(Some(error));
            }
        }
    }
    match first {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok((kept, notes)),
    }
}

/// Notes for a reader of the numbers, most important first.
fn notes_on(args: &EvaluateArgs, model: &Model, data: &DecodedSet, subset: &Subset) -> Vec<String> {
    let mut notes: Vec<String> = model.warning.iter().cloned().collect();
    notes.extend(args.model.model.as_ref().and_then(|folder| subset.training_leak_note(folder, data)));
    notes.extend(subset.leak_notes(&data.set.items));
    notes.extend(args.method.notes());
    let skipped: Vec<String> = data.set.skipped.iter().map(ToString::to_string).collect();
    for (what, list) in [("rows of the table", &skipped), ("images that cannot be decoded", &data.undecodable)] {
        if !list.is_empty() {
            let named = list[..list.len().min(NAMED)].join("; ");
            let more = if list.len() > NAMED { format!("; and {} more", list.len() - NAMED) } else { String::new() };
            notes.push(format!("skipped {} {what}: {named}{more}", list.len()));
        }
    }
    notes
}

/// The rows of one task. If a second task is evaluated, each row has its scores too.
fn rows(
    data: &DecodedSet,
    items: &[usize],
    predicted: &[PredictedScores],
    tasks: &[Options],
    task: usize,
) -> Result<Vec<EvaluatedImage>> {
    let scores = |options: &Options, item: usize, predicted: &PredictedScores| {
        let item = &data.set.items[item];
        let task = options.task.name();
        let mos = item.score(options.task).with_context(|| format!("{} has no score of {task}", item.name))?;
        let score = match options.task {
            Task::Perception => predicted.perception,
            Task::Alignment => predicted.alignment,
        };
        let score = score.with_context(|| {
            format!("{} has no prompt, which the score needs; name the column of prompts with --columns", item.name)
        })?;
        Ok::<_, anyhow::Error>(TaskScores { task: task.into(), mos, predicted: score })
    };
    let other = tasks.iter().enumerate().find(|(index, _)| *index != task).map(|(_, other)| other);
    let row = |(&index, predicted)| {
        let TaskScores { mos, predicted: score, .. } = scores(&tasks[task], index, predicted)?;
        let item = &data.set.items[index];
        Ok(EvaluatedImage {
            image: item.image.clone(),
            prompt: item.prompt.clone(),
            generator: item.generator.clone(),
            style: item.style.clone(),
            mos,
            predicted: score,
            other: other.map(|other| scores(other, index, predicted)).transpose()?,
        })
    };
    items.iter().zip(predicted).map(row).collect()
}

/// Prints the tables. The last line names the files that were written.
fn print(evaluations: &[Evaluation], written: Result<()>, args: &EvaluateArgs) -> Result<()> {
    let mut out = io::stdout().lock();
    for evaluation in evaluations {
        writeln!(out, "{evaluation}").context("writing to standard output")?;
    }
    written?;
    let plots = 4 * evaluations.len();
    writeln!(out, "wrote {}: report.html, evaluation.json and {plots} plots", args.out.display())
        .context("writing to standard output")
}
