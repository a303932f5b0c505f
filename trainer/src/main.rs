//! Parses the command line, runs it, prints the error, sets the exit code.

use std::io;
use std::process::ExitCode;

use clap::FromArgMatches;
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_data::terminal::printable;
use tsp_mgs_trainer::cli::Cli;
use tsp_mgs_trainer::help;

/// Sets what burn and a graphics driver read from the environment.
fn prepare_environment() {
    #[expect(unsafe_code, reason = "there is no safe way to set a variable for a library")]
    // SAFETY: no other thread has been started.
    unsafe {
        // Where burn puts what it reads from files, before it goes where it is needed. Its own default is
        // a GPU, whether or not the machine has one.
        std::env::set_var("BURN_DEVICE", "flex");
        // Mesa's device-select layer asks the desktop which GPU it is on, and complains when there is none.
        if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}

/// Keeps memory that is freed for what comes next.
///
/// An image's views and the buffers of the towers are megabytes each. glibc would give each back to the system and have the
/// next one's pages made and zeroed again: 5 of the 18 ms that reading and cutting a photograph of 1024 × 1024 took.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_freed_memory() {
    #[expect(unsafe_code, reason = "the allocator's settings have no safe interface")]
    // SAFETY: these calls only set numbers, and no other thread has been started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// 0 done, 1 failed, 2 wrong usage.
fn main() -> ExitCode {
    prepare_environment();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_freed_memory();
    let cli = Cli::from_arg_matches(&help::command().get_matches()).unwrap_or_else(|error| error.exit());
    match cli.command.run() {
        Ok(code) => code,
        // `trainer score … | head` has all it wanted.
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
