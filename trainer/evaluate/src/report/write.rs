//! Writes the files of a report. All files are computed before the first is written, and each file appears whole.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tsp_mgs_data::files::write_whole;

use super::{html, plots};
use crate::evaluation::{Evaluation, Group};

/// An evaluation in `evaluation.json`, with the metrics of its groups.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    groups: Vec<Group>,
}

/// Writes a report into `dir`, which is created if necessary, and returns the paths of its files, the page first.
///
/// The files are `report.html`, `evaluation.json`, and `scatter-TASK` and `calibration-TASK` as `.svg` and `.png`. The
/// second evaluation of the same task is called `TASK-2`, and so on.
///
/// # Errors
/// Fails if there is no evaluation, an evaluation has no rows, or a file cannot be written.
pub fn write_report(dir: &Path, evaluations: &[Evaluation]) -> Result<Vec<PathBuf>> {
    ensure!(!evaluations.is_empty(), "there is nothing to report: no task was evaluated");
    for evaluation in evaluations {
        ensure!(
            !evaluation.rows.is_empty(),
            "there is nothing to report: no image of {1} was evaluated for {0}",
            evaluation.task,
            evaluation.dataset
        );
    }
    let records: Vec<Record> =
        evaluations.iter().map(|evaluation| Record { evaluation, groups: evaluation.groups() }).collect();
    let mut files = vec![("evaluation.json".into(), serde_json::to_vec_pretty(&records)?)];
    let mut sections = Vec::new();
    for (record, name) in records.iter().zip(file_names(evaluations)) {
        let [scatter, calibration] = [plots::scatter(record.evaluation)?, plots::calibration(record.evaluation)?];
        for (plot, svg) in [("scatter", &scatter), ("calibration", &calibration)] {
            files.push((format!("{plot}-{name}.svg"), svg.clone().into_bytes()));
            files.push((format!("{plot}-{name}.png"), plots::png(svg)?));
        }
        sections.push(html::Section { evaluation: record.evaluation, groups: &record.groups, scatter, calibration });
    }
    // The page is written last: if it exists, all other files do.
    files.push(("report.html".into(), html::page(&sections)?.into_bytes()));

    fs::create_dir_all(dir).with_context(|| format!("creating the folder {}", dir.display()))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = dir.join(name);
        write_whole(&path, &bytes)?;
        written.insert(0, path);
    }
    Ok(written)
}

/// File names of the tasks, all different.
fn file_names(evaluations: &[Evaluation]) -> Vec<String> {
    let mut names = Vec::<String>::new();
    for evaluation in evaluations {
        let letters =
            evaluation.task.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        let name: String = letters.collect();
        let mut candidates = (2..).map(|i| format!("{name}-{i}"));
        let mut free = name.clone();
        while names.contains(&free) {
            free = candidates.next().expect("the numbers do not end");
        }
        names.push(free);
    }
    names
}
