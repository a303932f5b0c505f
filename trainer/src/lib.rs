//! The native side of TSP-MGS: files, devices and the command line around `tsp-mgs-core`.

#![recursion_limit = "256"]

pub mod cli;
pub mod evaluate;
pub mod evaluation;
pub mod reproduce;
pub mod serve;
pub mod synth;
pub mod train;

pub use tsp_mgs_data as data;
pub use tsp_mgs_score as score;
