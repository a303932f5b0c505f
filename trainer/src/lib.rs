//! The native side of TSP-MGS: files, devices and the command line around `tsp-mgs-core`.

#![recursion_limit = "256"]

pub mod ahead;
pub mod batches;
pub mod cli;
mod clip_file;
pub mod compute;
pub mod data;
pub mod dataset;
pub mod device;
pub mod evaluate;
pub mod evaluation;
pub mod export;
pub mod files;
pub mod help;
pub mod image_cache;
pub mod images;
pub mod metrics;
pub mod model;
pub mod patience;
pub mod probe;
mod pytorch;
pub mod reproduce;
mod safetensors_file;
pub mod score;
mod separated;
pub mod serve;
pub mod splits;
pub mod synth;
pub mod terminal;
pub mod train;
