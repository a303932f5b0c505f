//! Scores images at scale: opens models and devices, finds images and their prompts, scores them in batches and writes
//! the results.
//!
//! [`run::run`] is `trainer score`. A program that has decoded images in memory calls [`batching::score_batch`] with a
//! scorer from [`model::Model::scorer`].

#![recursion_limit = "256"]

pub mod model;

mod clip_file;
pub mod hub;
mod pytorch;
mod safetensors_file;

pub mod device;
pub mod options;
pub mod patience;
pub mod scorer_args;

pub mod args;
pub mod run;

pub mod images;
pub mod input;
pub mod record;
pub mod shard;

pub mod batching;
pub mod features;
pub mod predict;
pub mod prepare;

pub mod arrow_rows;
pub mod columns;
pub mod row;
pub mod text_rows;

pub mod gallery;

mod encode;
mod output;
mod parts;
mod resume;
mod run_settings;
mod stream;
mod tally;

pub mod device_report;
pub mod export;
