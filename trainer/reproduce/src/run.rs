//! `trainer reproduce`: runs the jobs that are not finished, and writes the tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::files::write_atomically;
use tsp_mgs_evaluate::report::plots;

use crate::args::ReproduceArgs;
use crate::paper::Experiment;
use crate::plan::Plan;
use crate::queue::{self, Process, create_folder, format_duration};
use crate::report::{Agreement, Report};
use crate::table::Table;
use crate::{chart, render};

/// Reproduces the tables and figures that the flags name. The exit code is 1 if a job failed.
///
/// # Errors
/// Fails before any job runs if a data set, a split list, the CLIP file or the folder is wrong.
///
/// # Examples
///
/// ```no_run
/// use clap::Parser;
/// use tsp_mgs_reproduce::args::ReproduceArgs;
/// use tsp_mgs_reproduce::run::run;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     reproduce: ReproduceArgs,
/// }
///
/// let flags = "reproduce table3 --data data --clip openai/clip-vit-base-patch32 --out runs";
/// run(&Cli::parse_from(flags.split(' ')).reproduce)?;
/// # anyhow::Ok(())
/// ```
pub fn run(args: &ReproduceArgs) -> Result<ExitCode> {
    let slots = args.slots()?;
    let plan = Plan::new(args, slots.len())?;
    let selected = plan.selected_jobs()?;
    if args.list {
        plan.jobs.iter().for_each(|job| println!("{}", job.name));
        return Ok(ExitCode::SUCCESS);
    }
    for folder in ["jobs", "logs"] {
        create_folder(&args.out.join(folder))?;
    }
    let mut reports = BTreeMap::new();
    for &index in &selected {
        if let Some(report) = plan.report(index)? {
            plan.jobs[index].remove_checkpoints(&args.out)?;
            reports.insert(index, report);
        }
    }
    let failed = run_jobs(&plan, &selected, &slots, &mut reports)?;
    let mut written = Vec::new();
    for experiment in plan.written_experiments() {
        let table = plan.table(experiment, &reports);
        written.extend(write_table(&args.out, &table)?);
        written.extend(write_chart(&args.out, experiment, &table)?);
        println!("{}", render::text(&table));
    }
    for (name, error) in &failed {
        eprintln!("failed: {name}: {error}");
    }
    if !written.is_empty() {
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        println!("wrote {}", names.join(", "));
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let (count, all, out) = (failed.len(), selected.len(), args.out.display());
    eprintln!("{count} of {all} jobs failed; {out}/logs has their output, and the same command tries them again");
    Ok(ExitCode::FAILURE)
}

/// Runs the selected jobs that are not finished. Returns the names of the failed jobs, with the reasons.
fn run_jobs(
    plan: &Plan,
    selected: &[usize],
    slots: &[String],
    reports: &mut BTreeMap<usize, Report>,
) -> Result<Vec<(String, String)>> {
    let out = &plan.shared.args.out;
    let todo: Vec<usize> = selected.iter().copied().filter(|index| !reports.contains_key(index)).collect();
    let processes = todo.iter().map(|&index| {
        let job = &plan.jobs[index];
        let set = plan.set(job.layout)?;
        Ok(Process {
            name: job.name.clone(),
            arguments: job.arguments(&plan.shared, set),
            log: job.log(out),
            result: job.result(out),
        })
    });
    let processes: Vec<Process> = processes.collect::<Result<_>>()?;
    let (all, before) = (selected.len(), reports.len());
    eprintln!("{all} jobs, {before} of them finished before, {} at a time", slots.len());
    let (start, mut ended, mut failed) = (Instant::now(), 0, Vec::new());
    queue::run(&processes, slots, |place, time, result| {
        ended += 1;
        let job = &plan.jobs[todo[place]];
        let result = result.and_then(|()| plan.report(todo[place])?.context("the job wrote no report"));
        let outcome = match &result {
            Ok(report) => summary(report),
            Err(error) => format!("failed: {error:#}"),
        };
        let share_left = (todo.len() - ended) as f64 / ended as f64;
        let left = Duration::from_secs_f64(start.elapsed().as_secs_f64() * share_left);
        let (done, time, left) = (before + ended, format_duration(time), format_duration(left));
        eprintln!("{done}/{all} {}: {outcome}; {time}, about {left} left", job.name);
        match result {
            Ok(report) => {
                reports.insert(todo[place], report);
                let removed = match plan.shared.args.keep_models {
                    true => job.remove_checkpoints(out),
                    false => job.remove_checkpoints(out).and_then(|()| job.remove_models(out)),
                };
                removed.unwrap_or_else(|error| eprintln!("warning: {error:#}"));
            }
            Err(error) => failed.push((job.name.clone(), format!("{error:#}"))),
        }
        // The tables are written after each job, so that an interruption loses nothing.
        for experiment in plan.written_experiments() {
            if let Err(error) = write_table(out, &plan.table(experiment, reports)) {
                eprintln!("warning: {error:#}");
            }
        }
    })?;
    Ok(failed)
}

/// The result of a finished job in one line.
fn summary(report: &Report) -> String {
    let Agreement { srcc, plcc } = report.paper;
    let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4}"));
    let synthetic = if report.is_synthetic { " (synthetic)" } else { "" };
    format!("SRCC {} PLCC {}{synthetic}", number(srcc), number(plcc))
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

/// Draws the chart of a figure. A table has no chart.
fn write_chart(out: &Path, experiment: &Experiment, table: &Table) -> Result<Vec<PathBuf>> {
    let tasks = [Task::Perception, Task::Alignment];
    let has_all = |task: &Task| table.rows.iter().any(|row| row.task == *task);
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
