//! The subcommands of `trainer`, and the function that runs each.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tsp_mgs_score::args::ScoreArgs;
use tsp_mgs_score::device_report::{self, DeviceArgs};
use tsp_mgs_score::export::{self, ExportArgs};
use tsp_mgs_score::hub::{self, ModelsArgs};

use crate::commands::{evaluate, reproduce, serve, splits, synth, train};

/// Scores AI-generated images for perception and alignment, and trains the models that do
///
/// Perception is how good an image looks. Alignment is how well it shows its prompt.
#[derive(Debug, Parser)]
#[command(name = "trainer", version, max_term_width = 100)]
pub struct Cli {
    /// The subcommand
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score images and folders of images
    Score(Box<ScoreArgs>),
    /// Serve scores over HTTP, and the gallery page
    Serve(Box<serve::Args>),
    /// Write a model as a bundle, for `score --model` and for the browser
    Export(ExportArgs),
    /// List the models that can be fetched by name, and those in the cache
    Models(ModelsArgs),
    /// Draw or check splits of a data set into a training and a test part
    Splits(splits::Args),
    /// Train on opinion scores as in the paper, or resume an interrupted run
    Train(Box<train::Args>),
    /// Evaluate a model or a baseline against opinion scores
    Evaluate(Box<evaluate::Args>),
    /// Reproduce the paper's tables and figures beside the published numbers
    Reproduce(Box<reproduce::Args>),
    /// Report what a device is, whether it computes correctly, and how fast
    Device(DeviceArgs),
    /// Write a synthetic data set, for demonstrations and tests
    Synth(synth::Args),
}

impl Command {
    /// Runs the subcommand and returns the exit code, which is 1 if some of the work failed.
    ///
    /// # Errors
    /// Fails with a [`UsageError`] if a flag is wrong, and with other errors if the work cannot be done.
    ///
    /// [`UsageError`]: tsp_mgs_data::flags::UsageError
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use clap::Parser;
    /// use tsp_mgs_trainer::cli::Cli;
    ///
    /// let flags = "trainer score photos --clip openai/clip-vit-base-patch32";
    /// let exit_code = Cli::parse_from(flags.split(' ')).command.run()?;
    /// # anyhow::Ok(())
    /// ```
    pub fn run(&self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self {
            Self::Score(args) => tsp_mgs_score::run::run(args),
            Self::Serve(args) => serve::run(args),
            Self::Export(args) => export::run(args).map(done),
            Self::Models(args) => hub::run(args).map(done),
            Self::Splits(args) => splits::run(args),
            Self::Train(args) => train::run(args).map(done),
            Self::Evaluate(args) => evaluate::run(args).map(done),
            Self::Reproduce(args) => reproduce::run(args),
            Self::Device(args) => device_report::run(args).map(done),
            Self::Synth(args) => synth::run(args).map(done),
        }
    }
}
