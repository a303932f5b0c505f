//! Reproduction of the paper's tables and figures, with our numbers beside the published ones.
//!
//! An experiment is a list of jobs. Each job is a process and has a folder. Finished jobs are not run again, and
//! interrupted trainings are resumed. Jobs that several experiments share run once.

pub mod args;
pub mod paper;
pub mod run;
pub mod table;

mod data_sets;
mod job;
mod plan;
mod queue;

mod chart;
mod notes;
mod render;
mod report;
