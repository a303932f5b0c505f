//! What the flags of all subcommands share: the error of wrong usage, and readers of counts, numbers and columns.

use std::num::NonZeroUsize;
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

/// Reads a count, 1 or more.
///
/// # Errors
/// For any other text.
pub fn count(text: &str) -> Result<usize, &'static str> {
    positive::<NonZeroUsize>(text).map(NonZeroUsize::get)
}

/// Reads a finite number, 0 or more.
///
/// # Errors
/// For any other text.
pub fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    rate.ok_or("expected a number, at least 0")
}

/// Reads a share, in [0, 1).
///
/// # Errors
/// For any other text.
pub fn share(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|share| (0.0..1.0).contains(share)).ok_or("expected a number in [0, 1)")
}

/// The pairs of a flag that names a table's columns: `ROLE=NAME,ROLE=NAME`.
///
/// # Errors
/// For a part that is no such pair.
pub fn column_roles(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split(',')
        .map(|part| {
            let Some((role, name)) = part.split_once('=') else {
                return Err(format!("expected ROLE=NAME, found `{part}`"));
            };
            let (role, name) = (role.trim(), name.trim());
            if name.is_empty() {
                return Err(format!("expected the name of a column after `{role}=`"));
            }
            Ok((role, name))
        })
        .collect()
}
