//! Matrix products of parts of slices, by the crate that burn's CPU backend multiplies with.

use gemm::Parallelism;

/// A matrix that lies in a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The whole slice, row after row.
    pub(super) fn rows(values: &'a [f32], columns: usize) -> Self {
        Self { values, rows: values.len() / columns, columns, row_stride: columns, column_stride: 1 }
    }

    /// Some columns of a matrix that lies row after row.
    pub(super) fn columns(self, first: usize, count: usize) -> Self {
        assert!(self.column_stride == 1 && first + count <= self.row_stride, "columns of a row");
        Self { values: &self.values[first..], columns: count, ..self }
    }

    /// Rows as columns.
    pub(super) fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Whether every element lies in the slice.
    fn fits(self) -> bool {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        rows == 0 || columns == 0 || (rows - 1) * row_stride + (columns - 1) * column_stride < values.len()
    }
}

/// `out = factor · a · b`, row after row, on this thread.
///
/// # Panics
/// If the sizes do not match, or a matrix is not inside its slice.
pub(super) fn product(out: &mut [f32], factor: f32, a: Matrix, b: Matrix) {
    let (rows, columns, inner) = (a.rows, b.columns, a.columns);
    assert!(out.len() == rows * columns && b.rows == inner, "sizes of a product");
    assert!(a.fits() && b.fits());
    #[expect(unsafe_code, reason = "the crate has no safe interface; burn calls it in the same way")]
    // SAFETY: every element of each matrix lies in its slice, as was just checked; `out` is borrowed alone, and its
    // elements are all at different places.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            columns as isize,
            false,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
