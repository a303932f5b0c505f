//! Prefetching: other threads compute the results of a sequence of jobs ahead of their use, in order and in bounded
//! memory.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use anyhow::Result;

use crate::parallel::catch_panic;

/// The maximum number of steps of [`Prefetch::steps`] that are finished or in progress, besides the one in use. Three
/// batches of 16 images with 9 views of ViT-B/32 need 260 MB.
const STEPS_AHEAD: usize = 2;

/// An iterator over the results of a sequence of jobs, in the order of the jobs.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use tsp_mgs_data::prefetch::Prefetch;
///
/// let threads = NonZeroUsize::new(2).expect("not zero");
/// let capacity = NonZeroUsize::new(8).expect("not zero");
/// let squares = Prefetch::map(1..=4, threads, capacity, |job| job * job);
/// assert_eq!(squares.collect::<Vec<_>>(), [1, 4, 9, 16]);
/// ```
pub struct Prefetch<R> {
    shared: Arc<Shared<R>>,
    /// The threads to join when this is dropped.
    threads: Vec<JoinHandle<()>>,
}

struct Shared<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
    capacity: usize,
}

struct State<R> {
    /// The finished results that were not taken yet, by the index of the job.
    done: BTreeMap<u64, R>,
    /// The number of jobs that were started.
    started: u64,
    /// The number of results that were taken.
    taken: u64,
    /// Whether no further job is started: there are no more jobs, or the receiver was dropped.
    is_ended: bool,
    /// Whether a thread panicked.
    is_poisoned: bool,
}

impl<R: Send + 'static> Prefetch<R> {
    /// Starts `workers` threads, which call `work` for each job of `source`.
    ///
    /// At most `capacity` jobs are in progress or have a result that was not taken. If this number is reached, the
    /// threads do not read `source` until a result is taken.
    ///
    /// Dropping the iterator does not wait for the threads, because one of them may read a pipe that never ends.
    pub fn map<J: Send>(
        source: impl Iterator<Item = J> + Send + 'static,
        workers: NonZeroUsize,
        capacity: NonZeroUsize,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::new(capacity));
        let jobs = Arc::new((Mutex::new(source), work));
        for _ in 0..workers.get() {
            let (shared, jobs) = (shared.clone(), jobs.clone());
            thread::spawn(move || {
                let _guard = PanicGuard(&shared);
                let (source, work) = &*jobs;
                while let Some((index, job)) = shared.next_job(source) {
                    shared.finish(index, work(job), false);
                }
            });
        }
        Self { shared, threads: Vec::new() }
    }
}

impl<R: Send + 'static> Prefetch<Result<R>> {
    /// Starts one thread, which calls `work` for each step, at most two steps ahead of the results that were taken.
    ///
    /// A panic becomes an error. The first error is the last result. Dropping the iterator waits for the step in
    /// progress.
    pub fn steps(steps: Range<usize>, work: impl Fn(usize) -> Result<R> + Send + 'static) -> Self {
        let capacity = const { NonZeroUsize::new(STEPS_AHEAD).expect("not zero") };
        let shared = Arc::new(Shared::new(capacity));
        let thread_shared = shared.clone();
        let thread = thread::spawn(move || {
            let steps = Mutex::new(steps);
            while let Some((index, step)) = thread_shared.next_job(&steps) {
                let result = catch_panic(|| work(step));
                let is_last = result.is_err();
                thread_shared.finish(index, result, is_last);
            }
        });
        Self { shared, threads: vec![thread] }
    }
}

impl<R> Iterator for Prefetch<R> {
    type Item = R;

    /// Waits for the next result.
    ///
    /// # Panics
    /// Panics if the source or the work panicked.
    fn next(&mut self) -> Option<R> {
        let mut state = self.shared.lock();
        loop {
            if state.is_poisoned {
                // The panic drops this iterator, which locks the state again.
                drop(state);
                panic!("a thread that prepares images panicked");
            }
            let index = state.taken;
            if let Some(result) = state.done.remove(&index) {
                state.taken += 1;
                self.shared.changed.notify_all();
                return Some(result);
            }
            if state.is_ended && index == state.started {
                return None;
            }
            state = self.shared.wait(state);
        }
    }
}

