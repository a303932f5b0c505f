//! Tests across crates, in one binary, as each further one links burn again.

#![recursion_limit = "256"]

#[path = "suite/hub_server.rs"]
mod hub_server;
#[path = "suite/image_files.rs"]
mod image_files;
#[path = "suite/parity.rs"]
mod parity;
#[path = "suite/pool.rs"]
mod pool;
#[path = "suite/server.rs"]
mod server;
#[path = "suite/support.rs"]
mod support;

/// Files as people bring them: names, tables and tar files that are not as they should be.
#[path = "suite/brought.rs"]
mod brought;
/// Bundles, written and read back.
#[path = "suite/bundles.rs"]
mod bundles;
/// Every file format and every way a file can be wrong.
#[path = "suite/checkpoints.rs"]
mod checkpoints;
/// The binary, as a user runs it.
#[path = "suite/cli.rs"]
mod cli;
/// Tables of opinion scores, right and wrong, in every layout.
#[path = "suite/datasets.rs"]
mod datasets;
/// Image files of every kind, and files that are wrong or end too early.
#[path = "suite/decoding.rs"]
mod decoding;
/// The built-in weights: how well they rank what they never saw.
#[path = "suite/demo.rs"]
mod demo;
/// What results say of images of which a score says little.
#[path = "suite/doubts.rs"]
mod doubts;
/// `trainer evaluate`, as a user runs it: `trainer score`, and the towers alone.
#[path = "suite/evaluate.rs"]
mod evaluate;
/// The report: what it says, shows and refuses.
#[path = "suite/evaluation.rs"]
mod evaluation;
/// Kernels for GPUs, each by itself: arithmetic in float64.
#[path = "suite/gpu.rs"]
mod gpu;
/// Models by name: a hub on this machine.
#[path = "suite/hub.rs"]
mod hub;
/// Models by name: the binary, as a user runs it.
#[path = "suite/hub_cli.rs"]
mod hub_cli;
/// Decoded images on disk.
#[path = "suite/image_cache.rs"]
mod image_cache;
/// `trainer score` on every kind of input.
#[path = "suite/inputs.rs"]
mod inputs;
/// The batches that training and evaluation cut from cached images.
#[path = "suite/loader.rs"]
mod loader;
/// Correlations and their intervals: SciPy.
#[path = "suite/metrics.rs"]
mod metrics;
/// Synth, train, kill, resume, export, score: the binary, as a researcher runs it.
#[path = "suite/pipeline.rs"]
mod pipeline;
/// The paper's tables and figures: their numbers, and runs that are killed or fail.
#[path = "suite/reproduce.rs"]
mod reproduce;
/// `trainer score` that is killed, and the files that it writes in parts.
#[path = "suite/resume.rs"]
mod resume;
/// `trainer score` on many images: order, formats, what fails, what is kept.
#[path = "suite/scale.rs"]
mod scale;
/// Whole scores with every option, on every device: an implementation in PyTorch.
#[path = "suite/scores.rs"]
mod scores;
/// `trainer serve`: its scores, its flags, and what it refuses to start with.
#[path = "suite/serve.rs"]
mod serve;
/// `trainer serve` with many clients, slow ones, and ones that go; and how it ends.
#[path = "suite/serve_load.rs"]
mod serve_load;
/// `trainer serve`: each answer that its OpenAPI document names.
#[path = "suite/serve_openapi.rs"]
mod serve_openapi;
/// `trainer serve`: files of the page.
#[path = "suite/serve_pages.rs"]
mod serve_pages;
/// Splits, drawn, written, read and checked.
#[path = "suite/splits.rs"]
mod splits;
/// `trainer score` as a filter between an engine's pipes.
#[path = "suite/stream.rs"]
mod stream;
/// A synthetic data set, as a user makes it.
#[path = "suite/synth.rs"]
mod synth;
#[path = "suite/tables.rs"]
mod tables;
/// Text to token ids: open_clip.
#[path = "suite/tokens.rs"]
mod tokens;
/// CLIP's towers: transformers.
#[path = "suite/towers.rs"]
mod towers;
/// Gradients, steps of AdamW and learning rates: PyTorch.
#[path = "suite/training.rs"]
mod training;
/// Image to views: Pillow and torch.
#[path = "suite/views.rs"]
mod views;
