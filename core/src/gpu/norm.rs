//! Layer norms.

use cubecl::prelude::*;

use super::grid::{Adapter, LANES, Vec4, count_rows, row_of_group};
use crate::transformer::LAYER_NORM_EPSILON;

/// Units of a card that share a row.
const UNITS: usize = 64;
/// Rows of a workgroup of an emulated adapter. Each unit has one.
const EMULATED_ROWS: usize = 64;

/// The buffers of a layer norm.
pub(super) struct Operands {
    /// `rows` rows of `width` values, whose starts are [`Sizes::row_stride`] values apart.
    pub input: BufferArg,
    /// `[width]`
    pub gamma: BufferArg,
    /// `[width]`
    pub beta: BufferArg,
    /// `[rows, width]`
    pub out: BufferArg,
}

/// The sizes of a layer norm.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub width: usize,
    /// The distance between the starts of two input rows.
    pub row_stride: usize,
}

/// Queues `(row − mean) / √(variance + ε) · gamma + beta` of each row.
pub(super) fn launch(client: &Client, adapter: Adapter, operands: Operands, sizes: Sizes) {
    let Operands { input, gamma, beta, out } = operands;
    let (rows, vectors, row_stride) = (sizes.rows, sizes.width / LANES, sizes.row_stride / LANES);
    let (count, units) = match adapter {
        Adapter::Card => (count_rows(1, rows), UNITS),
        Adapter::Emulated => (CubeCount::Static(rows.div_ceil(EMULATED_ROWS) as u32, 1, 1), 1),
    };
    let dim = CubeDim::new_1d(if units == 1 { EMULATED_ROWS } else { units } as u32);
    #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
    // SAFETY: reads are clamped to the last row, and only existing rows are written. All loops end. `Queue` checks the sizes.
    unsafe {
        norm::launch_unchecked(client, count, dim, input, gamma, beta, out, rows, vectors, row_stride, units);
    }
}

/// `vectors` and `row_stride` count vectors. `units` units share a row.
#[cube(launch_unchecked)]
fn norm(
    input: &[Vec4],
    gamma: &[Vec4],
    beta: &[Vec4],
    out: &mut [Vec4],
    rows: usize,
    vectors: usize,
    row_stride: usize,
    #[comptime] units: usize,
) {
    let mut row = ABSOLUTE_POS_X as usize;
    let mut unit = 0usize.runtime();
    if comptime![units > 1] {
        row = row_of_group();
        unit = UNIT_POS_X as usize;
    }
    let start = min(row, rows - 1) * row_stride;
    let turns = vectors.div_ceil(units);
    let width = (vectors * LANES) as f32;

    // The mean is computed first: the difference of two large sums would lose a small variance.
    let mut sum = 0.0f32;
    for turn in 0..turns {
        let vector = turn * units + unit;
        if vector < vectors {
            sum += total(input[start + vector]);
        }
    }
    let mean = shared_sum(sum, unit, units) / width;

    let mut squares = 0.0f32;
    for turn in 0..turns {
        let vector = turn * units + unit;
        if vector < vectors {
            let difference = input[start + vector] - Vector::broadcast(mean);
            squares += total(difference * difference);
        }
    }
    let variance = shared_sum(squares, unit, units) / width;

    let scale = 1.0f32 / f32::sqrt(variance + LAYER_NORM_EPSILON as f32);
    if row < rows {
        for turn in 0..turns {
            let vector = turn * units + unit;
            if vector < vectors {
                let difference = input[start + vector] - Vector::broadcast(mean);
                out[row * vectors + vector] = difference * Vector::broadcast(scale) * gamma[vector] + beta[vector];
            }
        }
    }
}

#[cube]
fn total(vector: Vec4) -> f32 {
    vector.extract(0usize) + vector.extract(1usize) + vector.extract(2usize) + vector.extract(3usize)
}

/// The sum of `own` over the units of a row.
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
