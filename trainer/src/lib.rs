//! The native side of TSP-MGS: files, devices and the command line around `tsp-mgs-core`.

#![recursion_limit = "256"]

pub mod cli;
pub mod device;
pub mod evaluation;
pub mod export;
pub mod images;
pub mod metrics;
pub mod model;
mod pytorch;
pub mod report;
pub mod score;
