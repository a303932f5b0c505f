//! A model, or a method that it is compared with, against people's opinions (SPEC §7), and the report about it.

#![recursion_limit = "256"]

pub mod args;
pub mod method;
pub mod part;
pub mod run;

pub mod evaluation;
pub mod report;

mod report_folder;
