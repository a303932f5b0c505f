//! Range of a quantised input, and blocks of integer sums of products.

/// Largest quantised input.
pub(super) const LEVELS: f32 = 255.0;

/// A block of integer sums, row-major.
pub(super) struct Sums<'a> {
    pub(super) values: &'a [i32],
    /// Columns of each row.
    pub(super) width: usize,
    /// Position of the block in the product.
    pub(super) first_row: usize,
    pub(super) first_column: usize,
}
