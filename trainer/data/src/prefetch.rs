//! Work that is done ahead of its use: in order, in bounded memory, on threads that end with their owner.

use std::any::Any;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};

/// Results that wait to be taken. One more is being made and one is in use: three batches of 16 images with
/// 9 views of ViT-B/32 are 260 MB.
const WAITING: usize = 1;

/// The results of a numbered sequence of steps, made on a thread of its own.
///
/// It ends after the last step or the first error. Dropping it waits for the step that is being made.
pub struct Ahead<T> {
    results: Option<Receiver<Result<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Starts to make the results of `steps`, one after the other.
    pub fn new(steps: Range<usize>, make: impl Fn(usize) -> Result<T> + Send + 'static) -> Self {
        let (sender, results) = sync_channel(WAITING);
        let thread = thread::spawn(move || {
            for step in steps {
                let result = caught(|| make(step));
                let is_last = result.is_err();
                // The receiver is gone when the owner is.
                if sender.send(result).is_err() || is_last {
                    return;
                }
            }
        });
        Self { results: Some(results), thread: Some(thread) }
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.results.as_ref()?.recv().ok()
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        // Without a receiver the thread stops at its next result.
        self.results = None;
        if let Some(thread) = self.thread.take() {
            // Its panics were caught and handed over.
            let _ = thread.join();
        }
    }
}

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
pub fn caught<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    // What a panic leaves half-done is dropped with the job.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(anyhow!("internal error: {}", text(&*panic))))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic without a message")
}
