//! `trainer splits`: draws splits, or checks the splits in a folder.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::check::{self, CheckArgs};
use super::draw::draw;
use super::lists::write_table;
use crate::dataset::{DataArgs, SourceTable};

/// Flags of `trainer splits`.
#[derive(Debug, Args)]
pub struct SplitsArgs {
    /// The subcommand
    #[command(subcommand)]
    pub command: SplitsCommand,
}

/// The subcommands of `trainer splits`.
#[derive(Debug, Subcommand)]
pub enum SplitsCommand {
    /// Draw splits without a prompt in both parts, and write their lists
    Make(MakeArgs),
    /// Find prompts and images that are in both parts of a split
    // clap does not make the flags of an optional group optional.
    #[command(mut_arg("data", |data| data.required(false)))]
    Check(CheckArgs),
}

/// Flags of `trainer splits make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// Folder to write, with 1/train.csv and 1/val.csv and so on; it must not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Seed of the random numbers; another seed gives other splits
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// Number of splits to draw
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub count: u16,

    /// The data set; its images are not read
    #[command(flatten)]
    pub data: DataArgs,
}

/// Runs `trainer splits`.
///
/// The exit code of `trainer splits check` is 1 if a prompt or an image is in both parts of a split.
///
/// # Errors
/// Returns an error if a table or list cannot be read, or if the folder cannot be written.
pub fn run(args: &SplitsArgs) -> Result<ExitCode> {
    match &args.command {
        SplitsCommand::Make(args) => make(args),
        SplitsCommand::Check(args) => check::run(args),
    }
}

fn make(args: &MakeArgs) -> Result<ExitCode> {
    let source = SourceTable::open(&args.data)?;
    let dataset = source.dataset(&args.data, None)?;
    let splits = draw(&dataset.items, args.seed, args.count.into())?;
    write_table(&args.out, &source, &dataset.items, &splits)?;
    if !dataset.skipped.is_empty() {
        eprintln!("note: {} rows were omitted from the splits", dataset.skipped.len());
    }
    for split in &splits {
        println!(
            "{}  {} train  {} test  {}",
            split.folder,
            split.train.len(),
            split.test.len(),
            split.sha256(&dataset.items)
        );
    }
    println!("{}: {} splits of {}", args.out.display(), splits.len(), dataset.name);
    Ok(ExitCode::SUCCESS)
}
