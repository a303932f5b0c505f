//! Products of matrices with what comes after them: a bias, an activation, a sum with what stood in the result.
//!
//! Two kernels do the same. The one for cards cuts the result into tiles: 256 units bring a tile's share of both matrices into
//! workgroup memory while they multiply the share before it, and each keeps its sums in registers. The one for emulated cards,
//! which have neither that memory nor those registers, has each unit go through ten rows alone.

use cubecl::prelude::*;

use super::{Adapter, Line, PER_LINE};
use crate::transformer::QUICK_GELU_SLOPE;

/// Units of a workgroup along each side of its tile.
const SIDE: usize = 16;
const UNITS: usize = SIDE * SIDE;
/// Workgroups of larger tiles that are enough to keep the largest cards busy.
const ENOUGH_GROUPS: usize = 264;
/// Rows of the result that a unit of an emulated card computes, of one line each.
const EMULATED_ROWS: usize = 10;
/// Units of an emulated card's workgroup, side by side along the columns.
const EMULATED_UNITS: u32 = 64;

/// What becomes of a product and its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// It is the result.
    Nothing,
    /// CLIP's activation.
    QuickGelu,
    /// The exact one.
    Gelu,
    /// It is added to what stood there.
    Add,
}

/// How much of the result a workgroup computes, and in which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tile {
    /// Rows of each unit.
    rows: usize,
    /// Lines of each unit in each row.
    lines: usize,
    /// Lines of an input's row that one share holds.
    depth: usize,
}

/// 128 × 128 numbers: 256 multiplications for 16 reads of workgroup memory.
const LARGE: Tile = Tile { rows: 8, lines: 2, depth: 2 };
/// 64 × 64 numbers: where there are too few large ones for all of a card.
const SMALL: Tile = Tile { rows: 4, lines: 1, depth: 4 };

// Each unit brings as many lines as every other.
const _: () = assert!(LARGE.inputs().is_multiple_of(UNITS) && LARGE.weights().is_multiple_of(UNITS));
const _: () = assert!(SMALL.inputs().is_multiple_of(UNITS) && SMALL.weights().is_multiple_of(UNITS));

impl Tile {
    /// Lines of the input that a share holds.
    const fn inputs(self) -> usize {
        SIDE * self.rows * self.depth
    }

    /// Lines of the weights that a share holds.
    const fn weights(self) -> usize {
        self.depth * PER_LINE * SIDE * self.lines
    }

    fn groups(self, rows: usize, columns: usize) -> [usize; 2] {
        [columns.div_ceil(SIDE * self.lines), rows.div_ceil(SIDE * self.rows)]
    }

    fn of(rows: usize, columns: usize) -> Self {
        let [across, down] = LARGE.groups(rows, columns);
        if across * down >= ENOUGH_GROUPS { LARGE } else { SMALL }
    }
}

/// The matrices of a product, as buffers.
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

