//! Opinion scores: the published tables as they are, checked row by row before anything is trained on them.
//!
//! A table has a [`Layout`], or its columns are named. All that is wrong is collected and reported at once, each with
//! its line; with `--skip-bad` those rows are left out and kept in [`Dataset::skipped`].

mod args;
mod columns;
mod item;
mod layout;
mod problem;
mod source;
mod table;

mod csv_file;
mod parquet_file;
mod sheet;
mod table_file;

pub mod agiqa_1k;
pub mod agiqa_3k;
mod aigciqa2023;
mod aigiqa_20k;

mod files;

pub use args::{DataArgs, OpinionColumns};
pub use item::{Dataset, Item};
pub use layout::Layout;
pub use problem::{Problem, ProblemKind, Problems, quoted_start};
pub use source::open;
pub(crate) use source::{List, SourceTable};
