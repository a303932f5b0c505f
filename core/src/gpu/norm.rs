//! Layer norms, and the sums of embeddings before the first one.

use cubecl::prelude::*;

use super::{Adapter, Line, PER_LINE, count_rows, row_of_group};
use crate::transformer::LAYER_NORM_EPSILON;

/// Units of a card that share a row.
const UNITS: usize = 64;
/// Rows of an emulated card's workgroup, of a unit each.
const EMULATED_ROWS: usize = 64;

/// Where the rows of a norm come from and go to, as buffers.
pub(super) struct Operands {
    /// Of each row as many numbers as `gamma` has, [`Sizes::apart`] numbers from the row before.
    pub input: BufferArg,
    /// `[width]`
    pub gamma: BufferArg,
    /// `[width]`
    pub beta: BufferArg,
    /// `[rows, width]`
    pub out: BufferArg,
}

/// Sizes of a norm.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub width: usize,
    /// From the start of a row of the input to the start of the next.
    pub apart: usize,
}

/// Queues `(row − mean) / deviation · gamma + beta` of each row.
pub(super) fn launch(client: &Client, adapter: Adapter, operands: Operands, sizes: Sizes) {
    let Operands { input, gamma, beta, out } = operands;
    let (rows, lines, apart) = (sizes.rows, sizes.width / PER_LINE, sizes.apart / PER_LINE);
    let (count, units) = match adapter {
        Adapter::Card => (count_rows(1, rows), UNITS),
        Adapter::Emulated => (CubeCount::Static(rows.div_ceil(EMULATED_ROWS) as u32, 1, 1), 1),
    };
    let dim = CubeDim::new_1d(if units == 1 { EMULATED_ROWS } else { units } as u32);
    #[expect(unsafe_code, reason = "a kernel without checks of its own")]
    // SAFETY: the last row is read instead of one past it, and only rows that there are are written; all loops end.
    unsafe {
        norm::launch_unchecked(client, count, dim, input, gamma, beta, out, rows, lines, apart, units);
    }
}

/// `lines` and `apart` count lines; `units` share a row.
#[cube(launch_unchecked)]
fn norm(
    input: &[Line],
    gamma: &[Line],
    beta: &[Line],
    out: &mut [Line],
    rows: usize,
    lines: usize,
    apart: usize,
    #[comptime] units: usize,
) {
    let mut row = ABSOLUTE_POS_X as usize;
    let mut unit = 0usize.runtime();
    if comptime![units > 1] {
        row = row_of_group();
        unit = UNIT_POS_X as usize;
    }
    let start = min(row, rows - 1) * apart;
    let turns = lines.div_ceil(units);
    let width = (lines * PER_LINE) as f32;

    // The mean first: a difference of two large sums would lose a small deviation.
    let mut sum = 0.0f32;
    for turn in 0..turns {
        let line = turn * units + unit;
        if line < lines {
            sum += total(input[start + line]);
        }
    }
    let mean = shared_sum(sum, unit, units) / width;

    let mut squares = 0.0f32;
    for turn in 0..turns {
        let line = turn * units + unit;
        if line < lines {
            let difference = input[start + line] - Vector::broadcast(mean);
            squares += total(difference * difference);
        }
    }
    let variance = shared_sum(squares, unit, units) / width;

    let scale = 1.0f32 / f32::sqrt(variance + LAYER_NORM_EPSILON as f32);
    if row < rows {
        for turn in 0..turns {
            let line = turn * units + unit;
            if line < lines {
                let difference = input[start + line] - Vector::broadcast(mean);
                out[row * lines + line] = difference * Vector::broadcast(scale) * gamma[line] + beta[line];
            }
        }
    }
}

#[cube]
fn total(line: Line) -> f32 {
    line.extract(0usize) + line.extract(1usize) + line.extract(2usize) + line.extract(3usize)
}

/// The sum of what the units of a row have.
#[cube]
fn shared_sum(own: f32, unit: usize, #[comptime] units: usize) -> f32 {
    let mut sum = own;
    if comptime![units > 1] {
        let mut parts = Shared::<[f32]>::new_slice(units);
        parts[unit] = own;
        sync_cube();
        #[unroll]
        for halving in 0..comptime![units.ilog2() as usize] {
            let half = comptime![units >> (halving + 1)];
            if unit < half {
                parts[unit] += parts[unit + half];
            }
            sync_cube();
        }
        sum = parts[0];
    }
    sum
}
