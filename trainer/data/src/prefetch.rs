//! Prefetching: results of a sequence are made ahead of their use, in order and in bounded memory.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use anyhow::Result;

use crate::parallel::caught;

/// Steps of [`Prefetch::steps`] that are finished or being made while one more is in use: three batches of 16 images
/// with 9 views of ViT-B/32 are 260 MB.
const STEPS: usize = 2;

/// The results of a sequence of jobs, in the order of the jobs.
pub struct Prefetch<R> {
    shared: Arc<Shared<R>>,
    /// Waited for when this is dropped.
    threads: Vec<JoinHandle<()>>,
}

struct Shared<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
    room: usize,
}

struct State<R> {
    /// What is done and not taken yet, by place.
    done: BTreeMap<u64, R>,
    /// Jobs that were started.
    started: u64,
    /// Results that were taken.
    taken: u64,
    /// No further job is started: there is none, or nobody waits for its result.
    is_ended: bool,
    is_broken: bool,
}

impl<R: Send + 'static> Prefetch<R> {
    /// Starts `workers` threads on the jobs of `source`.
    ///
    /// Of the jobs that were started, at most `room` are unfinished or not taken yet: when the results are
    /// not taken as fast as they are made, the source is not read on.
    ///
    /// The threads are not waited for when the results are dropped: one of them may be reading a pipe that never ends.
    pub fn map<J: Send>(
        source: impl Iterator<Item = J> + Send + 'static,
        workers: NonZeroUsize,
        room: NonZeroUsize,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::new(room));
        let jobs = Arc::new((Mutex::new(source), work));
        for _ in 0..workers.get() {
            let (shared, jobs) = (shared.clone(), jobs.clone());
            thread::spawn(move || {
                let _guard = Guard(&shared);
                let (source, work) = &*jobs;
                while let Some((place, job)) = shared.next_job(source) {
                    shared.finish(place, work(job), false);
                }
            });
        }
        Self { shared, threads: Vec::new() }
    }
}

impl<R: Send + 'static> Prefetch<Result<R>> {
    /// Makes the results of numbered steps on one thread, at most two ahead of what is taken.
    ///
    /// A panic is an error like any other; the first error is the last result. Dropping this waits for the step that is
    /// being made.
    pub fn steps(steps: Range<usize>, make: impl Fn(usize) -> Result<R> + Send + 'static) -> Self {
        let room = const { NonZeroUsize::new(STEPS).expect("not zero") };
        let shared = Arc::new(Shared::new(room));
        let thread_shared = shared.clone();
        let thread = thread::spawn(move || {
            let steps = Mutex::new(steps);
            while let Some((place, step)) = thread_shared.next_job(&steps) {
                let result = caught(|| make(step));
                let is_last = result.is_err();
                thread_shared.finish(place, result, is_last);
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
    /// If the source or the work panicked.
    fn next(&mut self) -> Option<R> {
        let mut state = self.shared.lock();
        loop {
            if state.is_broken {
                // Let go of first: the state is locked again when this is dropped.
                drop(state);
                panic!("a thread that prepares images panicked");
            }
            let place = state.taken;
            if let Some(result) = state.done.remove(&place) {
                state.taken += 1;
                self.shared.changed.notify_all();
                return Some(result);
            }
            if state.is_ended && place == state.started {
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
            // Its panics were caught and handed over.
            let _ = thread.join();
        }
    }
}

impl<R> Shared<R> {
    fn new(room: NonZeroUsize) -> Self {
        let state = State { done: BTreeMap::new(), started: 0, taken: 0, is_ended: false, is_broken: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), room: room.get() }
    }

    /// Hands a result over; after the last one no job is started.
    fn finish(&self, place: u64, result: R, is_last: bool) {
        let mut state = self.lock();
        state.done.insert(place, result);
        state.is_ended |= is_last;
        drop(state);
        self.changed.notify_all();
    }

    /// Takes a job from the source once there is room for its result.
    ///
    /// Whoever holds the source is the only one who starts jobs, so a job's place is its place in the source.
    fn next_job<J>(&self, source: &Mutex<impl Iterator<Item = J>>) -> Option<(u64, J)> {
        let mut source = source.lock().ok()?;
        let mut state = self.lock();
        while !state.is_ended && (state.started - state.taken) as usize >= self.room {
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

/// Tells who waits for results that a thread panicked.
struct Guard<'a, R>(&'a Shared<R>);

impl<R> Drop for Guard<'_, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().is_broken = true;
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
    fn results_come_in_the_order_of_the_jobs_whoever_is_faster() {
        // Each job waits for the next one, which other threads have to do: pairs end in reverse order.
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..100).map(|_| channel::<()>()).unzip();
        let receivers: Vec<_> = receivers.into_iter().map(Mutex::new).collect();
        let work = move |job: usize| {
            match job % 2 {
                0 => receivers[job].lock().expect("not poisoned").recv().expect("its neighbour tells it"),
                _ => senders[job - 1].send(()).expect("its neighbour waits"),
            }
            job
        };
        let results = Prefetch::map(0..100, FOUR, SIX, work);
        assert_eq!(results.collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_source_is_read_no_further_than_there_is_room() {
        static READ: AtomicUsize = AtomicUsize::new(0);
        let source = (0..1000).inspect(|_| {
            READ.fetch_add(1, Ordering::SeqCst);
        });
        let mut results = Prefetch::map(source, FOUR, SIX, |job| job);
        for taken in 0..500 {
            // What was read before this result was taken: never more than six ahead.
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
    fn a_panic_reaches_who_waits() {
        let results = Prefetch::map(0..10, FOUR, SIX, |job| if job == 3 { panic!("job {job}") } else { job });
        results.for_each(drop);
    }
}
