//! A program without the feature `arrow`: it has no Parquet files and no Arrow streams. Functions with the same names
//! return an error that says how to build the program with them.

use tsp_mgs_data::flags::UsageError;

/// Checks that the program was built with the feature `arrow`.
///
/// # Errors
/// Returns an error that says how to build it with the feature.
pub fn check() -> Result<(), UsageError> {
    if cfg!(feature = "arrow") {
        return Ok(());
    }
    Err(error())
}

/// The error of a program without the feature `arrow`.
pub fn error() -> UsageError {
    UsageError::new(
        "this program was built without Parquet and Arrow; build it with `cargo build --release --locked`, or use CSV \
         or JSON lines",
    )
}

#[cfg(not(feature = "arrow"))]
fn unavailable<T>() -> anyhow::Result<T> {
    Err(error().into())
}

/// The output of Parquet files.
#[cfg(not(feature = "arrow"))]
pub mod parquet {
    use std::convert::Infallible;
    use std::fs::File;
    use std::path::PathBuf;

    use anyhow::Result;
    use tsp_mgs_core::result::Run;

    use super::unavailable;
    use crate::results::row::ResultRow;

    /// A writer that cannot be created.
    pub struct ParquetEncoder(Infallible);

    impl ParquetEncoder {
        /// Returns the error.
        pub fn new(_: File, _: Option<&str>) -> Result<Self> {
            Ok(Self(unavailable()?))
        }

        /// Cannot be called.
        pub fn add(&mut self, _: &[ResultRow], _: &Run) -> Result<()> {
            match self.0 {}
        }

        /// Cannot be called.
        pub fn finish(self) -> Result<File> {
            match self.0 {}
        }
    }

    /// Returns the error.
    pub fn join(_: impl Iterator<Item = PathBuf>, _: File, _: &str) -> Result<File> {
        unavailable()
    }
}

/// The input of Parquet files.
#[cfg(not(feature = "arrow"))]
pub mod parquet_table {
    use std::path::Path;

    use anyhow::Result;

    use super::unavailable;
    use crate::input::record::Records;
    use crate::input::table::{InputColumns, Table};

    /// Returns the error.
    pub fn open(_: &Path, _: Table, _: &InputColumns) -> Result<Records> {
        unavailable()
    }

    /// Returns the error.
    pub fn count(_: &Path) -> Result<u64> {
        unavailable()
    }
}
