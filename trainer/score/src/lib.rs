//! Scores images at scale: opens models and devices, finds images and their prompts, scores them in batches and writes
//! the results.
//!
//! [`run::run`] is `trainer score`. A program that has decoded images in memory calls [`batching::score_batch`] with a
//! scorer from [`model::Model::scorer`].

#![recursion_limit = "256"]

pub mod hub;
pub mod model;
mod weights;

pub mod device;
pub mod options;
pub mod scorer_args;
pub mod slow_start;

pub mod args;
pub mod run;
#[cfg(feature = "arrow")]
pub mod stream;
mod without_arrow;

pub mod input;
pub use input::{images, record};

pub mod batching;
pub mod features;
#[cfg(feature = "data-sets")]
pub mod predict;
pub mod prepare;

pub mod results;
pub use results::{row, text_rows};

pub mod gallery;
mod output;

pub mod device_report;
pub mod export;
