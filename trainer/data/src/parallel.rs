//! Independent jobs on several threads, and panics as errors.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, anyhow};

/// Does all jobs on up to `workers` threads; the results stand in the order of the jobs.
///
/// A job that panics is an error like any other, and the rest are done nevertheless.
pub fn in_parallel<J: Send, R: Send>(
    workers: NonZeroUsize,
    jobs: Vec<J>,
    work: impl Fn(J) -> Result<R> + Sync,
) -> Vec<Result<R>> {
    let threads = workers.get().min(jobs.len());
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let run = || {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().expect("nothing panics while the queue is held").next();
            let Some((place, job)) = next else { return done };
            done.push((place, caught(|| work(job))));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().expect("panics of jobs are caught"));
        }
        done
    });
    done.sort_unstable_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does some work; a panic is an error like any other.
///
/// # Errors
/// Those of the work, and its panics.
pub fn caught<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    // What a panic leaves half-done is dropped with the job.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(anyhow!("internal error: {}", text(&*panic))))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic without a message")
}
