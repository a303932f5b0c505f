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
use tsp_mgs_core::result::{FoundPrompt, ImageScore, Run, WITHOUT_PROMPT};
use tsp_mgs_core::scorer::{Input, Scorer};

use crate::cli::ScoreArgs;
use crate::device;
use crate::images;
use crate::model::Model;
use crate::report::{Printer, Row, Scored};

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

    let run = Run::new(&scorer, device.name, model.label(), model.warning);
    for note in run.notes() {
        eprintln!("note: {note}");
    }
    let mut printer = Printer::new(args.format, run, io::stdout().lock());
    let total = images.len();
    let progress = progress_bar(total);
    let (mut failures, mut without_prompt) = (0, 0);
    let wants_alignment = scorer.tasks().iter().any(|options| options.task() == Task::Alignment);

    let plan = scorer.view_plan();
    let (sender, prepared) = sync_channel(AHEAD);
    thread::scope(|scope| {
        scope.spawn(move || {
            for (path, listed) in images {
                let result = listed.and_then(|()| prepare(&path, args.prompt.as_deref(), plan));
                // The receiver is gone when printing failed: then there is nothing left to do.
                if sender.send(Prepared { path, result }).is_err() {
                    return;
                }
            }
        });
        for rows in score_all(&mut scorer, &prepared) {
            for row in rows {
                match &row.result {
                    Ok(scored) => without_prompt += usize::from(wants_alignment && scored.score.alignment.is_none()),
                    Err(_) => failures += 1,
                }
                progress.suspend(|| printer.print(&row))?;
                progress.inc(1);
            }
        }
        drop(prepared);
        printer.finish()
    })?;
    progress.finish_and_clear();
    if without_prompt > 0 {
        eprintln!("note: {without_prompt} of {total} images have {WITHOUT_PROMPT}");
    }
    if failures > 0 {
        eprintln!("error: {failures} of {total} images could not be scored");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// An image ready for the device, or why not.
struct Prepared {
    path: PathBuf,
    result: Result<(Views, Option<FoundPrompt>)>,
}

fn prepare(path: &Path, prompt: Option<&str>, plan: ViewPlan) -> Result<(Views, Option<FoundPrompt>)> {
    let bytes = fs::read(path).context("reading the file")?;
    let prompt = images::prompt(prompt, path, &bytes)?;
    Ok((views(&decode(&bytes)?, plan)?, prompt))
}

/// Scores what arrives, in order, a few images at a time; one that fails does not touch the others.
fn score_all(scorer: &mut Scorer, prepared: &Receiver<Prepared>) -> impl Iterator<Item = Vec<Row>> {
    iter::from_fn(move || {
        let first = prepared.recv().ok()?;
        let batch: Vec<Prepared> =
            iter::once(first).chain(prepared.try_iter().take(scorer.images_at_once() - 1)).collect();
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
pub(crate) fn progress_bar(images: usize) -> ProgressBar {
    let is_shown = io::stderr().is_terminal() && images > 1;
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} images, {per_sec}, {eta} left");
    ProgressBar::with_draw_target(Some(images as u64), target).with_style(style.expect("the template is a constant"))
}
