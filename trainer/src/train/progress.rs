//! How a run shows itself: not at all, as a bar, or on burn's dashboard.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::{Result, bail};
use burn_train::Interrupter;
use burn_train::logger::TrainingProgressLogger;
use burn_train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::log::{Correlations, EpochRecord};

/// Where a run shows itself.
pub enum Display {
    /// Nowhere.
    Quiet,
    /// Standard error: a bar on a terminal, and a line an epoch.
    Bar(ProgressBar),
    /// burn's dashboard.
    Dashboard(Box<Dashboard>),
}

/// burn's dashboard, and whether its user asked to stop.
pub struct Dashboard {
    renderer: TuiMetricsRendererWrapper,
    interrupter: Interrupter,
    batch: usize,
}

impl Display {
    /// A bar, or lines where standard error is no terminal.
    pub fn bar() -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} steps, {per_sec}, {eta} left");
        let bar = ProgressBar::with_draw_target(None, target);
        Self::Bar(bar.with_style(style.expect("the template is a constant")))
    }

    /// The dashboard.
    ///
    /// # Errors
    /// When standard output is no terminal.
    pub fn dashboard(epochs: usize, finished: usize, batch: usize, parts: &[Correlations]) -> Result<Self> {
        if !io::stdout().is_terminal() {
            bail!("--tui needs a terminal as standard output; leave it out");
        }
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), Some(finished));
        renderer.register_metric(definition("Loss", false));
        renderer.register_metric(definition("Learning rate", false));
        for part in parts {
            for name in ["SRCC", "PLCC"] {
                renderer.register_metric(definition(&metric_name(name, part), true));
            }
        }
        renderer.start(epochs, finished, None, Some("tsp-mgs"));
        Ok(Self::Dashboard(Box::new(Dashboard { renderer, interrupter, batch })))
    }

    /// An epoch starts, or goes on, at one of its steps.
    pub fn start_epoch(&mut self, epoch: usize, epochs: usize, steps: usize, step: usize) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.reset();
                bar.set_length(steps as u64);
                bar.set_position(step as u64);
                bar.set_message(format!("epoch {}/{epochs}", epoch + 1));
            }
            Self::Dashboard(dashboard) => {
                dashboard.renderer.update_epoch(epoch);
                dashboard.renderer.start_split("train", steps * dashboard.batch);
            }
        }
    }

    /// A step is done.
    pub fn step(&mut self, step: usize, loss: f64, rate: f64) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.set_position(step as u64),
            Self::Dashboard(dashboard) => {
                dashboard.renderer.update_train(number("Loss", loss));
                dashboard.renderer.update_train(number("Learning rate", rate));
                dashboard.renderer.update_split(step * dashboard.batch);
            }
        }
    }

    /// An epoch is done.
    pub fn end_epoch(&mut self, record: &EpochRecord, epochs: usize) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                let line = epoch_line(record, epochs);
                bar.suspend(|| eprintln!("{line}"));
            }
            Self::Dashboard(dashboard) => {
                dashboard.renderer.end_split();
                for part in &record.test {
                    for (name, value) in [("SRCC", part.srcc), ("PLCC", part.plcc)] {
                        if let Some(value) = value {
                            dashboard.renderer.update_valid(number(&metric_name(name, part), value));
                        }
                    }
                }
            }
        }
    }

    /// Whether the dashboard's user asked to stop.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Dashboard(dashboard) if dashboard.interrupter.should_stop())
    }

    /// Clears what is shown.
    pub fn finish(self) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Dashboard(mut dashboard) => dashboard.renderer.end(),
        }
    }
}

/// One epoch in a line.
fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let mut line = format!("epoch {:>2}/{epochs}  rate {:.2e}  loss {:.4}", record.epoch, record.rate, record.loss);
    for (part, name) in [(&record.validation, "validation "), (&record.test, "")] {
        for found in part {
            let show = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.4}"));
            let task = found.task.name();
            line += &format!("  {name}{task} SRCC {} PLCC {}", show(found.srcc), show(found.plcc));
        }
    }
    line + &format!("  {:.0} s", record.train_seconds + record.evaluate_seconds)
}

fn metric_name(name: &str, part: &Correlations) -> String {
    format!("{name} of {}", part.task.name())
}

fn definition(name: &str, higher_is_better: bool) -> MetricDefinition {
    let name = Arc::new(name.to_owned());
    MetricDefinition {
        metric_id: MetricId::new(name.clone()),
        name,
        description: None,
        attributes: MetricAttributes::Numeric(NumericAttributes { unit: None, higher_is_better }),
    }
}

fn number(name: &str, value: f64) -> MetricState {
    let entry = SerializedEntry::new(format!("{value:.4}"), value.to_string());
    let id = MetricId::new(Arc::new(name.to_owned()));
    MetricState::Numeric(MetricEntry::new(id, entry), Some(NumericEntry::Value(value)))
}
