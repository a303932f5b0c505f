//! TSP-MGS: the perception and alignment quality of AI-generated images.
//!
//! Xia et al., "AI-Generated Image Quality Assessment Based on Task-Specific Prompt and
//! Multi-Granularity Similarity". Bytes and tensors in, tensors out: no files, no network, no clock,
//! no printing. The modules below stand in the order in which a score comes about.

#![recursion_limit = "256"]

pub mod error;

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
