//! `trainer evaluate`: a model, or a method that it is compared with, against people's opinions (SPEC §7).

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tsp_mgs_core::options::Options;
use tsp_mgs_core::scorer::{ImageTower, Scorer};
use tsp_mgs_data::decoded::{DecodedSet, workers};
use tsp_mgs_data::files::parent;
use tsp_mgs_data::progress::progress_bar;
use tsp_mgs_score::device;
use tsp_mgs_score::model::Model;
use tsp_mgs_score::predict::{self, Predicted};

use crate::args::EvaluateArgs;
use crate::evaluation::{Evaluation, JudgedImage, OtherTask};
use crate::method::{Judged, Method, Number};
use crate::part::Part;
use crate::report_folder;

/// Rows and images that were left out and that a note names; it says how many more there are.
const NAMED: usize = 20;

/// Runs `trainer evaluate`.
///
/// # Errors
/// For wrong flags, data, splits or weights, before anything is scored; and when the report cannot be written.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    args.method.check_weights(&args.model)?;
    report_folder::check(&args.out)?;
    let model = Model::open(&args.model)?;
    let judged = args.method.judged(&args.options, &model.tasks)?;
    let data = open_data(args, &judged)?;
    let (judged, mut notes) = with_opinions(judged, &data)?;
    let part = Part::choose(&args.part, &args.data, &data)?;
    notes.splice(0..0, notes_on(args, &model, &data, &part));

    let device = device::select(args.device)?;
    let mut scored: Vec<Options> = Vec::new();
    for Judged { options, .. } in &judged {
        if !scored.contains(options) {
            scored.push(options.clone());
        }
    }
    let mut scorer = model.scorer(scored, ImageTower::default(), &device.device)?;
    let (count, set) = (part.items.len(), &data.set.name);
    eprintln!("judging {} on {count} images of {set}, device {}", args.method.name(), device.name);
    let progress = progress_bar(count);
    let done = |count: usize| progress.set_position(count as u64);
    let predicted = predict_by_method(args.method, &data, &mut scorer, &part.items, workers(args.workers), done)?;
    progress.finish_and_clear();

    let name = match args.method {
        Method::TspMgs => model.label(),
        method => format!("{} with {}", method.name(), model.label()),
    };
    let evaluations: Vec<Evaluation> = (0..judged.len())
        .map(|task| {
            Ok(Evaluation {
                task: judged[task].task.name().into(),
                model: name.clone(),
                dataset: format!("{}, {}", data.set.name, part.name),
                is_synthetic: data.set.is_synthetic,
                notes: notes.clone(),
                rows: rows(&data, &part.items, &predicted, &judged, task)?,
            })
        })
        .collect::<Result<_>>()?;
    // Before anything is printed, so that a closed pipe does not cost the report; what could not be written is
    // still printed.
    let written = report_folder::replace(&args.out, &evaluations);
    print(&evaluations, written, args)
}

/// Scores items as a method does; those of [`Number::Cosine`] and [`Number::Logit`] are called alignment.
///
/// # Errors
/// When an image is no longer readable, the model has no text tower, or the device fails.
pub fn predict_by_method(
    method: Method,
    data: &DecodedSet,
    scorer: &mut Scorer,
    items: &[usize],
    workers: NonZeroUsize,
    done: impl FnMut(usize),
) -> Result<Vec<Predicted>> {
    let numbers = match method.number() {
        Number::Quality => return predict::predict(data, scorer, items, workers, done),
        Number::Cosine => Scorer::prompt_cosines,
        Number::Logit => Scorer::prompt_logits,
    };
    predict::predict_by(data, scorer, items, workers, done, |scorer, batch| {
        let numbers = numbers(scorer, batch)?.try_into_data().context("reading the scores from the device")?;
        let numbers = numbers.try_to_vec::<f32>().context("reading the scores from the device")?;
        let predicted = |number: f32| Predicted { perception: None, alignment: Some(number.into()) };
        Ok(numbers.into_iter().map(predicted).collect())
    })
}

/// With --task, opinions of what was asked for must be there before images are decoded.
fn open_data(args: &EvaluateArgs, judged: &[Judged]) -> Result<DecodedSet> {
    let cache = args.cache.clone().unwrap_or_else(|| -> PathBuf { parent(&args.out).join("image-cache") });
    let asked = judged.iter().filter(|_| args.options.task.is_some());
    let asked: Vec<Options> = asked.map(|judged| Options::default_for(judged.task)).collect();
    DecodedSet::open(&args.data, &asked, &cache)
}

/// The tasks that the data set has opinions of, and notes on the others.
fn with_opinions(judged: Vec<Judged>, data: &DecodedSet) -> Result<(Vec<Judged>, Vec<String>)> {
    let (mut kept, mut notes, mut first) = (Vec::new(), Vec::new(), None);
    for judged in judged {
        match data.set.require(judged.task) {
            Ok(()) => kept.push(judged),
            Err(error) => {
                notes.push(format!("{} is not judged: the data set lacks scores or prompts", judged.task.name()));
                first = first.or(Some(error));
            }
        }
    }
    match first {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok((kept, notes)),
    }
}

/// What a reader of the numbers must know, the worst first.
fn notes_on(args: &EvaluateArgs, model: &Model, data: &DecodedSet, part: &Part) -> Vec<String> {
    let mut notes: Vec<String> = model.warning.iter().cloned().collect();
    notes.extend(args.model.model.as_ref().and_then(|folder| part.trained_on(folder, data)));
    notes.extend(part.leaks(&data.set.items));
    notes.extend(args.method.notes());
    let skipped: Vec<String> = data.set.skipped.iter().map(ToString::to_string).collect();
    for (what, list) in [("rows of the table", &skipped), ("images that cannot be decoded", &data.undecodable)] {
        if !list.is_empty() {
            let named = list[..list.len().min(NAMED)].join("; ");
            let more = if list.len() > NAMED { format!("; and {} more", list.len() - NAMED) } else { String::new() };
            notes.push(format!("left out, {} {what}: {named}{more}", list.len()));
        }
    }
    notes
}

/// One task's rows, with the other task beside it where that is judged too.
fn rows(
    data: &DecodedSet,
    items: &[usize],
    predicted: &[Predicted],
    judged: &[Judged],
    task: usize,
) -> Result<Vec<JudgedImage>> {
    let scores = |judged: &Judged, item: usize, predicted: &Predicted| {
        let item = &data.set.items[item];
        let task = judged.task.name();
        let mos = item.score(judged.task).with_context(|| format!("{} has no score of {task}", item.name))?;
        let score = judged.score(predicted).with_context(|| {
            format!("{} has no prompt, which is judged by; name the column of prompts with --columns", item.name)
        })?;
        Ok::<_, anyhow::Error>(OtherTask { task: task.into(), mos, predicted: score })
    };
    let other = judged.iter().enumerate().find(|(place, _)| *place != task).map(|(_, other)| other);
    let row = |(&place, predicted)| {
        let OtherTask { mos, predicted: score, .. } = scores(&judged[task], place, predicted)?;
        let item = &data.set.items[place];
        Ok(JudgedImage {
            image: item.image.clone(),
            prompt: item.prompt.clone(),
            generator: item.generator.clone(),
            style: item.style.clone(),
            mos,
            predicted: score,
            other: other.map(|other| scores(other, place, predicted)).transpose()?,
        })
    };
    items.iter().zip(predicted).map(row).collect()
}

/// The tables; the last line says what was written.
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
