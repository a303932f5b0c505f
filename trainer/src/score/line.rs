//! Work on a sequence by several threads, in bounded memory, handed over in the sequence's order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// The results of a sequence of jobs, in the order of the jobs.
///
/// The threads are not waited for when it is dropped: one of them may be reading a pipe that never ends.
pub struct Line<R> {
    shared: Arc<Shared<R>>,
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

impl<R: Send + 'static> Line<R> {
    /// Starts `workers` threads on the jobs of `source`.
    ///
    /// Of the jobs that were started, at most `room` are unfinished or not taken yet: when the results are
    /// not taken as fast as they are made, the source is not read on.
    pub fn start<J: Send>(
        source: impl Iterator<Item = J> + Send + 'static,
        workers: NonZeroUsize,
        room: NonZeroUsize,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> Self {
        let state = State { done: BTreeMap::new(), started: 0, taken: 0, is_ended: false, is_broken: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), room: room.get() });
        let jobs = Arc::new((Mutex::new(source), work));
        for _ in 0..workers.get() {
            let (shared, jobs) = (shared.clone(), jobs.clone());
            thread::spawn(move || {
                let _guard = Guard(&shared);
                let (source, work) = &*jobs;
                while let Some((place, job)) = shared.next_job(source) {
                    let result = work(job);
                    shared.lock().done.insert(place, result);
                    shared.changed.notify_all();
                }
            });
        }
        Self { shared }
    }
}

impl<R> Iterator for Line<R> {
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

impl<R> Drop for Line<R> {
    fn drop(&mut self) {
        self.shared.lock().is_ended = true;
        self.shared.changed.notify_all();
    }
}

impl<R> Shared<R> {
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
        let line = Line::start(0..100, FOUR, SIX, work);
        assert_eq!(line.collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_source_is_read_no_further_than_there_is_room() {
        static READ: AtomicUsize = AtomicUsize::new(0);
        let source = (0..1000).inspect(|_| {
            READ.fetch_add(1, Ordering::SeqCst);
        });
        let mut line = Line::start(source, FOUR, SIX, |job| job);
        for taken in 0..500 {
            // What was read before this result was taken: never more than six ahead.
            let read = READ.load(Ordering::SeqCst);
            assert!(read <= taken + SIX.get(), "{read} read when {taken} were taken");
            assert_eq!(line.next(), Some(taken));
        }
    }

    #[test]
    fn an_empty_source_has_no_results() {
        assert_eq!(Line::start(std::iter::empty::<u8>(), FOUR, SIX, |job| job).next(), None);
    }

    #[test]
    #[should_panic(expected = "a thread that prepares images panicked")]
    fn a_panic_reaches_who_waits() {
        let line = Line::start(0..10, FOUR, SIX, |job| if job == 3 { panic!("job {job}") } else { job });
        line.for_each(drop);
    }
}
