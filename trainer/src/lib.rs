//! The native side of TSP-MGS: files, devices and the command line around `tsp-mgs-core`.

#![recursion_limit = "256"]

pub mod cli;
mod clip_file;
pub mod compute;
pub mod device;
pub mod evaluate;
pub mod evaluation;
pub mod export;
pub mod images;
pub mod model;
pub mod options;
pub mod patience;
pub mod predict;
pub mod probe;
mod pytorch;
pub mod reproduce;
mod safetensors_file;
pub mod score;
pub mod serve;
pub mod synth;
pub mod train;

pub use tsp_mgs_data as data;
