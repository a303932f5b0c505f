//! Rows of matrices on a device: what was computed together stays together, and is collected when it is asked for.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;

/// Rows of a matrix that others have rows of too.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(crate) matrix: Arc<Tensor<2>>,
    pub(crate) range: Range<usize>,
}

impl Rows {
    pub(crate) fn new(matrix: &Arc<Tensor<2>>, range: Range<usize>) -> Self {
        Self { matrix: matrix.clone(), range }
    }

    pub(crate) fn all(matrix: Tensor<2>) -> Self {
        let range = 0..matrix.dims()[0];
        Self { matrix: Arc::new(matrix), range }
    }
}

/// The same rows in one matrix, each part's below those of the part before.
pub(crate) fn collect(parts: &[Rows]) -> Tensor<2> {
    let rows = |part: &Rows| Tensor::clone(&part.matrix).narrow(0, part.range.start, part.range.len());
    Tensor::cat(parts.iter().map(rows).collect(), 0)
}
