//! The native side of TSP-MGS as one library: what the command line can do, a Rust program can call.
//!
//! Each subcommand has a crate with a struct of its flags and a function `run`; the parts that these are made of are public,
//! too. The crates depend on each other in one direction: `data` and `score` below `train` and `evaluate`, these below
//! `reproduce`.

#![recursion_limit = "256"]

pub mod cli;
pub mod help;

pub use tsp_mgs_data as data;
pub use tsp_mgs_evaluate as evaluate;
pub use tsp_mgs_reproduce as reproduce;
pub use tsp_mgs_score as score;
pub use tsp_mgs_serve as serve;
pub use tsp_mgs_synth as synth;
pub use tsp_mgs_train as train;
