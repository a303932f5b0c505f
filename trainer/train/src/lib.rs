//! Training on opinion scores, as in the paper (Xia et al., §4.2).
//!
//! A run is a folder. Its settings are in `config.json`, and all other files follow from them. The same command resumes
//! an interrupted run, and the resumed run ends with the same weights.

#![recursion_limit = "256"]

pub mod args;
pub mod config;
pub mod paper_settings;
pub mod run;
pub mod schedule;
pub mod scratch;

pub mod history;
pub mod learner;
pub mod read_back;
mod texts;

mod checkpoints;
mod correlate;
mod display;
mod memory;
mod report;
mod run_folder;
mod training_run;
