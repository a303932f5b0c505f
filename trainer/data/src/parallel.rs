//! Runs independent jobs on several threads, and turns panics into errors.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, anyhow};

/// Runs all jobs on up to `workers` threads, and returns their results in the order of the jobs.
///
/// A panic of a job becomes its error. The other jobs are not affected.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use tsp_mgs_data::parallel::in_parallel;
///
/// let workers = NonZeroUsize::new(2).expect("not zero");
/// let results = in_parallel(workers, vec![1, 2, 3], |job| Ok(10 * job));
/// let results: Vec<i32> = results.into_iter().collect::<anyhow::Result<_>>()?;
/// assert_eq!(results, [10, 20, 30]);
/// # anyhow::Ok(())
/// ```
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
            let Some((index, job)) = next else { return done };
            done.push((index, catch_panic(|| work(job))));
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
    done.sort_unstable_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Calls `work`, and turns a panic into an error.
///
/// # Errors
/// Returns the error of `work`, or an error with the message of its panic.
pub fn catch_panic<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    // A value that a panic leaves in an inconsistent state is dropped with the job.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(anyhow!("internal error: {}", text(&*panic))))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic without a message")
}
