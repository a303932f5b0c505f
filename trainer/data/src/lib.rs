//! Data sets of opinion scores, from the published table to the batches of a training step, and what all crates of the
//! native side share: flags, files that are written whole, prefetching, text for a terminal.

pub mod dataset;
pub mod splits;

pub mod decoded;
pub mod image_cache;
pub mod loader;

pub mod metrics;

pub mod csv_format;
pub mod files;
pub mod flags;
pub mod parallel;
pub mod prefetch;
pub mod progress;
pub mod settings;
pub mod terminal;
