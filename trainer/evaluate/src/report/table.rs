//! The table for a terminal: a group a row.

use std::fmt;

use tsp_mgs_data::metrics::Interval;

use crate::evaluation::{Evaluation, Group, Kind, cell};

const HEADER: [&str; 7] = ["", "n", "SRCC [95 %]", "PLCC [95 %]", "PLCC fitted", "KRCC", "RMSE"];

impl fmt::Display for Evaluation {
    /// The task, the model, the data set and the notes, then the table; ends with a line break.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{}: {} on {}", self.task, self.model, self.dataset_label())?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let mut rows = vec![HEADER.map(String::from)];
        rows.extend(self.groups().iter().map(cells));
        let widths: [usize; 7] =
            std::array::from_fn(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0));
        for row in rows {
            write!(f, "{:<1$}", row[0], widths[0])?;
            for (cell, width) in row.iter().zip(widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn cells(group: &Group) -> [String; 7] {
    let name = match group.kind {
        Kind::Overall => group.name.clone(),
        Kind::Generator => format!("generator {}", group.name),
        Kind::Style => format!("style {}", group.name),
    };
    let metrics = &group.metrics;
    [
        name,
        metrics.n.to_string(),
        with_interval(metrics.srcc, metrics.srcc_interval),
        with_interval(metrics.plcc, metrics.plcc_interval),
        cell(metrics.plcc_fitted),
        cell(metrics.krcc),
        cell(metrics.rmse),
    ]
}

/// A place for each bound even where there is none, so that numbers stand below each other.
fn with_interval(value: Option<f64>, interval: Option<Interval>) -> String {
    let [lower, upper] = interval.map_or([None; 2], |interval| interval.map(Some));
    format!("{} [{:>6}, {:>6}]", cell(value), cell(lower), cell(upper))
}
