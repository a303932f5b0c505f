//! Reads and checks tables of opinion scores, as they are published.
//!
//! A table has a known [`Layout`], or the user names its columns. All wrong rows are reported together, each with its
//! line. With `--skip-bad`, wrong rows are omitted and listed in [`Dataset::skipped`].

mod args;
mod columns;
mod item;
mod layout;
mod problem;
mod source;
mod table;

mod csv_file;
mod parquet_file;
mod table_file;
mod xlsx_file;

mod agiqa_1k;
pub mod agiqa_3k;
mod aigciqa2023;
mod aigiqa_20k;

mod image_files;
mod image_source;
pub(crate) mod parquet_images;

pub use args::{DataArgs, OpinionColumns};
pub use image_source::ImageSource;
pub use item::{Dataset, Item};
pub use layout::Layout;
pub use problem::{Problem, ProblemKind, Problems, quoted_start};
pub use source::open;
pub(crate) use source::{ImageList, SourceTable};
