//! The report of a run: the results of both protocols, and notes for their reader.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use tsp_mgs_data::dataset::Problem;
use tsp_mgs_data::decoded::DecodedSet;

use crate::config::RunConfig;
use crate::history::{Correlations, EpochRecord, Progress};

/// The content of `report.json`.
#[derive(Debug, Serialize)]
pub struct RunReport<'a> {
    config: &'a RunConfig,
    /// Name of the device.
    device: &'a str,
    /// Memory use, for people.
    memory: String,
    /// The epoch that the paper protocol chooses: the best (SRCC + PLCC) / 2 on the test part itself, as in IPCE's
    /// code.
    paper: Option<&'a EpochRecord>,
    /// The epoch that the honest protocol chooses: the last one, or the best one on the validation part.
    honest: Option<&'a EpochRecord>,
    /// Rows of the table that were skipped.
    skipped: &'a [Problem],
    /// Images that could not be decoded.
    undecodable: &'a [String],
    /// Notes for a reader of the numbers.
    notes: Vec<String>,
}

impl<'a> RunReport<'a> {
    /// The report of a finished run.
    pub fn new(
        config: &'a RunConfig,
        data: &'a DecodedSet,
        progress: &'a Progress,
        device: &'a str,
        memory: String,
    ) -> Self {
        let history = &progress.history;
        let best = |part: fn(&EpochRecord) -> &[Correlations]| progress.best_epoch(part).map(|i| &history[i]);
        let honest = match config.split.validation {
            0.0 => history.last(),
            _ => best(|record| &record.validation),
        };
        let mut notes = Vec::new();
        if config.is_synthetic {
            notes.push("the images and their scores are synthetic; the results say nothing about real images".into());
        }
        let left_out = data.set.skipped.len() + data.undecodable.len();
        if left_out > 0 {
            notes.push(format!("{left_out} images were skipped; report.json lists them"));
        }
        if let Some(share) = history.last().and_then(|record| record.stuck_share) {
            let percent = 100.0 * share;
            notes.push(format!(
                "rounding to 16-bit floats left {percent:.0} % of the matrices' weights unchanged in the last step"
            ));
        }
        Self {
            config,
            device,
            memory,
            paper: best(|record| &record.test),
            honest,
            skipped: &data.set.skipped,
            undecodable: &data.undecodable,
            notes,
        }
    }

    /// The text of `report.json`.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a report is plain data");
        json.push('\n');
        json
    }

    /// Prints the table of both protocols, the notes and the folders of the weights.
    ///
    /// # Errors
    /// Fails if standard output is closed.
    pub fn print(&self, folder: &Path) -> Result<()> {
        let mut out = io::stdout().lock();
        let mut print = || -> io::Result<()> {
            writeln!(out, "{:<10} {:>5}  {:<10} {:>7} {:>7}", "protocol", "epoch", "task", "SRCC", "PLCC")?;
            for (protocol, record) in [("paper", self.paper), ("honest", self.honest)] {
                for found in record.iter().flat_map(|record| &record.test) {
                    let show = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.4}"));
                    let epoch = record.map_or(0, |record| record.epoch);
                    let (task, srcc, plcc) = (found.task.name(), show(found.srcc), show(found.plcc));
                    writeln!(out, "{protocol:<10} {epoch:>5}  {task:<10} {srcc:>7} {plcc:>7}")?;
                }
            }
            writeln!(out, "memory: {}", self.memory)?;
            for note in &self.notes {
                writeln!(out, "note: {note}")?;
            }
            writeln!(out, "wrote {0}/paper and {0}/honest, models for trainer score --model", folder.display())
        };
        print().context("writing to standard output")
    }
}
