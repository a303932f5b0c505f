//! The paper's training (SPEC §6), that an interruption costs nothing.
//!
//! A run is a folder. Its settings stand in `config.json`; whatever else is in it follows from them, so
//! that giving the same command again goes on where it stopped, and ends with the same weights.

#![recursion_limit = "256"]

pub mod args;
pub mod config;
pub mod paper_settings;
pub mod run;
pub mod schedule;
pub mod scratch;

pub mod history;
pub mod learner;
mod texts;

mod checkpoints;
mod display;
mod memory;
mod outcome;
mod training_run;
