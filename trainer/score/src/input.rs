//! Where images come from: one record after the other, whatever the kind of input.
//!
//! Nothing is listed before it is asked for, so that an input of any size is begun at once and takes no memory.

mod args;
mod records;

mod paths;
mod tar_file;

pub mod cells;
mod csv_table;
mod lines;
mod parquet_table;
pub mod table;
mod tables;

pub use args::InputArgs;
pub use records::{count, records};
pub use table::InputColumns;
