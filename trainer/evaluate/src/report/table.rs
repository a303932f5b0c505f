//! The table for a terminal, with one row for each group.

use std::fmt;

use tsp_mgs_data::metrics::Interval;

use crate::evaluation::{Evaluation, Group, GroupKind, format_metric};

const HEADER: [&str; 7] = ["", "n", "SRCC [95 %]", "PLCC [95 %]", "PLCC fitted", "KRCC", "RMSE"];

impl fmt::Display for Evaluation {
    /// Writes the task, the model, the data set, the notes and the table, and ends with a line break.
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
        GroupKind::Overall => group.name.clone(),
        GroupKind::Generator => format!("generator {}", group.name),
        GroupKind::Style => format!("style {}", group.name),
    };
    let metrics = &group.metrics;
    [
        name,
        metrics.n.to_string(),
        with_interval(metrics.srcc, metrics.srcc_interval),
        with_interval(metrics.plcc, metrics.plcc_interval),
        format_metric(metrics.plcc_fitted),
        format_metric(metrics.krcc),
        format_metric(metrics.rmse),
    ]
}

/// Formats a metric with its interval. A missing interval takes the same width, so that columns stay aligned.
fn with_interval(value: Option<f64>, interval: Option<Interval>) -> String {
    let [lower, upper] = interval.map_or([None; 2], |interval| interval.map(Some));
    format!("{} [{:>6}, {:>6}]", format_metric(value), format_metric(lower), format_metric(upper))
}
