//! The subcommands of `trainer`, and which function runs each.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tsp_mgs_data::splits::{self, SplitsArgs};
use tsp_mgs_evaluate::args::EvaluateArgs;
use tsp_mgs_reproduce::args::ReproduceArgs;
use tsp_mgs_score::args::ScoreArgs;
use tsp_mgs_score::device_report::{self, DeviceArgs};
use tsp_mgs_score::export::{self, ExportArgs};
use tsp_mgs_score::hub::{self, ModelsArgs};
use tsp_mgs_serve::args::ServeArgs;
use tsp_mgs_synth::data_set::{self, SynthArgs};
use tsp_mgs_train::args::TrainArgs;

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
    /// List models that are fetched by name, and those on this machine
    Models(ModelsArgs),
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

impl Command {
    /// Runs the subcommand; the exit code is 1 when it found or left something wrong, as each says.
    ///
    /// # Errors
    /// For wrong flags, and when the work cannot be done.
    pub fn run(&self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self {
            Self::Score(args) => tsp_mgs_score::run::run(args),
            Self::Serve(args) => tsp_mgs_serve::server::run(args),
            Self::Export(args) => export::run(args).map(done),
            Self::Models(args) => hub::run(args).map(done),
            Self::Splits(args) => splits::run(args),
            Self::Train(args) => tsp_mgs_train::run::run(args).map(done),
            Self::Evaluate(args) => tsp_mgs_evaluate::run::run(args).map(done),
            Self::Reproduce(args) => tsp_mgs_reproduce::run::run(args),
            Self::Device(args) => device_report::run(args).map(done),
            Self::Synth(args) => data_set::run(args).map(done),
        }
    }
}
