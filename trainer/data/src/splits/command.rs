//! `trainer splits`: draws splits, or checks those of a folder.

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
    /// What to do
    #[command(subcommand)]
    pub command: SplitsCommand,
}

/// What to do with splits.
#[derive(Debug, Subcommand)]
pub enum SplitsCommand {
    /// Draw splits with no prompt in both parts, and write their lists
    Make(MakeArgs),
    /// Look for prompts and images that stand in both parts of a split
    // clap leaves flags required when their group is optional.
    #[command(mut_arg("data", |data| data.required(false)))]
    Check(CheckArgs),
}

/// Flags of `trainer splits make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// Folder to write, with 1/train.csv and 1/val.csv and so on; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Where random numbers start: another seed gives other splits
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// How many splits to draw
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub count: u16,

    /// Which data set; its images are not looked at
    #[command(flatten)]
    pub data: DataArgs,
}

/// Runs `trainer splits`; the exit code of `check` is 1 when a prompt or an image stands in both parts.
///
/// # Errors
/// For tables and lists that cannot be read, and a folder that cannot be written.
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
        eprintln!("note: {} rows were left out of the splits", dataset.skipped.len());
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
