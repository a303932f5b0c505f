//! What is counted, for Prometheus.

use std::time::Duration;

use anyhow::Result;
use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Of an idle machine to one with a long queue, in seconds.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Images of a batch.
const BATCHES: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// Counters and the registry that prints them.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    rejected: IntCounterVec,
    waiting: IntGauge,
    /// Images that were scored.
    pub images: IntCounter,
    /// Images that were scored together.
    pub batch: Histogram,
    /// Decoding and cutting of one image.
    pub decode_seconds: Histogram,
    /// Computing of one batch.
    pub score_seconds: Histogram,
    request_seconds: Histogram,
}

/// A client that waits; dropped without [`Waiting::answered`], it has gone.
pub struct Waiting<'a> {
    metrics: &'a Metrics,
    is_answered: bool,
}

impl Metrics {
    /// With the program's version, and what it scores with.
    ///
    /// # Errors
    /// Never in practice: the names are constants.
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
        let requests = counters("tsp_mgs_requests_total", "Answered requests.", &["route", "status"])?;
        let rejected = counters(
            "tsp_mgs_rejected_total",
            "Requests that were turned away, or whose client did not wait.",
            &["reason"],
        )?;
        let waiting = IntGauge::new("tsp_mgs_waiting", "Images that are uploaded, wait or are scored.")?;
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
            batch: histogram("tsp_mgs_batch_images", "Images that were scored together.", &BATCHES)?,
            decode_seconds: histogram("tsp_mgs_decode_seconds", "Decoding and cutting of an image.", &SECONDS)?,
            score_seconds: histogram("tsp_mgs_score_seconds", "Computing of a batch.", &SECONDS)?,
            request_seconds: histogram(
                "tsp_mgs_request_seconds",
                "A request for a score, from its header to its answer.",
                &SECONDS,
            )?,
            registry,
        })
    }

    /// Counts an answer.
    pub fn answered(&self, route: &str, status: u16) {
        self.requests.with_label_values(&[route, status.to_string().as_str()]).inc();
    }

    /// Counts a request that got no score for a reason of ours.
    pub fn rejected(&self, reason: &str) {
        self.rejected.with_label_values(&[reason]).inc();
    }

    /// A client begins to wait for a score.
    pub fn begin(&self) -> Waiting<'_> {
        Waiting { metrics: self, is_answered: false }
    }

    /// All numbers in Prometheus's text format.
    ///
    /// # Errors
    /// Never in practice: it is written to memory.
    pub fn text(&self, waiting: usize) -> Result<Vec<u8>> {
        self.waiting.set(waiting as i64);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl Waiting<'_> {
    /// The client waited so long for its answer.
    pub fn answered(mut self, after: Duration) {
        self.is_answered = true;
        self.metrics.request_seconds.observe(after.as_secs_f64());
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.metrics.rejected("client_gone");
        }
    }
}
