//! The rows of the results, their columns, and their conversion to text and to Arrow.

pub mod columns;
pub mod row;

#[cfg(feature = "arrow")]
pub mod arrow_rows;
pub mod text_rows;

pub(crate) mod tally;
