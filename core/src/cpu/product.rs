//! Matrix products of parts of slices, by the crate that burn's CPU backend multiplies with.

use gemm::Parallelism;

/// Multiplications of a product that is worth several threads, as burn's CPU backend has it.
#[cfg(not(target_arch = "wasm32"))]
const WORTH_THREADS: usize = 192 * 192 * 192;

/// A matrix that lies in a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    layout: Layout,
}

/// A matrix to write that lies in a slice.
pub(super) struct MatrixMut<'a> {
    values: &'a mut [f32],
    layout: Layout,
}

/// Where the elements of a matrix lie.
#[derive(Clone, Copy)]
struct Layout {
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// What becomes of what stood in the result.
#[derive(Clone, Copy)]
pub(super) enum Old {
    Kept,
    Dropped,
}

/// Who multiplies.
#[derive(Clone, Copy)]
pub(super) enum Threads {
    One,
    All,
}

impl<'a> Matrix<'a> {
    /// The whole slice, row after row.
    pub(super) fn rows(values: &'a [f32], columns: usize) -> Self {
        Self { values, layout: Layout::rows(values.len(), columns) }
    }

    /// Some columns of a matrix that lies row after row.
    pub(super) fn columns(self, first: usize, count: usize) -> Self {
        Self { values: &self.values[first..], layout: self.layout.columns(first, count) }
    }

    /// Rows as columns.
    pub(super) fn transposed(self) -> Self {
        let Layout { rows, columns, row_stride, column_stride } = self.layout;
        let layout = Layout { rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride };
        Self { layout, ..self }
    }
}

impl<'a> MatrixMut<'a> {
    /// The whole slice, row after row.
    pub(super) fn rows(values: &'a mut [f32], columns: usize) -> Self {
        let layout = Layout::rows(values.len(), columns);
        Self { values, layout }
    }
}

impl Layout {
    fn rows(elements: usize, columns: usize) -> Self {
        Self { rows: elements / columns, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows never overlap, so that several threads may write them.
    fn columns(self, first: usize, count: usize) -> Self {
        assert!(self.column_stride == 1 && first + count <= self.row_stride, "columns of a row");
        Self { columns: count, ..self }
    }

    /// Whether every element lies in a slice of this length.
    fn fits(self, length: usize) -> bool {
        let Self { rows, columns, row_stride, column_stride } = self;
        rows == 0 || columns == 0 || (rows - 1) * row_stride + (columns - 1) * column_stride < length
    }
}

/// `out = factor · a · b`, added to what stood there if it is kept.
///
/// # Panics
/// If the sizes do not match, or a matrix is not inside its slice.
pub(super) fn product(out: MatrixMut, old: Old, factor: f32, a: Matrix, b: Matrix, threads: Threads) {
    let (rows, columns, inner) = (out.layout.rows, out.layout.columns, a.layout.columns);
    assert!(a.layout.rows == rows && b.layout.columns == columns && b.layout.rows == inner, "sizes of a product");
    assert!(out.layout.fits(out.values.len()) && a.layout.fits(a.values.len()) && b.layout.fits(b.values.len()));
    let parallelism = match threads {
        #[cfg(not(target_arch = "wasm32"))]
        Threads::All if rows * columns * inner >= WORTH_THREADS => Parallelism::Rayon(0),
        _ => Parallelism::None,
    };
    #[expect(unsafe_code, reason = "the crate has no safe interface; burn calls it in the same way")]
    // SAFETY: every element of each matrix lies in its slice, as was just checked; `out` is borrowed alone, and its
    // elements are all at different places.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.values.as_mut_ptr(),
            out.layout.column_stride as isize,
            out.layout.row_stride as isize,
            matches!(old, Old::Kept),
            a.values.as_ptr(),
            a.layout.column_stride as isize,
            a.layout.row_stride as isize,
            b.values.as_ptr(),
            b.layout.column_stride as isize,
            b.layout.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}
