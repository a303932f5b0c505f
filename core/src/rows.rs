//! References to rows of matrices on a device. Features that were computed together stay in one matrix until they are gathered.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;

/// Adjacent rows of a shared matrix.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(crate) matrix: Arc<Tensor<2>>,
    pub(crate) range: Range<usize>,
}

impl Rows {
    pub(crate) fn new(matrix: &Arc<Tensor<2>>, range: Range<usize>) -> Self {
        Self { matrix: matrix.clone(), range }
    }
}

/// Copies rows into one matrix, in order, by burn's operations.
pub(crate) fn gather(parts: &[Rows]) -> Tensor<2> {
    let rows = |part: &Rows| Tensor::clone(&part.matrix).narrow(0, part.range.start, part.range.len());
    Tensor::cat(parts.iter().map(rows).collect(), 0)
}
