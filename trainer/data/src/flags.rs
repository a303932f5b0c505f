//! The error of wrong usage, and parsers of numbers and column names for the flags of all subcommands.

use std::num::NonZeroUsize;
use std::str::FromStr;

/// The error of flags that contradict the model or each other. The program then ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    /// Creates an error. `text` names the problem and says what to do.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Parses a positive integer into a type that excludes 0.
///
/// # Errors
/// Returns a message for users if the text is not such a number.
pub fn positive<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "expected a whole number, 1 or more")
}

/// Parses a positive integer.
///
/// # Errors
/// Returns a message for users if the text is not such a number.
pub fn count(text: &str) -> Result<usize, &'static str> {
    positive::<NonZeroUsize>(text).map(NonZeroUsize::get)
}

/// Parses a finite number that is at least 0.
///
/// # Errors
/// Returns a message for users if the text is not such a number.
pub fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    rate.ok_or("expected a number, at least 0")
}

/// Parses a number in [0, 1).
///
/// # Errors
/// Returns a message for users if the text is not such a number.
pub fn share(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|share| (0.0..1.0).contains(share)).ok_or("expected a number in [0, 1)")
}

/// Parses the value of `--columns`: pairs `ROLE=NAME` that are separated by commas.
///
/// # Errors
/// Returns a message for users if a part is not such a pair.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::flags::column_roles;
///
/// assert_eq!(column_roles("image=file,mos=score"), Ok(vec![("image", "file"), ("mos", "score")]));
/// assert_eq!(column_roles("image"), Err("expected ROLE=NAME, found `image`".to_owned()));
/// ```
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
