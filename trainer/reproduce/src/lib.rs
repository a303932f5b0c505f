//! The paper's tables and figures, ours beside the published numbers.
//!
//! An experiment is a list of trainings, each a process of its own with a folder of its own. What is finished is never
//! run again, and what was interrupted goes on, as `trainer train` does; trainings that experiments share run once.

pub mod args;
pub mod paper;
pub mod result;
pub mod run;

mod job;
mod plan;
mod queue;
mod sets;

mod chart;
mod notes;
mod render;
mod report;
