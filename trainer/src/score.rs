//! `trainer score`: images in, one result a line out.
//!
//! One thread reads, decodes and cuts the next images while the device computes.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::{fs, iter};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tsp_mgs_core::preprocess::{ViewPlan, Views, decode, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::scorer::{ImageScore, Input, Scorer, WITHOUT_TEXT};

use crate::cli::ScoreArgs;
use crate::device;
use crate::images::{self, FoundPrompt};
use crate::model::Model;
use crate::report::{Printer, Row, Run, Scored};

/// Views that the device gets at once, as far as whole images allow.
const BATCH_VIEWS: usize = 16;
/// Images prepared ahead of the device: 10 MB each with 16 views.
const AHEAD: usize = 4;

/// Runs `trainer score`; the exit code is 1 when an image could not be scored.
///
/// # Errors
/// For wrong flags, an unreadable model, or standard output that is closed.
pub fn run(args: &ScoreArgs) -> Result<ExitCode> {
    let images = images::list(&args.paths)?;
    let model = Model::open(&args.model)?;
    let tasks = args.options.apply(model.tasks.clone())?;
    let device = device::select(args.device)?;
    let mut scorer = model.scorer(tasks, &device.device)?;

    let mut notes: Vec<String> = model.warning.clone().into_iter().collect();
    if !scorer.has_text_tower() {
        notes.push(WITHOUT_TEXT.into());
    }
    for note in &notes {
        eprintln!("note: {note}");
    }
    let run = Run {
        device: device.name,
        model: model.label(),
        warning: model.warning,
        crops: scorer.view_plan().crops,
        is_vision_only: !scorer.has_text_tower(),
        wants_alignment: scorer.tasks().iter().any(|options| options.task() == Task::Alignment),
    };
    let mut printer = Printer::new(args.format, run, io::stdout().lock());
    let progress = progress_bar(images.len());
    let mut failures = 0;

    let plan = scorer.view_plan();
    let (sender, prepared) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let images = &images;
        scope.spawn(move || {
            for path in images {
                // The receiver is gone when printing failed: then there is nothing left to do.
                if sender.send(prepare(path, args.prompt.as_deref(), plan)).is_err() {
                    return;
                }
            }
        });
        let images_at_once = (BATCH_VIEWS / plan.len()).max(1);
        for rows in score_all(&mut scorer, &prepared, images_at_once) {
            for row in rows {
                failures += usize::from(row.result.is_err());
                progress.suspend(|| printer.print(&row))?;
                progress.inc(1);
            }
        }
        drop(prepared);
        printer.finish()
    })?;
    progress.finish_and_clear();
    if failures > 0 {
        eprintln!("error: {failures} of {} images could not be scored", images.len());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// An image ready for the device, or why not.
struct Prepared {
    path: PathBuf,
    result: Result<(Views, Option<FoundPrompt>)>,
}

fn prepare(path: &Path, prompt: Option<&str>, plan: ViewPlan) -> Prepared {
    let read = || {
        let bytes = fs::read(path).context("reading the file")?;
        let prompt = images::prompt(prompt, path, &bytes)?;
        Ok((views(&decode(&bytes)?, plan)?, prompt))
    };
    Prepared { path: path.to_owned(), result: read() }
}

/// Scores what arrives, in order, a few images at a time; one that fails does not touch the others.
fn score_all(
    scorer: &mut Scorer,
    prepared: &Receiver<Prepared>,
    images_at_once: usize,
) -> impl Iterator<Item = Vec<Row>> {
    iter::from_fn(move || {
        let first = prepared.recv().ok()?;
        let batch: Vec<Prepared> = iter::once(first).chain(prepared.try_iter().take(images_at_once - 1)).collect();
        let inputs: Vec<Input> = batch.iter().filter_map(|image| image.result.as_ref().ok()).map(input).collect();
        let scores = if inputs.is_empty() { Ok(Vec::new()) } else { score_batch(scorer, &inputs) };
        // A batch that fails as a whole is tried image by image, so that the guilty one is found.
        let mut scores: Vec<Result<ImageScore>> = match scores {
            Ok(scores) => scores.into_iter().map(Ok).collect(),
            Err(error) if inputs.len() == 1 => vec![Err(error)],
            Err(_) => inputs.iter().map(|&input| Ok(score_batch(scorer, &[input])?.remove(0))).collect(),
        };
        scores.reverse();
        let rows = batch.into_iter().map(|Prepared { path, result }| {
            let result = result.and_then(|(views, prompt)| {
                let score = scores.pop().expect("one score for each readable image")?;
                Ok(Scored { width: views.width, height: views.height, prompt, score })
            });
            Row { path, result }
        });
        Some(rows.collect())
    })
}

fn input((views, prompt): &(Views, Option<FoundPrompt>)) -> Input<'_> {
    Input { views, prompt: prompt.as_ref().map(|prompt| prompt.text.as_str()) }
}

/// Scores and waits for the numbers.
///
/// # Errors
/// As [`Scorer::score_batch`], and when the device fails.
pub fn score_batch(scorer: &mut Scorer, inputs: &[Input]) -> Result<Vec<ImageScore>> {
    let (numbers, layout) = scorer.score_batch(inputs)?;
    let numbers = numbers.try_into_data().context("reading the scores from the device")?;
    Ok(layout.scores(&numbers.try_to_vec::<f32>().context("reading the scores from the device")?)?)
}

/// Images done and time left; nothing when standard error is no terminal.
fn progress_bar(images: usize) -> ProgressBar {
    let is_shown = io::stderr().is_terminal() && images > 1;
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} images, {per_sec}, {eta} left");
    ProgressBar::with_draw_target(Some(images as u64), target).with_style(style.expect("the template is a constant"))
}
