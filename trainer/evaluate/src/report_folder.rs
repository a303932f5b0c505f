//! The folder of a report. A new report replaces an earlier one as a whole. Other folders are refused.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tsp_mgs_data::files::{parent, put_in_place, unfinished_folder};

use crate::evaluation::Evaluation;
use crate::report::write_report;

/// Files that every report has.
const ALWAYS: [&str; 2] = ["report.html", "evaluation.json"];
const PLOTS: [&str; 2] = ["scatter", "calibration"];
const TASKS: [&str; 2] = ["perception", "alignment"];

/// Checks that the folder is absent, empty, or holds an earlier report.
///
/// # Errors
/// Fails if it holds another file, and names it.
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
        if !is_report_file(&name) {
            bail!(
                "{} holds {name}, which is no file of a report; pass another --out, or remove the file",
                out.display()
            );
        }
    }
    Ok(())
}

/// Writes a report into a temporary folder, then moves the folder to `out`.
///
/// # Errors
/// Fails if the report cannot be written. An earlier report stays then.
pub fn replace(out: &Path, evaluations: &[Evaluation]) -> Result<()> {
    let staged = unfinished_folder(parent(out))?;
    write_report(staged.path(), evaluations)?;
    put_in_place(&staged.keep(), out)
}

fn is_report_file(name: &str) -> bool {
    let is_plot = || {
        let (stem, kind) = name.rsplit_once('.')?;
        let (plot, task) = stem.split_once('-')?;
        Some(PLOTS.contains(&plot) && TASKS.contains(&task) && matches!(kind, "svg" | "png"))
    };
    ALWAYS.contains(&name) || is_plot().unwrap_or(false)
}
