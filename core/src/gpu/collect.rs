//! Rows of a matrix, each to its place in another.

use cubecl::prelude::*;

use super::{Line, PER_LINE, count_rows, row_of_group};

/// Units of a workgroup, side by side along a row.
const UNITS: u32 = 64;

/// Queues the copy of `rows` rows of `width` numbers; `places` has pairs of where a row is and where it goes.
///
/// # Shapes
/// - `places`: `[rows, 2]`
/// - `source`, `out`: as many rows as the places need, of `width` numbers
pub(super) fn launch(client: &Client, source: BufferArg, places: BufferArg, out: BufferArg, [rows, width]: [usize; 2]) {
    let lines = width / PER_LINE;
    let count = count_rows(lines.div_ceil(UNITS as usize), rows);
    #[expect(unsafe_code, reason = "a kernel without checks of its own")]
    // SAFETY: the kernel ends where there is no such row or line; places are those of rows that there are.
    unsafe {
        copy::launch_unchecked(client, count, CubeDim::new_1d(UNITS), source, places, out, rows, lines);
    }
}

#[cube(launch_unchecked)]
fn copy(source: &[Line], places: &[i32], out: &mut [Line], rows: usize, lines: usize) {
    let row = row_of_group();
    let line = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row >= rows || line >= lines {
        terminate!();
    }
    out[places[2 * row + 1] as usize * lines + line] = source[places[2 * row] as usize * lines + line];
}
