//! The folder of a report: it replaces an earlier report as a whole, and nothing else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tsp_mgs_data::files::{parent, put_in_place, unfinished_folder};

use crate::evaluation::Evaluation;
use crate::report::write_report;

/// The files of a report that are there whatever was evaluated.
const ALWAYS: [&str; 2] = ["report.html", "evaluation.json"];
const PLOTS: [&str; 2] = ["scatter", "calibration"];
const TASKS: [&str; 2] = ["perception", "alignment"];

/// Refuses a folder with anything but an earlier report, before anything is computed.
///
/// # Errors
/// Names what stands there.
pub fn check(out: &Path) -> Result<()> {
    if fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    if !out.is_dir() {
        bail!("{} is a file; pass a folder for the report with --out", out.display());
    }
    for entry in fs::read_dir(out).with_context(|| format!("reading {}", out.display()))? {
        let name = entry.with_context(|| format!("reading {}", out.display()))?.file_name();
        let name = name.to_string_lossy();
        if !is_of_a_report(&name) {
            bail!("{} holds {name}, which no report has; pass another --out, or remove it", out.display());
        }
    }
    Ok(())
}

/// Writes a report beside its place, then puts it there.
///
/// # Errors
/// When it cannot be written; then an earlier one stays.
pub fn replace(out: &Path, evaluations: &[Evaluation]) -> Result<()> {
    let staged = unfinished_folder(parent(out))?;
    write_report(staged.path(), evaluations)?;
    put_in_place(&staged.keep(), out)
}

fn is_of_a_report(name: &str) -> bool {
    let is_plot = || {
        let (stem, kind) = name.rsplit_once('.')?;
        let (plot, task) = stem.split_once('-')?;
        Some(PLOTS.contains(&plot) && TASKS.contains(&task) && matches!(kind, "svg" | "png"))
    };
    ALWAYS.contains(&name) || is_plot().unwrap_or(false)
}
