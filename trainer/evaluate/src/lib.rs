//! Evaluation of a model, or of a baseline, against opinion scores: metrics (Xia et al., §4.1), and a report about
//! them.

#![recursion_limit = "256"]

pub mod args;
pub mod method;
pub mod run;
pub mod subset;

pub mod evaluation;
pub mod report;

mod report_folder;
