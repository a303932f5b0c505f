//! The pipeline from uploads to results.
//!
//! ```text
//! request permit → prepared permit → thread → queue → batch → response
//! ```
//!
//! Several threads prepare images. One thread computes, and batches the images that wait. A request holds its permit
//! from before the upload until its memory is released. Before each step, requests whose client has disconnected are
//! dropped.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tsp_mgs_data::parallel::catch_panic;

/// Sizes of the pipeline.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Most requests in upload, in the queue or in computation.
    pub requests: usize,
    /// Most prepared images, including those in preparation.
    pub prepared: NonZeroUsize,
    /// Number of threads that prepare images.
    pub threads: NonZeroUsize,
    /// Most images in a batch.
    pub batch: usize,
}

/// The permit of a request to upload and to wait.
pub struct RequestPermit(#[expect(dead_code, reason = "released when it is dropped")] OwnedSemaphorePermit);

/// A pipeline that prepares images `I` as `P` and computes results `R`.
pub struct Pipeline<I, P, R> {
    requests: Arc<Semaphore>,
    max_requests: usize,
    prepared: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    prepare: Arc<dyn Fn(I) -> Result<P> + Send + Sync>,
    queue: Mutex<Option<Sender<Job<P, R>>>>,
    compute_thread: Mutex<Option<JoinHandle<()>>>,
    is_ready: Arc<AtomicBool>,
}

/// A prepared image in the queue.
struct Job<P, R> {
    prepared: P,
    response: oneshot::Sender<Result<R>>,
    permits: (RequestPermit, OwnedSemaphorePermit),
}

impl<I: Send + 'static, P: Send + 'static, R: Send + 'static> Pipeline<I, P, R> {
    /// Starts the compute thread.
    ///
    /// The thread calls `begin` first, which returns the function that computes a batch. A batch takes the images that
    /// are waiting, and never waits for more.
    pub fn start<C: FnMut(Vec<P>) -> Vec<Result<R>>>(
        sizes: Sizes,
        prepare: impl Fn(I) -> Result<P> + Send + Sync + 'static,
        begin: impl FnOnce() -> C + Send + 'static,
    ) -> Self {
        let (queue, jobs) = channel();
        let is_ready = Arc::new(AtomicBool::new(false));
        let is_ready_in_thread = is_ready.clone();
        let compute_thread = thread::spawn(move || {
            let compute = begin();
            is_ready_in_thread.store(true, Ordering::Relaxed);
            compute_all(&jobs, sizes.batch, compute);
        });
        Self {
            requests: Arc::new(Semaphore::new(sizes.requests)),
            max_requests: sizes.requests,
            prepared: Arc::new(Semaphore::new(sizes.prepared.get())),
            threads: Arc::new(Semaphore::new(sizes.threads.get())),
            prepare: Arc::new(prepare),
            queue: Mutex::new(Some(queue)),
            compute_thread: Mutex::new(Some(compute_thread)),
            is_ready,
        }
    }

    /// A permit for a request, or `None` if there are too many requests.
    pub fn try_admit(&self) -> Option<RequestPermit> {
        self.requests.clone().try_acquire_owned().ok().map(RequestPermit)
    }

    /// The number of requests that hold a permit.
    pub fn active_requests(&self) -> usize {
        self.max_requests - self.requests.available_permits()
    }

    /// Whether the compute thread is running.
    pub fn is_alive(&self) -> bool {
        let thread = self.compute_thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Whether the compute thread has started to compute. Until then images wait.
    pub fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    /// Prepares and computes an image. Dropping the future cancels the request.
    ///
    /// # Errors
    /// Fails if preparing or computing fails or panics, or after [`Pipeline::end`].
    pub async fn run(&self, image: I, permit: RequestPermit) -> Result<R> {
        const SHUTTING_DOWN: &str = "the server is shutting down";
        let prepared_permit = self.prepared.clone().acquire_owned().await?;
        let thread = self.threads.clone().acquire_owned().await?;
        let queue =
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| anyhow!(SHUTTING_DOWN))?;
        let (response, result) = oneshot::channel();
        let prepare = self.prepare.clone();
        spawn_blocking(move || {
            let _thread = thread;
            // The client may have disconnected while this waited for a thread.
            if response.is_closed() {
                return;
            }
            let prepared = catch_panic(|| prepare(image));
            let permits = (permit, prepared_permit);
            match prepared {
                Err(error) => {
                    drop(permits);
                    // The client may have disconnected.
                    let _ = response.send(Err(error));
                }
                Ok(prepared) => {
                    // If the compute thread has stopped, the job is dropped, and `result` fails.
                    let _ = queue.send(Job { prepared, response, permits });
                }
            }
        });
        result.await.map_err(|_| anyhow!("the compute thread has stopped: restart the server"))?
    }

    /// Refuses new images, and waits until the accepted ones are computed.
    pub fn end(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.compute_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Panics in the thread were caught and answered.
            let _ = thread.join();
        }
    }
}

