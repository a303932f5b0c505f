//! Matrix products with a bias and an [`Epilogue`].
//!
//! There are two kernels. The kernel for cards splits the result into tiles of one workgroup each. The 256 units of a workgroup
//! load a slice of both matrices into shared memory while they multiply the previous slice, and keep sums in registers. The
//! kernel for emulated adapters has no shared memory: each unit computes ten rows.

use cubecl::prelude::*;

use super::grid::{Adapter, LANES, Vec4};
use crate::transformer::QUICK_GELU_SLOPE;

/// Units of a workgroup along each side of its tile.
const SIDE: usize = 16;
const UNITS: usize = SIDE * SIDE;
/// The number of workgroups with large tiles that occupies the largest cards.
const ENOUGH_GROUPS: usize = 264;
/// Rows of the result that a unit of an emulated adapter computes, one vector of each.
const EMULATED_ROWS: usize = 10;
/// Units of a workgroup of an emulated adapter, side by side along the columns.
const EMULATED_UNITS: u32 = 64;

/// The last step of a product, after the bias is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Epilogue {
    /// Writes the sum to the result.
    Store,
    /// Writes QuickGELU of the sum to the result.
    QuickGelu,
    /// Writes the exact GELU of the sum to the result.
    Gelu,
    /// Adds the sum to the result.
    Accumulate,
}

/// The part of the result that a workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tile {
    /// Rows of each unit.
    rows: usize,
    /// Vectors of each unit in each row.
    vectors: usize,
    /// Vectors of an input row in a slice.
    depth: usize,
}

/// 128 × 128 values: 256 multiplications for 16 reads of shared memory.
const LARGE: Tile = Tile { rows: 8, vectors: 2, depth: 2 };
/// 64 × 64 values, for results with too few large tiles to occupy a card.
const SMALL: Tile = Tile { rows: 4, vectors: 1, depth: 4 };

// All units load the same number of vectors.
const _: () = assert!(LARGE.inputs().is_multiple_of(UNITS) && LARGE.weights().is_multiple_of(UNITS));
const _: () = assert!(SMALL.inputs().is_multiple_of(UNITS) && SMALL.weights().is_multiple_of(UNITS));

impl Tile {
    /// Vectors of the input in a slice.
    const fn inputs(self) -> usize {
        SIDE * self.rows * self.depth
    }

    /// Vectors of the weight in a slice.
    const fn weights(self) -> usize {
        self.depth * LANES * SIDE * self.vectors
    }

    /// The number of workgroups across and down.
    fn groups(self, rows: usize, columns: usize) -> [usize; 2] {
        [columns.div_ceil(SIDE * self.vectors), rows.div_ceil(SIDE * self.rows)]
    }

    fn of(rows: usize, columns: usize) -> Self {
        let [across, down] = LARGE.groups(rows, columns);
        if across * down >= ENOUGH_GROUPS { LARGE } else { SMALL }
    }
}

/// The buffers of a product.
pub(super) struct Operands {
    /// `[rows, inputs]`
    pub input: BufferArg,
    /// `[inputs, outputs]`
    pub weight: BufferArg,
    /// `[outputs]`
    pub bias: BufferArg,
    /// `[rows, outputs]`
    pub out: BufferArg,
}

/// The sizes of a product.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// Queues `input · weight + bias` with an epilogue.
pub(super) fn launch(client: &Client, adapter: Adapter, operands: Operands, sizes: Sizes, epilogue: Epilogue) {
    let Operands { input, weight, bias, out } = operands;
    let (rows, inputs, columns) = (sizes.rows, sizes.inputs / LANES, sizes.outputs / LANES);
    match adapter {
        Adapter::Card => {
            let tile = Tile::of(rows, columns);
            let [across, down] = tile.groups(rows, columns);
            let count = CubeCount::Static(across as u32, down as u32, 1);
            let units = CubeDim::new_2d(SIDE as u32, SIDE as u32);
            #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
            // SAFETY: reads are clamped to the sizes of the matrices, and nothing is written outside the result. All loops end.
            // `Queue` checks the sizes.
            unsafe {
                tiled::launch_unchecked(
                    client, count, units, input, weight, bias, out, rows, inputs, columns, tile, epilogue,
                );
            }
        }
        Adapter::Emulated => {
            let count = CubeCount::Static(
                columns.div_ceil(EMULATED_UNITS as usize) as u32,
                rows.div_ceil(EMULATED_ROWS) as u32,
                1,
            );
            let units = CubeDim::new_2d(EMULATED_UNITS, 1);
            #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
            // SAFETY: the kernel returns if its column does not exist. Reads are clamped to the last row, and only existing rows
            // are written. All loops end. `Queue` checks the sizes.
            unsafe {
                per_unit::launch_unchecked(
                    client, count, units, input, weight, bias, out, rows, inputs, columns, epilogue,
                );
            }
        }
    }
}

