//! Counters and times for Prometheus.

use std::time::Instant;

use anyhow::Result;
use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Buckets of times, in seconds: from an idle machine to a long queue.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Buckets of batch sizes, in images.
const BATCHES: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// The counters and the registry that exports them.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    rejected: IntCounterVec,
    waiting: IntGauge,
    /// Number of scored images.
    pub images: IntCounter,
    /// Number of images of each batch.
    pub batch: Histogram,
    /// Time to decode and crop an image.
    pub decode_seconds: Histogram,
    /// Time to compute a batch.
    pub score_seconds: Histogram,
    request_seconds: Histogram,
}

/// Measures a request for a score. If it is dropped without [`RequestTimer::finish`], the request is counted as
/// abandoned by its client.
pub struct RequestTimer<'a> {
    metrics: &'a Metrics,
    start: Instant,
    is_finished: bool,
}

impl Metrics {
    /// Registers all counters, labelled with the version of the program, the model and the device.
    ///
    /// # Errors
    /// Fails if a name is invalid or used twice. All names are constants.
    pub fn new(model: &str, device: &str) -> Result<Self> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| -> Result<Histogram> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let requests = counters("tsp_mgs_requests_total", "Requests that were answered.", &["route", "status"])?;
        let rejected = counters(
            "tsp_mgs_rejected_total",
            "Requests that were refused or whose client disconnected.",
            &["reason"],
        )?;
        let waiting = IntGauge::new("tsp_mgs_waiting", "Images in upload, in the queue or in computation.")?;
        let images = IntCounter::new("tsp_mgs_images_scored_total", "Images that were scored.")?;
        let about = Opts::new("tsp_mgs_info", "Version, model and device; always 1.")
            .const_label("version", env!("CARGO_PKG_VERSION"))
            .const_label("model", model)
            .const_label("device", device);
        let about = IntGauge::with_opts(about)?;
        about.set(1);
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(images.clone()))?;
        registry.register(Box::new(about))?;
        Ok(Self {
            requests,
            rejected,
            waiting,
            images,
            batch: histogram("tsp_mgs_batch_images", "Images of a batch.", &BATCHES)?,
            decode_seconds: histogram("tsp_mgs_decode_seconds", "Time to decode and crop an image.", &SECONDS)?,
            score_seconds: histogram("tsp_mgs_score_seconds", "Time to compute a batch.", &SECONDS)?,
            request_seconds: histogram(
                "tsp_mgs_request_seconds",
                "Time of a request for a score, from its header to its response.",
                &SECONDS,
            )?,
            registry,
        })
    }

    /// Counts a response.
    pub fn count_response(&self, route: &str, status: u16) {
        self.requests.with_label_values(&[route, status.to_string().as_str()]).inc();
    }

    /// Counts a request that the server refused, by its reason.
    pub fn count_rejection(&self, reason: &str) {
        self.rejected.with_label_values(&[reason]).inc();
    }

    /// Starts to measure a request for a score.
    pub fn start_request(&self) -> RequestTimer<'_> {
        RequestTimer { metrics: self, start: Instant::now(), is_finished: false }
    }

    /// All numbers in Prometheus's text format. `active_requests` is the current number of requests for a score.
    ///
    /// # Errors
    /// Fails if the text cannot be written. It is written to memory.
    pub fn text(&self, active_requests: usize) -> Result<Vec<u8>> {
        self.waiting.set(active_requests as i64);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl RequestTimer<'_> {
    /// Records the time of the finished request.
    pub fn finish(mut self) {
        self.is_finished = true;
        self.metrics.request_seconds.observe(self.start.elapsed().as_secs_f64());
    }
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.metrics.count_rejection("client_gone");
        }
    }
}
