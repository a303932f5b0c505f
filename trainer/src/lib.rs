//! The native part of TSP-MGS as a library. A Rust program can call whatever the command line can do.
//!
//! Each subcommand has a struct of its flags and a function `run`. The parts that they consist of are public too. The
//! crates depend on each other in one direction: `train` and `evaluate` on `score` and `data`, and `reproduce` on
//! `train` and `evaluate`.

#![recursion_limit = "256"]

pub mod cli;
mod commands;
pub mod help;

pub use tsp_mgs_data as data;
#[cfg(feature = "train")]
pub use tsp_mgs_evaluate as evaluate;
#[cfg(feature = "train")]
pub use tsp_mgs_reproduce as reproduce;
pub use tsp_mgs_score as score;
#[cfg(feature = "serve")]
pub use tsp_mgs_serve as serve;
#[cfg(feature = "train")]
pub use tsp_mgs_synth as synth;
#[cfg(feature = "train")]
pub use tsp_mgs_train as train;