/// The kernel for cards. `inputs` and `columns` count vectors.
#[cube(launch_unchecked)]
fn tiled(
    input: &[Vec4],
    weight: &[Vec4],
    bias: &[Vec4],
    out: &mut [Vec4],
    rows: usize,
    inputs: usize,
    columns: usize,
    #[comptime] tile: Tile,
    #[comptime] epilogue: Epilogue,
) {
    let width = comptime![SIDE * tile.vectors]; // vectors across the tile
    let depth = comptime![tile.depth];
    let (input_slice, weight_slice) = comptime![(tile.inputs(), tile.weights())];
    let (x, y) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let first_row = CUBE_POS_Y as usize * comptime![SIDE * tile.rows];
    let first_column = CUBE_POS_X as usize * width;

    // Two slices of each matrix: one is multiplied while the other is loaded. [rows, depth] and [depth · LANES, width]
    let mut input_slices = Shared::<[Vec4]>::new_slice(comptime![2 * tile.inputs()]);
    let mut weight_slices = Shared::<[Vec4]>::new_slice(comptime![2 * tile.weights()]);
    let mut sums = Array::<Vec4>::new(comptime![tile.rows * tile.vectors]);
    #[unroll]
    for i in 0..comptime![tile.rows * tile.vectors] {
        sums[i] = Vector::broadcast(0.0);
    }
    // The vectors of the next slices that this unit loads.
    let mut inputs_next = Array::<Vec4>::new(comptime![input_slice / UNITS]);
    let mut weights_next = Array::<Vec4>::new(comptime![weight_slice / UNITS]);

    let steps = inputs.div_ceil(depth);
    // The last step loads a slice that is not used. Its reads are clamped like all others.
    load_inputs(input, &mut inputs_next, first_row, 0, rows, inputs, tile);
    load_weights(weight, &mut weights_next, first_column, 0, inputs, columns, tile);
    write_slice(&inputs_next, &mut input_slices, 0, input_slice);
    write_slice(&weights_next, &mut weight_slices, 0, weight_slice);
    sync_cube();
    for step in 0..steps {
        load_inputs(input, &mut inputs_next, first_row, step + 1, rows, inputs, tile);
        load_weights(weight, &mut weights_next, first_column, step + 1, inputs, columns, tile);

        let inputs_now = (step % 2) * input_slice;
        let weights_now = (step % 2) * weight_slice;
        #[unroll]
        for vector in 0..depth {
            let mut values = Array::<Vec4>::new(comptime![tile.rows]);
            #[unroll]
            for i in 0..comptime![tile.rows] {
                values[i] = input_slices[inputs_now + (y + i * SIDE) * depth + vector];
            }
            #[unroll]
            for part in 0..LANES {
                let at = weights_now + (vector * LANES + part) * width + x;
                #[unroll]
                for j in 0..comptime![tile.vectors] {
                    let weights = weight_slices[at + j * SIDE];
                    #[unroll]
                    for i in 0..comptime![tile.rows] {
                        let sum = comptime![i * tile.vectors + j];
                        sums[sum] += Vector::broadcast(values[i].extract(part)) * weights;
                    }
                }
            }
        }

        write_slice(&inputs_next, &mut input_slices, ((step + 1) % 2) * input_slice, input_slice);
        write_slice(&weights_next, &mut weight_slices, ((step + 1) % 2) * weight_slice, weight_slice);
        sync_cube();
    }

    #[unroll]
    for i in 0..comptime![tile.rows] {
        #[unroll]
        for j in 0..comptime![tile.vectors] {
            let row = first_row + y + i * SIDE;
            let column = first_column + x + j * SIDE;
            if row < rows && column < columns {
                finish(sums[comptime![i * tile.vectors + j]] + bias[column], out, row * columns + column, epilogue);
            }
        }
    }
}

