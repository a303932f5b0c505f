//! Constants of both implementations of quality.

/// Width of the opinion scale, `R` in SPEC §5 (D8). Scores are on a scale of 0 to 5.
pub const SCALE: f64 = 5.0;

/// A lower bound for the length of a feature, so that the zero vectors of padding are not divided by zero. Real features are much
/// longer.
pub(crate) const MIN_LENGTH: f64 = 1e-12;
