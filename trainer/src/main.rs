//! The program `trainer`: parses the command line, runs the subcommand, prints its error and sets the exit code.

use std::io;
use std::process::ExitCode;

use clap::FromArgMatches;
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_data::terminal::printable;
use tsp_mgs_trainer::cli::Cli;
use tsp_mgs_trainer::help;

/// Sets the environment variables that burn and graphics drivers read.
fn prepare_environment() {
    #[expect(unsafe_code, reason = "there is no safe way to set a variable for a library")]
    // SAFETY: no other thread has been started.
    unsafe {
        // The device on which burn puts tensors that it reads from files. burn's default is a GPU, even on machines
        // without one.
        std::env::set_var("BURN_DEVICE", "flex");
        // Mesa's device-select layer asks the desktop for its GPU, and prints a warning if there is no desktop.
        if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}

/// Makes the allocator keep freed memory for later allocations.
///
/// The views of an image and the buffers of the towers have several megabytes each. glibc would return each to the
/// system, which then has to map and clear new pages for the next one. That took 5 of the 18 ms for reading and
/// cropping a photograph of 1024 × 1024 pixels.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_freed_memory() {
    #[expect(unsafe_code, reason = "the allocator's settings have no safe interface")]
    // SAFETY: these calls only set numbers, and no other thread has been started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// The exit code is 0 for success, 1 for failure and 2 for wrong usage.
fn main() -> ExitCode {
    prepare_environment();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_freed_memory();
    let cli = Cli::from_arg_matches(&help::command().get_matches()).unwrap_or_else(|error| error.exit());
    match cli.command.run() {
        Ok(code) => code,
        // A closed pipe is no error: in `trainer score … | head`, the reader has all lines that it wants.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", printable(&format!("{error:#}")));
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let causes = || error.chain();
    causes()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
        || causes().filter_map(|cause| cause.downcast_ref::<csv::Error>()).any(is_csv_closed_pipe)
}

fn is_csv_closed_pipe(error: &csv::Error) -> bool {
    matches!(error.kind(), csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
}
