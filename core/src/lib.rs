//! TSP-MGS: perception and alignment quality of AI-generated images.
//!
//! The method is that of Xia et al., "AI-Generated Image Quality Assessment Based on Task-Specific Prompt and Multi-Granularity
//! Similarity". This crate uses no files, network, clock or printing. [`scorer::Scorer`] is its main entry point.
//!
//! The modules are listed in the order in which a score is computed.

#![recursion_limit = "256"]

pub mod error;

mod limits;
pub mod preprocess;

mod clean;
pub mod tokenizer;

pub mod metadata;
pub mod prompts;

pub mod clip;
pub mod config;
#[cfg(feature = "cpu")]
mod cpu;
pub mod encoder;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod text;
mod towers;
pub mod transformer;
pub mod vision;

pub mod options;
pub mod quality;
pub mod result;
mod rows;
pub mod scorer;
pub mod words;
pub mod work;

pub mod bundle;
pub mod checkpoint;
pub mod layout;
pub mod parameters;
mod quantise;
pub mod seeded;
pub mod selfcheck;
pub mod weights;

pub use error::{Error, Result};
