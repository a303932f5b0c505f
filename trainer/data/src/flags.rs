//! What the flags of all subcommands share: the error of wrong usage, and the reader of counts.

use std::str::FromStr;

/// Flags that do not fit the model, or each other: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    /// With what is wrong and what to do.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Reads a whole number that is not 0; the standard library's own complaint speaks of types.
///
/// # Errors
/// For any other text.
pub fn positive<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "expected a whole number, 1 or more")
}