fn compute_all<P, R>(jobs: &Receiver<Job<P, R>>, max_batch: usize, mut compute: impl FnMut(Vec<P>) -> Vec<Result<R>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            if !job.response.is_closed() {
                batch.push(job);
            }
            next = if batch.len() < max_batch { jobs.try_recv().ok() } else { None };
        }
        if batch.is_empty() {
            continue;
        }
        let (mut waiting, mut images) = (Vec::new(), Vec::new());
        for Job { prepared, response, permits } in batch {
            waiting.push((response, permits));
            images.push(prepared);
        }
        let results = catch_panic(|| Ok(compute(images))).unwrap_or_else(|error| {
            let text = format!("{error:#}");
            waiting.iter().map(|_| Err(anyhow!(text.clone()))).collect()
        });
        for ((response, permits), result) in waiting.into_iter().zip(results) {
            // The permits are released first, so that a client with a response can send the next image.
            drop(permits);
            let _ = response.send(result);
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
    const SIZES: Sizes = Sizes { requests: 6, prepared: FOUR, threads: FOUR, batch: 3 };

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
            let error = pipeline.run(image, pipeline.try_admit().unwrap()).await.unwrap_err();
            assert_eq!(error.to_string(), format!("internal error: {expected}"));
        }
        assert_eq!(pipeline.run(3, pipeline.try_admit().unwrap()).await.unwrap(), 3);
        assert!(pipeline.is_alive());
        pipeline.end();
        assert!(!pipeline.is_alive());
        assert!(pipeline.run(3, pipeline.try_admit().unwrap()).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn waiting_images_are_batched_and_abandoned_ones_are_dropped() {
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
            let (pipeline, permit) = (pipeline.clone(), pipeline.try_admit().unwrap());
            tokio::spawn(async move { pipeline.run(image, permit).await.unwrap() })
        };
        let first = ask(0);
        let wait = Duration::from_secs(10);
        assert_eq!(seen.recv_timeout(wait).unwrap(), [0]);
        // While the first image is computed, others arrive, and the client of one disconnects.
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
        // All permits are released.
        let pipeline = Arc::into_inner(pipeline).expect("nobody asks");
        pipeline.end();
        assert_eq!((pipeline.active_requests(), pipeline.prepared.available_permits()), (0, 4));
    }

    #[test]
    fn the_number_of_requests_is_limited() {
        let compute = |batch: Vec<i32>| batch.into_iter().map(Ok).collect();
        let pipeline = Pipeline::start(SIZES, panicking, move || compute);
        let mut permits: Vec<RequestPermit> = std::iter::from_fn(|| pipeline.try_admit()).collect();
        assert_eq!((permits.len(), pipeline.active_requests()), (6, 6));
        permits.pop();
        assert!(pipeline.try_admit().is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn images_wait_until_the_compute_thread_is_ready() {
        let (go, gate) = channel::<()>();
        let begin = move || {
            gate.recv_timeout(Duration::from_secs(10)).unwrap();
            |batch: Vec<i32>| batch.into_iter().map(Ok).collect()
        };
        let pipeline = Arc::new(Pipeline::start(SIZES, counted, begin));
        let client = pipeline.clone();
        let request = tokio::spawn(async move { client.run(5, client.try_admit().unwrap()).await });
        assert!(!pipeline.is_ready());
        go.send(()).unwrap();
        assert_eq!(request.await.unwrap().unwrap(), 5);
        assert!(pipeline.is_ready());
    }
}