/// Sizes of a product.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// Queues `input · weight + bias`, and what comes after it.
pub(super) fn launch(client: &Client, adapter: Adapter, operands: Operands, sizes: Sizes, then: Then) {
    let Operands { input, weight, bias, out } = operands;
    let (rows, inputs, columns) = (sizes.rows, sizes.inputs / PER_LINE, sizes.outputs / PER_LINE);
    match adapter {
        Adapter::Card => {
            let tile = Tile::of(rows, columns);
            let [across, down] = tile.groups(rows, columns);
            let count = CubeCount::Static(across as u32, down as u32, 1);
            let units = CubeDim::new_2d(SIDE as u32, SIDE as u32);
            #[expect(unsafe_code, reason = "a kernel without checks of its own")]
            // SAFETY: places of reads are cut to the matrices' sizes, and nothing is written outside of the result; all loops
            // end.
            unsafe {
                tiled::launch_unchecked(
                    client, count, units, input, weight, bias, out, rows, inputs, columns, tile, then,
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
            #[expect(unsafe_code, reason = "a kernel without checks of its own")]
            // SAFETY: the kernel ends where there is no such row or column, and reads the last row instead of one past it; all
            // loops end.
            unsafe {
                alone::launch_unchecked(client, count, units, input, weight, bias, out, rows, inputs, columns, then);
            }
        }
    }
}

/// `inputs` and `columns` count lines.
#[cube(launch_unchecked)]
fn tiled(
    input: &[Line],
    weight: &[Line],
    bias: &[Line],
    out: &mut [Line],
    rows: usize,
    inputs: usize,
    columns: usize,
    #[comptime] tile: Tile,
    #[comptime] then: Then,
) {
    let width = comptime![SIDE * tile.lines]; // lines across the tile
    let depth = comptime![tile.depth];
    let (input_share, weight_share) = comptime![(tile.inputs(), tile.weights())];
    let (x, y) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let first_row = CUBE_POS_Y as usize * comptime![SIDE * tile.rows];
    let first_column = CUBE_POS_X as usize * width;

    // Two shares of each: one that is multiplied, one that is brought. [rows, depth] and [depth · PER_LINE, width]
    let mut input_shares = Shared::<[Line]>::new_slice(comptime![2 * tile.inputs()]);
    let mut weight_shares = Shared::<[Line]>::new_slice(comptime![2 * tile.weights()]);
    let mut sums = Array::<Line>::new(comptime![tile.rows * tile.lines]);
    #[unroll]
    for i in 0..comptime![tile.rows * tile.lines] {
        sums[i] = Vector::broadcast(0.0);
    }
    // What this unit brings next.
    let mut inputs_next = Array::<Line>::new(comptime![input_share / UNITS]);
    let mut weights_next = Array::<Line>::new(comptime![weight_share / UNITS]);

    let steps = inputs.div_ceil(depth);
    // The first turn brings the first share and multiplies nothing; the last reads what is there anyway, to no end.
    bring_inputs(input, &mut inputs_next, first_row, 0, rows, inputs, tile);
    bring_weights(weight, &mut weights_next, first_column, 0, inputs, columns, tile);
    put(&inputs_next, &mut input_shares, 0, input_share);
    put(&weights_next, &mut weight_shares, 0, weight_share);
    sync_cube();
    for step in 0..steps {
        bring_inputs(input, &mut inputs_next, first_row, step + 1, rows, inputs, tile);
        bring_weights(weight, &mut weights_next, first_column, step + 1, inputs, columns, tile);

        let inputs_now = (step % 2) * input_share;
        let weights_now = (step % 2) * weight_share;
        #[unroll]
        for line in 0..depth {
            let mut values = Array::<Line>::new(comptime![tile.rows]);
            #[unroll]
            for i in 0..comptime![tile.rows] {
                values[i] = input_shares[inputs_now + (y + i * SIDE) * depth + line];
            }
            #[unroll]
            for part in 0..PER_LINE {
                let at = weights_now + (line * PER_LINE + part) * width + x;
                #[unroll]
                for j in 0..comptime![tile.lines] {
                    let weights = weight_shares[at + j * SIDE];
                    #[unroll]
                    for i in 0..comptime![tile.rows] {
                        let sum = comptime![i * tile.lines + j];
                        sums[sum] += Vector::broadcast(values[i].extract(part)) * weights;
                    }
                }
            }
        }

        put(&inputs_next, &mut input_shares, ((step + 1) % 2) * input_share, input_share);
        put(&weights_next, &mut weight_shares, ((step + 1) % 2) * weight_share, weight_share);
        sync_cube();
    }

    #[unroll]
    for i in 0..comptime![tile.rows] {
        #[unroll]
        for j in 0..comptime![tile.lines] {
            let row = first_row + y + i * SIDE;
            let column = first_column + x + j * SIDE;
            if row < rows && column < columns {
                finish(sums[comptime![i * tile.lines + j]] + bias[column], out, row * columns + column, then);
            }
        }
    }
}

/// A unit's lines of the inputs' share of a step; zero past a row's end.
#[cube]
fn bring_inputs(
    input: &[Line],
    own: &mut Array<Line>,
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
        let line = step * depth + place % depth;
        let mut factor = 1.0f32;
        if line >= inputs {
            factor = 0.0f32;
        }
        let row = min(first_row + place / depth, rows - 1);
        own[turn] = input[row * inputs + min(line, inputs - 1)] * Vector::broadcast(factor);
    }
}

/// A unit's lines of the weights' share of a step; anything past the last row, as zeros are multiplied with it.
#[cube]
fn bring_weights(
    weight: &[Line],
    own: &mut Array<Line>,
    first_column: usize,
    step: usize,
    inputs: usize,
    columns: usize,
    #[comptime] tile: Tile,
) {
    let width = comptime![SIDE * tile.lines];
    #[unroll]
    for turn in 0..comptime![tile.weights() / UNITS] {
        let place = turn * UNITS + UNIT_POS as usize;
        let row = min(step * comptime![tile.depth * PER_LINE] + place / width, inputs * PER_LINE - 1);
        own[turn] = weight[row * columns + min(first_column + place % width, columns - 1)];
    }
}

/// Puts a unit's lines into a share.
#[cube]
fn put(own: &Array<Line>, shares: &mut Shared<[Line]>, start: usize, #[comptime] share: usize) {
    #[unroll]
    for turn in 0..comptime![share.div_ceil(UNITS)] {
        let place = turn * UNITS + UNIT_POS as usize;
        shares[start + place] = own[turn];
    }
}

/// Does what comes after a product.
#[cube]
fn finish(sum: Line, out: &mut [Line], place: usize, #[comptime] then: Then) {
    if comptime![then == Then::Add] {
        out[place] += sum;
    } else if comptime![then == Then::QuickGelu] {
        let exponential = Vector::exp(sum * Vector::broadcast(-QUICK_GELU_SLOPE as f32));
        out[place] = sum / (Vector::broadcast(1.0) + exponential);
    } else if comptime![then == Then::Gelu] {
        let part = Vector::erf(sum * Vector::broadcast(std::f32::consts::FRAC_1_SQRT_2));
        out[place] = Vector::broadcast(0.5) * sum * (Vector::broadcast(1.0) + part);
    } else {
        out[place] = sum;
    }
}

/// `inputs` and `columns` count lines.
#[cube(launch_unchecked)]
fn alone(
    input: &[Line],
    weight: &[Line],
    bias: &[Line],
    out: &mut [Line],
    rows: usize,
    inputs: usize,
    columns: usize,
    #[comptime] then: Then,
) {
    let column = ABSOLUTE_POS_X as usize;
    let first = ABSOLUTE_POS_Y as usize * EMULATED_ROWS;
    if column >= columns || first >= rows {
        terminate!();
    }
    let mut sums = Array::<Line>::new(EMULATED_ROWS);
    let mut starts = Array::<usize>::new(EMULATED_ROWS);
    #[unroll]
    for row in 0..EMULATED_ROWS {
        sums[row] = Vector::broadcast(0.0);
        starts[row] = min(first + row, rows - 1) * inputs;
    }
    for step in 0..inputs {
        let place = step * PER_LINE * columns + column;
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
            finish(sums[row] + bias[column], out, (first + row) * columns + column, then);
        }
    }
}
