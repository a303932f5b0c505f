//! From uploads to results: prepared on a bounded number of threads, computed on one, together where several wait.
//!
//! `place → room → thread → queue → batch → answer`. Whoever asks holds a place from before the upload until its memory
//! is given back. Work whose asker has gone is dropped before each step.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tsp_mgs_data::parallel::caught;

/// How much goes on at once.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Requests that are uploaded, wait or are computed.
    pub places: usize,
    /// Prepared images, those in the hands of threads included.
    pub room: NonZeroUsize,
    /// Threads that prepare.
    pub threads: NonZeroUsize,
    /// Images that are computed together.
    pub batch: usize,
}

/// The right to upload and to wait.
pub struct Place(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

/// Images `I`, prepared as `P`, become results `R`.
pub struct Pipeline<I, P, R> {
    places: Arc<Semaphore>,
    all_places: usize,
    room: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    prepare: Arc<dyn Fn(I) -> Result<P> + Send + Sync>,
    queue: Mutex<Option<Sender<Job<P, R>>>>,
    computing: Mutex<Option<JoinHandle<()>>>,
    is_ready: Arc<AtomicBool>,
}

/// What waits to be computed.
struct Job<P, R> {
    prepared: P,
    answer: oneshot::Sender<Result<R>>,
    held: (Place, OwnedSemaphorePermit),
}

impl<I: Send + 'static, P: Send + 'static, R: Send + 'static> Pipeline<I, P, R> {
    /// Starts the thread that computes. It calls `begin` first, which returns what computes a batch; then it takes what
    /// waits, and never waits for more.
    pub fn start<C: FnMut(Vec<P>) -> Vec<Result<R>>>(
        sizes: Sizes,
        prepare: impl Fn(I) -> Result<P> + Send + Sync + 'static,
        begin: impl FnOnce() -> C + Send + 'static,
    ) -> Self {
        let (queue, jobs) = channel();
        let is_ready = Arc::new(AtomicBool::new(false));
        let begun = is_ready.clone();
        let computing = thread::spawn(move || {
            let compute = begin();
            begun.store(true, Ordering::Relaxed);
            compute_all(&jobs, sizes.batch, compute);
        });
        Self {
            places: Arc::new(Semaphore::new(sizes.places)),
            all_places: sizes.places,
            room: Arc::new(Semaphore::new(sizes.room.get())),
            threads: Arc::new(Semaphore::new(sizes.threads.get())),
            prepare: Arc::new(prepare),
            queue: Mutex::new(Some(queue)),
            computing: Mutex::new(Some(computing)),
            is_ready,
        }
    }

    /// A place, if one is free.
    pub fn place(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(Place)
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.all_places - self.places.available_permits()
    }

    /// Whether there is a thread that computes.
    pub fn is_alive(&self) -> bool {
        let computing = self.computing.lock().unwrap_or_else(PoisonError::into_inner);
        computing.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Whether that thread takes images; until then they wait.
    pub fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    /// The result of one image; to drop it is to want it no more.
    ///
    /// # Errors
    /// As those who prepare and compute; for a panic; and after the end.
    pub async fn run(&self, image: I, place: Place) -> Result<R> {
        const ENDED: &str = "the server is shutting down";
        let room = self.room.clone().acquire_owned().await?;
        let thread = self.threads.clone().acquire_owned().await?;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| anyhow!(ENDED))?;
        let (answer, result) = oneshot::channel();
        let prepare = self.prepare.clone();
        spawn_blocking(move || {
            let _thread = thread;
            // It may have waited for a thread of the runtime.
            if answer.is_closed() {
                return;
            }
            let prepared = caught(|| prepare(image));
            let held = (place, room);
            match prepared {
                Err(error) => {
                    drop(held);
                    // Whoever asked may have gone.
                    let _ = answer.send(Err(error));
                }
                Ok(prepared) => {
                    // Without a thread that computes, the job is dropped, and so is its answer.
                    let _ = queue.send(Job { prepared, answer, held });
                }
            }
        });
        result.await.map_err(|_| anyhow!("the thread that computes has ended: start the server anew"))?
    }

    /// Takes no more, and waits until what was taken is done.
    pub fn end(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.computing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Its panics were caught and answered.
            let _ = thread.join();
        }
    }
}

