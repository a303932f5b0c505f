//! The subcommands of `trainer`, and which function runs each.

use clap::{Parser, Subcommand};

use crate::evaluate::EvaluateArgs;
use crate::reproduce::ReproduceArgs;
use crate::serve::ServeArgs;
use crate::synth::SynthArgs;
use crate::train::TrainArgs;
use tsp_mgs_data::splits::SplitsArgs;
use tsp_mgs_score::args::ScoreArgs;
use tsp_mgs_score::device_report::DeviceArgs;
use tsp_mgs_score::export::ExportArgs;

/// Scores AI-generated images, how good they look and how well they show their prompt; trains what scores them
#[derive(Debug, Parser)]
#[command(name = "trainer", version, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score images and folders of images
    Score(Box<ScoreArgs>),
    /// Serve the gallery, and scores over HTTP
    Serve(Box<ServeArgs>),
    /// Write a model as a bundle, for `score --model` and for the browser
    Export(ExportArgs),
    /// Draw or check splits of a data set into training and testing images
    Splits(SplitsArgs),
    /// Train on opinion scores, as the paper does; goes on where it was interrupted
    Train(Box<TrainArgs>),
    /// Judge a model, or a method it is compared with, by people's opinions
    Evaluate(Box<EvaluateArgs>),
    /// Train and test what the paper's tables and figures show, beside its numbers
    Reproduce(Box<ReproduceArgs>),
    /// Say what a device is, whether it computes right, and how fast
    Device(DeviceArgs),
    /// Draw a synthetic data set, for demonstrations and tests
    Synth(SynthArgs),
}
