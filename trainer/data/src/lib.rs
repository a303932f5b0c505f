//! Data sets of opinion scores: tables as published, splits, decoded images, batches, and metrics.
//!
//! The crate also has what all native crates share: parsers of flags, atomic file writes, threads, prefetching,
//! progress bars and safe text for terminals.

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
