//! Copies rows of a matrix to places in another matrix.

use cubecl::prelude::*;

use super::grid::{LANES, Vec4, count_rows, row_of_group};

/// Units of a workgroup, side by side along a row.
const UNITS: u32 = 64;

/// Queues the copy of `rows` rows of `width` values. Each entry of `places` is a row of `source` and the row of `out` that it is
/// copied to.
///
/// # Shapes
/// - `places`: `[rows, 2]`
/// - `source`, `out`: `[_, width]`; all rows in `places` must exist
pub(super) fn launch(client: &Client, source: BufferArg, places: BufferArg, out: BufferArg, [rows, width]: [usize; 2]) {
    let vectors = width / LANES;
    let count = count_rows(vectors.div_ceil(UNITS as usize), rows);
    #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
    // SAFETY: the kernel returns if its row or vector does not exist. The caller guarantees that all places exist.
    unsafe {
        copy::launch_unchecked(client, count, CubeDim::new_1d(UNITS), source, places, out, rows, vectors);
    }
}

#[cube(launch_unchecked)]
fn copy(source: &[Vec4], places: &[i32], out: &mut [Vec4], rows: usize, vectors: usize) {
    let row = row_of_group();
    let vector = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row >= rows || vector >= vectors {
        terminate!();
    }
    out[places[2 * row + 1] as usize * vectors + vector] = source[places[2 * row] as usize * vectors + vector];
}