impl<R> Drop for Prefetch<R> {
    fn drop(&mut self) {
        self.shared.lock().is_ended = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Panics were caught and returned as results.
            let _ = thread.join();
        }
    }
}

impl<R> Shared<R> {
    fn new(capacity: NonZeroUsize) -> Self {
        let state = State { done: BTreeMap::new(), started: 0, taken: 0, is_ended: false, is_poisoned: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity: capacity.get() }
    }

    /// Stores a result. After the last result, no further job is started.
    fn finish(&self, index: u64, result: R, is_last: bool) {
        let mut state = self.lock();
        state.done.insert(index, result);
        state.is_ended |= is_last;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until there is capacity for another result, and takes a job from the source.
    ///
    /// Only the thread that holds the lock of the source starts jobs. The index of a job is therefore its index in the
    /// source.
    fn next_job<J>(&self, source: &Mutex<impl Iterator<Item = J>>) -> Option<(u64, J)> {
        let mut source = source.lock().ok()?;
        let mut state = self.lock();
        while !state.is_ended && (state.started - state.taken) as usize >= self.capacity {
            state = self.wait(state);
        }
        if state.is_ended {
            return None;
        }
        drop(state);
        let job = source.next();
        let mut state = self.lock();
        let Some(job) = job else {
            state.is_ended = true;
            drop(state);
            self.changed.notify_all();
            return None;
        };
        state.started += 1;
        Some((state.started - 1, job))
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().expect("nothing panics while it holds the state")
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<R>>) -> MutexGuard<'a, State<R>> {
        self.changed.wait(state).expect("nothing panics while it holds the state")
    }
}

/// Reports a panic of its thread to the receiver of the results.
struct PanicGuard<'a, R>(&'a Shared<R>);

impl<R> Drop for PanicGuard<'_, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().is_poisoned = true;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    const FOUR: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
    const SIX: NonZeroUsize = NonZeroUsize::new(6).expect("not zero");

    #[test]
    fn results_have_the_order_of_the_jobs() {
        // Each even job waits for the next one on another thread, so that pairs of jobs end in reverse order.
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..100).map(|_| channel::<()>()).unzip();
        let receivers: Vec<_> = receivers.into_iter().map(Mutex::new).collect();
        let work = move |job: usize| {
            match job % 2 {
                0 => receivers[job].lock().expect("not poisoned").recv().expect("the other job sends a message"),
                _ => senders[job - 1].send(()).expect("the other job waits"),
            }
            job
        };
        let results = Prefetch::map(0..100, FOUR, SIX, work);
        assert_eq!(results.collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_source_is_not_read_beyond_the_capacity() {
        static READ: AtomicUsize = AtomicUsize::new(0);
        let source = (0..1000).inspect(|_| {
            READ.fetch_add(1, Ordering::SeqCst);
        });
        let mut results = Prefetch::map(source, FOUR, SIX, |job| job);
        for taken in 0..500 {
            // The number of jobs that were read before this result was taken. It is at most six more than the results.
            let read = READ.load(Ordering::SeqCst);
            assert!(read <= taken + SIX.get(), "{read} read when {taken} were taken");
            assert_eq!(results.next(), Some(taken));
        }
    }

    #[test]
    fn an_empty_source_has_no_results() {
        assert_eq!(Prefetch::map(std::iter::empty::<u8>(), FOUR, SIX, |job| job).next(), None);
    }

    #[test]
    #[should_panic(expected = "a thread that prepares images panicked")]
    fn a_panic_reaches_the_receiver() {
        let results = Prefetch::map(0..10, FOUR, SIX, |job| if job == 3 { panic!("job {job}") } else { job });
        results.for_each(drop);
    }
}