fn compute_all<P, R>(jobs: &Receiver<Job<P, R>>, most: usize, mut compute: impl FnMut(Vec<P>) -> Vec<Result<R>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            if !job.answer.is_closed() {
                batch.push(job);
            }
            next = if batch.len() < most { jobs.try_recv().ok() } else { None };
        }
        if batch.is_empty() {
            continue;
        }
        let (mut askers, mut images) = (Vec::new(), Vec::new());
        for Job { prepared, answer, held } in batch {
            askers.push((answer, held));
            images.push(prepared);
        }
        let results = caught(|| Ok(compute(images))).unwrap_or_else(|error| {
            let text = format!("{error:#}");
            askers.iter().map(|_| Err(anyhow!(text.clone()))).collect()
        });
        for ((answer, held), result) in askers.into_iter().zip(results) {
            // First, so that whoever has an answer finds a place for the next image.
            drop(held);
            let _ = answer.send(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;
    const FOUR: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
    const SIZES: Sizes = Sizes { places: 6, room: FOUR, threads: FOUR, batch: 3 };

    static PREPARED: AtomicUsize = AtomicUsize::new(0);

    fn counted(image: i32) -> Result<i32> {
        PREPARED.fetch_add(1, Ordering::SeqCst);
        Ok(image)
    }

    fn panicking(image: i32) -> Result<i32> {
        if image < 0 { panic!("below zero") } else { Ok(image) }
    }

    #[tokio::test]
    async fn a_panic_costs_its_image_and_the_next_one_is_answered() {
        let compute =
            |batch: Vec<i32>| batch.into_iter().map(|i| if i == 7 { panic!("seven") } else { Ok(i) }).collect();
        let pipeline = Pipeline::start(SIZES, panicking, move || compute);
        for (image, expected) in [(-1, "below zero"), (7, "seven")] {
            let error = pipeline.run(image, pipeline.place().unwrap()).await.unwrap_err();
            assert_eq!(error.to_string(), format!("internal error: {expected}"));
        }
        assert_eq!(pipeline.run(3, pipeline.place().unwrap()).await.unwrap(), 3);
        assert!(pipeline.is_alive());
        pipeline.end();
        assert!(!pipeline.is_alive());
        assert!(pipeline.run(3, pipeline.place().unwrap()).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_is_computed_together_and_what_nobody_wants_not_at_all() {
        let (go, gate) = channel::<()>();
        let (batches, seen) = channel();
        let compute = move |batch: Vec<i32>| {
            let mut sorted = batch.clone();
            sorted.sort_unstable();
            batches.send(sorted).unwrap();
            gate.recv_timeout(Duration::from_secs(10)).unwrap();
            batch.into_iter().map(Ok).collect()
        };
        let pipeline = Arc::new(Pipeline::start(Sizes { threads: ONE, ..SIZES }, counted, move || compute));
        let ask = |image: i32| {
            let (pipeline, place) = (pipeline.clone(), pipeline.place().unwrap());
            tokio::spawn(async move { pipeline.run(image, place).await.unwrap() })
        };
        let first = ask(0);
        let wait = Duration::from_secs(10);
        assert_eq!(seen.recv_timeout(wait).unwrap(), [0]);
        // While the first is computed, others come, and one of them goes.
        let others = [1, 2, 3].map(&ask);
        while PREPARED.load(Ordering::SeqCst) < 4 || pipeline.threads.available_permits() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let [one, two, three] = others;
        two.abort();
        assert!(two.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 0);
        assert_eq!(seen.recv_timeout(wait).unwrap(), [1, 3]);
        go.send(()).unwrap();
        assert_eq!((one.await.unwrap(), three.await.unwrap()), (1, 3));
        // All that was held is given back.
        let pipeline = Arc::into_inner(pipeline).expect("nobody asks");
        pipeline.end();
        assert_eq!((pipeline.taken(), pipeline.room.available_permits()), (0, 4));
    }

    #[test]
    fn there_are_no_more_places_than_said() {
        let compute = |batch: Vec<i32>| batch.into_iter().map(Ok).collect();
        let pipeline = Pipeline::start(SIZES, panicking, move || compute);
        let mut places: Vec<Place> = std::iter::from_fn(|| pipeline.place()).collect();
        assert_eq!((places.len(), pipeline.taken()), (6, 6));
        places.pop();
        assert!(pipeline.place().is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn images_wait_until_the_thread_that_computes_has_begun() {
        let (go, gate) = channel::<()>();
        let begin = move || {
            gate.recv_timeout(Duration::from_secs(10)).unwrap();
            |batch: Vec<i32>| batch.into_iter().map(Ok).collect()
        };
        let pipeline = Arc::new(Pipeline::start(SIZES, counted, begin));
        let asker = pipeline.clone();
        let asked = tokio::spawn(async move { asker.run(5, asker.place().unwrap()).await });
        assert!(!pipeline.is_ready());
        go.send(()).unwrap();
        assert_eq!(asked.await.unwrap().unwrap(), 5);
        assert!(pipeline.is_ready());
    }
}
