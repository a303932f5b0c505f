//! Runs jobs as processes, several at a time.
//!
//! A process writes to its log file, which is locked as long as any process has it open. If a job outlives the program
//! that started it, the next start waits for that job instead of starting it twice.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// A process to run.
pub struct Process {
    /// Name for people.
    pub name: String,
    /// Arguments without `--device`.
    pub arguments: Vec<String>,
    /// File of its output.
    pub log: PathBuf,
    /// File that exists when it is finished.
    pub result: PathBuf,
}

/// Runs all processes on the devices of `slots`. `ended` is called for each with its index, its time and its result.
pub fn run(processes: &[Process], slots: &[String], mut ended: impl FnMut(usize, Duration, Result<()>)) -> Result<()> {
    let program = std::env::current_exe().context("finding the path of this program")?;
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..processes.len()).collect());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for device in slots {
            let (sender, queue, program) = (sender.clone(), &queue, &program);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().expect("nothing panics while it holds the queue").pop_front();
                    let Some(index) = next else { break };
                    let start = Instant::now();
                    let result = run_one(program, &processes[index], device);
                    if sender.send((index, start.elapsed(), result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, time, result) in receiver {
            ended(index, time, result);
        }
    });
    Ok(())
}

fn run_one(program: &Path, process: &Process, device: &str) -> Result<()> {
    let context = || format!("opening {}", process.log.display());
    let mut log = OpenOptions::new().create(true).read(true).append(true).open(&process.log).with_context(context)?;
    match log.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("{} is still running from an earlier start; waiting for it", process.name);
            log.lock().with_context(context)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(context),
    }
    if process.result.is_file() {
        return Ok(());
    }
    let before = log.metadata().with_context(context)?.len();
    let [out, errors] = [log.try_clone(), log.try_clone()];
    let status = Command::new(program)
        .args(&process.arguments)
        .args(["--device", device])
        .stdin(Stdio::null())
        .stdout(out.with_context(context)?)
        .stderr(errors.with_context(context)?)
        .status()
        .with_context(|| format!("starting {}", program.display()))?;
    if status.success() && process.result.is_file() {
        return Ok(());
    }
    let line = last_error(&mut log, before).unwrap_or_else(|| format!("the job ended with {status}"));
    Err(anyhow!("{line}"))
}

/// The last line of the log after byte `from` that starts with "error:", or the last line if there is none.
fn last_error(log: &mut File, from: u64) -> Option<String> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(from)).and_then(|_| log.read_to_end(&mut bytes)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rfind(|line| line.starts_with("error:")).or_else(|| lines().next_back());
    error.map(|line| line.trim_start_matches("error:").trim().to_owned())
}

/// Creates a folder, so that an unwritable one is found before hours are spent.
pub fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating the folder {}", folder.display()))?;
    if !folder.is_dir() {
        bail!("{} is not a folder", folder.display());
    }
    Ok(())
}

/// Formats a time in its two largest units.
pub fn format_duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let formatted = [0.4, 61.0, 7325.0].map(|seconds| format_duration(Duration::from_secs_f64(seconds)));
        assert_eq!(formatted, ["0 s", "1 min 1 s", "2 h 2 min"]);
    }
}
