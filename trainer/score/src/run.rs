//! `trainer score`: scores images and writes one row for each.
//!
//! An image passes through `input → record → prepare → batching → row → output`. Threads read, decode and cut the next
//! images while the device computes. The number of images that they prepare ahead is bounded.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use tsp_mgs_core::result::Run;
use tsp_mgs_core::scorer::Scorer;
use tsp_mgs_core::work::Counter;
use tsp_mgs_data::progress;
use tsp_mgs_data::terminal::printable;

use crate::args::{ScoreArgs, TOO_MANY_ERRORS};
use crate::batching::score_all;
use crate::features::FeatureStore;
use crate::gallery::{Gallery, thumbnail};
use crate::input::images::SkippedImages;
use crate::input::record::Records;
use crate::model::Model;
use crate::output::parts::Parts;
use crate::output::run_settings::Settings;
use crate::output::{Output, resume};
use crate::prepare::prepare_all;
use crate::results::tally::Tally;
use crate::slow_start::SlowStartNote;
#[cfg(feature = "arrow")]
use crate::stream;
use crate::{input, without_arrow};

/// Runs `trainer score`.
///
/// Returns exit code 1 if at least one image could not be scored.
///
/// # Errors
/// Returns an error for wrong flags, a model or input that cannot be read, or an output that cannot be written.
///
/// # Examples
///
/// ```no_run
/// use clap::Parser;
/// use tsp_mgs_score::args::ScoreArgs;
/// use tsp_mgs_score::run::run;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     score: ScoreArgs,
/// }
///
/// # fn main() -> anyhow::Result<()> {
/// let cli = Cli::try_parse_from(["score", "photos", "--prompt", "a cat on a sofa", "--output", "scores.csv"])?;
/// let exit_code = run(&cli.score)?;
/// # Ok(())
/// # }
/// ```
pub fn run(args: &ScoreArgs) -> Result<ExitCode> {
    let skipped = SkippedImages::default();
    if args.stream.is_some() {
        without_arrow::check()?;
    }
    let records = if args.stream.is_some() { None } else { Some(input_records(args, &skipped)?) };
    if let Some(out) = &args.output.gallery {
        Gallery::check(out, args.output.overwrite, &args.input.paths)?;
    }
    let model = Model::open(&args.model)?;
    let tasks = args.options.apply(model.tasks.clone())?;
    let settings = Settings::new(args, &model, &tasks);
    let features_key = model.features_key();
    let mut counter = args.verbose.then(Counter::start);
    let (mut scorer, run) = args.compute.scorer(model, tasks)?;
    if let Some(counter) = &mut counter {
        eprintln!("preparation: {}", counter.take());
    }
    for note in run.notes() {
        eprintln!("note: {note}");
    }
    let features = args.features.as_ref();
    let store = features
        .map(|folder| FeatureStore::open(folder, &features_key, &scorer, args.compute.precision))
        .transpose()?;
    match records {
        #[cfg(feature = "arrow")]
        None => stream::run(args, &mut scorer, &run, store),
        #[cfg(not(feature = "arrow"))]
        None => Err(without_arrow::error().into()),
        Some(records) => {
            let code = score_records(args, records, &settings, &mut scorer, &run, store, counter)?;
            if let Some(note) = skipped.note() {
                eprintln!("note: {note}");
            }
            Ok(code)
        }
    }
}

/// Scores all records, writes their rows and prints a summary.
fn score_records(
    args: &ScoreArgs,
    mut records: Records,
    settings: &Settings,
    scorer: &mut Scorer,
    run: &Run,
    store: Option<FeatureStore>,
    mut counter: Option<Counter>,
) -> Result<ExitCode> {
    let Some((mut output, done)) = open_output(args, settings, &mut records)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut gallery = args.output.gallery.as_ref().map(|out| Gallery::begin(out, &args.input.paths)).transpose()?;
    let thumbnail_side = gallery.is_some().then_some(thumbnail::SIDE);
    let threads = args.worker_threads();
    let prepared = prepare_all(records, scorer, threads, args.prompt.clone(), store.clone(), thumbnail_side);
    let (input, shard) = (args.input.clone(), args.shard);
    let count = move || input::count(&input).map(|rows| shard.map_or(rows, |shard| shard.share(rows)));
    let progress = progress::uncounted(done.rows, count);
    let mut total = done;
    let mut stopped = args.exceeds_max_errors(total.failures);
    let mut note = Some(SlowStartNote::with(&run.device));
    let mut batches = score_all(scorer, prepared, store.as_ref());
    while !stopped && let Some(rows) = batches.next() {
        note.take();
        if let Some(counter) = &mut counter {
            progress.suspend(|| eprintln!("batch of {}: {}", rows.len(), counter.take()));
        }
        let tally = Tally::of(&rows, run);
        progress.suspend(|| output.add(&rows, tally, run))?;
        if let Some(gallery) = &mut gallery {
            gallery.add(&rows, run)?;
        }
        progress.inc(tally.rows);
        total += tally;
        stopped = args.exceeds_max_errors(total.failures);
    }
    progress.finish_and_clear();
    if stopped {
        output.stop()?;
    } else {
        output.finish()?;
        if let Some(gallery) = gallery {
            eprintln!("{}", gallery.finish(run)?);
        }
    }
    Ok(report(args, run, total, stopped))
}

/// The records of the input, or of the part of it that `--shard` selects.
fn input_records(args: &ScoreArgs, skipped: &SkippedImages) -> Result<Records> {
    let records = input::records(&args.input, skipped)?;
    let Some(shard) = args.shard else { return Ok(records) };
    Ok(Box::new(records.zip(0..).filter(move |(_, row_idx)| shard.has(*row_idx)).map(|(record, _)| record)))
}

/// Opens the output, and takes the records that it already has from `records`.
///
/// Returns the output and the counts of its existing rows, or `None` if the output file is complete.
fn open_output(args: &ScoreArgs, settings: &Settings, records: &mut Records) -> Result<Option<(Output, Tally)>> {
    let Some(file) = &args.output.output else { return Ok(Some((Output::to_stdout(args.format)?, Tally::default()))) };
    let Some(parts) = Parts::open(file, args.output.existing(), settings)? else {
        eprintln!("note: {} is complete; there is nothing left to do", printable(&file.path.to_string_lossy()));
        return Ok(None);
    };
    let done = resume::skip_scored(records, parts.finished())?;
    if done.rows > 0 {
        eprintln!("note: resuming after {} rows", done.rows);
    }
    Ok(Some((Output::to_file(parts, Duration::from_secs(args.output.part_seconds)), done)))
}

/// Prints a summary to standard error, and returns the exit code.
fn report(args: &ScoreArgs, run: &Run, total: Tally, stopped: bool) -> ExitCode {
    let Tally { rows, failures, without_prompt } = total;
    if let Some(note) = run.note_without_prompt()
        && without_prompt > 0
    {
        eprintln!("note: {without_prompt} of {rows} images have {note}");
    }
    if failures > 0 {
        eprintln!("error: {failures} of {rows} images could not be scored");
    }
    if let Some(file) = &args.output.output {
        let path = printable(&file.path.to_string_lossy());
        if stopped {
            eprintln!("error: {TOO_MANY_ERRORS}; {path}.parts has {rows} rows, pass --resume to continue");
        } else {
            eprintln!("wrote {rows} rows to {path}");
        }
    } else if stopped {
        eprintln!("error: {TOO_MANY_ERRORS}");
    }
    if let Some(gallery) = &args.output.gallery
        && stopped
    {
        eprintln!("note: the gallery {} was not written", printable(&gallery.to_string_lossy()));
    }
    if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
