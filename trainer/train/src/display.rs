//! Progress of a run on standard error: nothing, a progress bar, or a dashboard above a progress bar.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};

use anyhow::{Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tsp_mgs_core::prompts::Task;

use crate::history::{Correlations, EpochRecord};

/// Number of losses in the curve of the dashboard.
const CURVE_STEPS: usize = 60;
/// Characters of the curve, from the lowest loss to the highest.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What a run prints on standard error while it trains.
pub enum Display {
    /// Nothing.
    Quiet,
    /// A progress bar on a terminal, and a line for each epoch.
    Bar(ProgressBar),
    /// A progress bar below the last losses and the correlations of each task.
    Dashboard(Box<Dashboard>),
}

/// The dashboard of `--tui`: lines that are redrawn in place.
pub struct Dashboard {
    /// Draws the lines below each other.
    lines: MultiProgress,
    loss: ProgressBar,
    tasks: Vec<TaskLine>,
    bar: ProgressBar,
    losses: VecDeque<f64>,
}

/// The line with the correlations of one task on the test part.
struct TaskLine {
    task: Task,
    line: ProgressBar,
    /// The highest SRCC so far, with its epoch.
    best: Option<(f64, usize)>,
}

impl Display {
    /// A progress bar. If standard error is not a terminal, only the lines of the epochs are printed.
    pub fn bar() -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self::Bar(ProgressBar::with_draw_target(None, target).with_style(bar_style()))
    }

    /// A dashboard with a line for each task.
    ///
    /// # Errors
    /// Fails if standard error is not a terminal.
    pub fn dashboard(tasks: impl IntoIterator<Item = Task>) -> Result<Self> {
        if !io::stderr().is_terminal() {
            bail!("--tui needs a terminal as standard error, found none; run without --tui");
        }
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let text = || lines.add(ProgressBar::no_length().with_style(text_style()));
        let loss = text();
        let tasks = tasks.into_iter().map(|task| TaskLine { task, line: text(), best: None }).collect();
        let bar = lines.add(ProgressBar::no_length().with_style(bar_style()));
        Ok(Self::Dashboard(Box::new(Dashboard { lines, loss, tasks, bar, losses: VecDeque::new() })))
    }

    /// Shows the start of an epoch, counted from 0, of which `step` steps are finished.
    pub fn start_epoch(&mut self, epoch: usize, epochs: usize, steps: usize, step: usize) {
        let bar = match self {
            Self::Quiet => return,
            Self::Bar(bar) => bar,
            Self::Dashboard(dashboard) => &dashboard.bar,
        };
        bar.reset();
        bar.set_length(steps as u64);
        bar.set_position(step as u64);
        bar.set_message(format!("epoch {}/{epochs}", epoch + 1));
    }

    /// Shows that a step has finished.
    pub fn step(&mut self, step: usize, loss: f64, rate: f64) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.set_position(step as u64),
            Self::Dashboard(dashboard) => {
                dashboard.losses.push_back(loss);
                if dashboard.losses.len() > CURVE_STEPS {
                    dashboard.losses.pop_front();
                }
                let curve = curve(&dashboard.losses);
                dashboard.loss.set_message(format!("loss {loss:.4}  learning rate {rate:.2e}  {curve}"));
                dashboard.bar.set_position(step as u64);
            }
        }
    }

    /// Shows the results of a finished epoch.
    pub fn end_epoch(&mut self, record: &EpochRecord, epochs: usize) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                let line = epoch_line(record, epochs);
                bar.suspend(|| eprintln!("{line}"));
            }
            Self::Dashboard(dashboard) => {
                for task in &mut dashboard.tasks {
                    if let Some(found) = record.test.iter().find(|found| found.task == task.task) {
                        task.show(found, record.epoch);
                    }
                }
            }
        }
    }

    /// Clears the progress bar and the dashboard.
    pub fn finish(self) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Dashboard(dashboard) => {
                // An error here means that the terminal is closed. There is nothing left to clear.
                let _ = dashboard.lines.clear();
            }
        }
    }
}

impl TaskLine {
    fn show(&mut self, found: &Correlations, epoch: usize) {
        if let Some(srcc) = found.srcc
            && self.best.is_none_or(|(best, _)| srcc > best)
        {
            self.best = Some((srcc, epoch));
        }
        let best =
            self.best.map_or_else(String::new, |(srcc, epoch)| format!("  best SRCC {srcc:.4} in epoch {epoch}"));
        let (task, srcc, plcc) = (self.task.name(), number(found.srcc), number(found.plcc));
        self.line.set_message(format!("{task}: SRCC {srcc} PLCC {plcc} after epoch {epoch}{best}"));
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} steps, {per_sec}, {eta} left")
        .expect("the template is a constant")
}

fn text_style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").expect("the template is a constant")
}

/// Draws losses as a row of bars; losses that are not finite are skipped.
fn curve(losses: &VecDeque<f64>) -> String {
    let finite = || losses.iter().copied().filter(|loss| loss.is_finite());
    let (lowest, highest) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let last = (HEIGHTS.len() - 1) as f64;
    let height = |loss: f64| {
        let share = if highest > lowest { (loss - lowest) / (highest - lowest) } else { 0.0 };
        HEIGHTS[(share * last).round() as usize]
    };
    finite().map(height).collect()
}

/// The line that is printed for an epoch.
fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let mut line = format!("epoch {:>2}/{epochs}  rate {:.2e}  loss {:.4}", record.epoch, record.rate, record.loss);
    for (part, name) in [(&record.validation, "validation "), (&record.test, "")] {
        for found in part {
            let task = found.task.name();
            line += &format!("  {name}{task} SRCC {} PLCC {}", number(found.srcc), number(found.plcc));
        }
    }
    line + &format!("  {:.0} s", record.train_seconds + record.evaluate_seconds)
}

/// Formats a number with four digits; `None` is a dash.
fn number(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_spans_the_losses_that_are_finite() {
        assert_eq!(curve(&VecDeque::from([1.0, f64::NAN, 0.0, 0.5])), "█▁▅");
        assert_eq!(curve(&VecDeque::from([2.0, 2.0])), "▁▁");
        assert_eq!(curve(&VecDeque::new()), "");
    }
}
