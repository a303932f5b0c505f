//! The input: image files, folders, tar files, lists and tables, as an iterator of records.
//!
//! Files, folders and tables are read while the iterator advances. An input of any size therefore starts at once and
//! needs little memory.

mod args;
mod records;

pub mod images;
pub mod record;
pub mod shard;

mod paths;
mod tar_file;

#[cfg(feature = "arrow")]
pub mod cells;
mod csv_table;
mod lines;
#[cfg(feature = "arrow")]
mod parquet_table;
pub mod table;
mod tables;

pub use args::InputArgs;
pub use paths::pattern;
pub use records::{count, records};
pub use table::InputColumns;