/// Loads a unit's vectors of a slice of the input. Vectors after the end of a row are zero.
#[cube]
fn load_inputs(
    input: &[Vec4],
    own: &mut Array<Vec4>,
    first_row: usize,
    step: usize,
    rows: usize,
    inputs: usize,
    #[comptime] tile: Tile,
) {
    let depth = comptime![tile.depth];
    #[unroll]
    for turn in 0..comptime![tile.inputs() / UNITS] {
        let place = turn * UNITS + UNIT_POS as usize;
        let vector = step * depth + place % depth;
        let mut factor = 1.0f32;
        if vector >= inputs {
            factor = 0.0f32;
        }
        let row = min(first_row + place / depth, rows - 1);
        own[turn] = input[row * inputs + min(vector, inputs - 1)] * Vector::broadcast(factor);
    }
}

/// Loads a unit's vectors of a slice of the weight. Vectors after the last row are arbitrary, since they are multiplied with zero.
#[cube]
fn load_weights(
    weight: &[Vec4],
    own: &mut Array<Vec4>,
    first_column: usize,
    step: usize,
    inputs: usize,
    columns: usize,
    #[comptime] tile: Tile,
) {
    let width = comptime![SIDE * tile.vectors];
    #[unroll]
    for turn in 0..comptime![tile.weights() / UNITS] {
        let place = turn * UNITS + UNIT_POS as usize;
        let row = min(step * comptime![tile.depth * LANES] + place / width, inputs * LANES - 1);
        own[turn] = weight[row * columns + min(first_column + place % width, columns - 1)];
    }
}

/// Writes a unit's vectors to a slice in shared memory.
#[cube]
fn write_slice(own: &Array<Vec4>, slices: &mut Shared<[Vec4]>, start: usize, #[comptime] slice: usize) {
    #[unroll]
    for turn in 0..comptime![slice.div_ceil(UNITS)] {
        let place = turn * UNITS + UNIT_POS as usize;
        slices[start + place] = own[turn];
    }
}

/// Applies the epilogue to a sum and writes the result.
#[cube]
fn finish(sum: Vec4, out: &mut [Vec4], place: usize, #[comptime] epilogue: Epilogue) {
    if comptime![epilogue == Epilogue::Accumulate] {
        out[place] += sum;
    } else if comptime![epilogue == Epilogue::QuickGelu] {
        let exponential = Vector::exp(sum * Vector::broadcast(-QUICK_GELU_SLOPE as f32));
        out[place] = sum / (Vector::broadcast(1.0) + exponential);
    } else if comptime![epilogue == Epilogue::Gelu] {
        let part = Vector::erf(sum * Vector::broadcast(std::f32::consts::FRAC_1_SQRT_2));
        out[place] = Vector::broadcast(0.5) * sum * (Vector::broadcast(1.0) + part);
    } else {
        out[place] = sum;
    }
}

/// The kernel for emulated adapters. `inputs` and `columns` count vectors.
#[cube(launch_unchecked)]
fn per_unit(
    input: &[Vec4],
    weight: &[Vec4],
    bias: &[Vec4],
    out: &mut [Vec4],
    rows: usize,
    inputs: usize,
    columns: usize,
    #[comptime] epilogue: Epilogue,
) {
    let column = ABSOLUTE_POS_X as usize;
    let first = ABSOLUTE_POS_Y as usize * EMULATED_ROWS;
    if column >= columns || first >= rows {
        terminate!();
    }
    let mut sums = Array::<Vec4>::new(EMULATED_ROWS);
    let mut starts = Array::<usize>::new(EMULATED_ROWS);
    #[unroll]
    for row in 0..EMULATED_ROWS {
        sums[row] = Vector::broadcast(0.0);
        starts[row] = min(first + row, rows - 1) * inputs;
    }
    for step in 0..inputs {
        let place = step * LANES * columns + column;
        let weight_0 = weight[place];
        let weight_1 = weight[place + columns];
        let weight_2 = weight[place + 2 * columns];
        let weight_3 = weight[place + 3 * columns];
        #[unroll]
        for row in 0..EMULATED_ROWS {
            let values = input[starts[row] + step];
            sums[row] = sums[row]
                + Vector::broadcast(values.extract(0usize)) * weight_0
                + Vector::broadcast(values.extract(1usize)) * weight_1
                + Vector::broadcast(values.extract(2usize)) * weight_2
                + Vector::broadcast(values.extract(3usize)) * weight_3;
        }
    }
    #[unroll]
    for row in 0..EMULATED_ROWS {
        if first + row < rows {
            finish(sums[row] + bias[column], out, (first + row) * columns + column, epilogue);
        }
    }
}
