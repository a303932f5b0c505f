//! Data sets of opinion scores: tables as published, splits, decoded images, batches, and metrics.
//!
//! The crate also has what all native crates share: parsers of flags, atomic file writes, threads, prefetching,
//! progress bars and safe text for terminals.

#[cfg(feature = "data-sets")]
pub mod dataset;
#[cfg(feature = "data-sets")]
pub mod splits;

#[cfg(feature = "data-sets")]
pub mod decoded;
#[cfg(feature = "data-sets")]
pub mod image_cache;
#[cfg(feature = "data-sets")]
pub mod loader;

#[cfg(feature = "data-sets")]
pub mod metrics;

#[cfg(feature = "arrow")]
pub mod cells;
pub mod csv_format;
pub mod failpoint;
pub mod files;
pub mod flags;
pub mod image_cell;
pub mod parallel;
pub mod prefetch;
pub mod progress;
pub mod settings;
pub mod terminal;
