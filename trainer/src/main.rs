//! Parses the command line, runs it, prints the error, sets the exit code.

use std::process::ExitCode;

use clap::Parser;
use tsp_mgs_trainer::cli::{Cli, Command};
use tsp_mgs_trainer::{export, score};

/// 0 done, 1 failed, 2 wrong usage (by clap).
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Score(args) => score::run(&args),
        Command::Export(args) => export::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
