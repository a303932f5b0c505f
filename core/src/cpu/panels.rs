//! Weights of linear layers, packed once in the order in which products read them, and those products.
//!
//! A panel holds a few columns of the weight. A tile of sums, some rows by the columns of a panel, stays in the
//! processor's registers while inputs and panel go by (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix
//! Multiplication"); meanwhile the next panel comes from memory. General libraries pack the weight anew for each product,
//! which takes a third of the time when a single image has 50 rows.
//!
//! Weights that were stored in float16 may stay so, in half of the memory: a panel becomes float32 where it is multiplied,
//! and the products are the same.

mod tile;

use std::ops::Range;

use half::f16;
use rayon::current_num_threads;
use rayon::prelude::*;
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

use super::{Old, Threads};
use tile::{CHUNK, LINE, LINE_FLOATS, Target};

/// Inputs that go by at a time: with the columns of a panel at most 0.15 MB, which the processor's second cache keeps.
const DEPTH: usize = 768;
/// Rows that are packed at a time, for the same reason.
const ROWS: usize = 200;
/// Rows from which on a thread takes rows of its own, rather than columns.
const ROWS_EACH: usize = 64;

/// A layer's weight.
pub(super) struct Panels {
    numbers: Numbers,
    inputs: usize,
    outputs: usize,
    /// Of a panel.
    columns: usize,
}

/// For each [`DEPTH`] inputs, all panels, one after the other, each `[inputs, columns]`; both are filled up with zeros.
enum Numbers {
    /// From this place on, where a line of memory starts.
    Float32(Vec<f32>, usize),
    /// The bits of float16.
    Float16(Vec<u16>),
}

/// Columns of a panel on this processor.
fn panel_columns() -> usize {
    struct Columns;
    impl SimdOp for Columns {
        type Output = usize;
        fn eval<I: Isa>(self, isa: I) -> usize {
            let lanes = isa.f32().len();
            tile::size(lanes).1 * lanes
        }
    }
    Columns.dispatch()
}

impl Panels {
    /// From row-major `[inputs, outputs]`; where all numbers are float16's and `keep_float16` says so, they stay that.
    pub(super) fn new(weight: &[f32], outputs: usize, keep_float16: bool) -> Self {
        let (inputs, columns) = (weight.len() / outputs, panel_columns());
        let mut halves = Vec::new();
        let mut keep = |value: &f32| to_f16(*value).map(|half| halves.push(half)).is_some();
        let numbers = if keep_float16 && weight.iter().all(&mut keep) {
            let mut packed = Vec::with_capacity(packed_len(inputs, outputs, columns));
            pack_weight(&halves, outputs, columns, &mut packed);
            Numbers::Float16(packed)
        } else {
            let mut packed: Vec<f32> = Vec::with_capacity(packed_len(inputs, outputs, columns) + LINE_FLOATS);
            let start = packed.as_ptr().align_offset(LINE);
            packed.resize(start, 0.0);
            pack_weight(weight, outputs, columns, &mut packed);
            Numbers::Float32(packed, start)
        };
        Self { numbers, inputs, outputs, columns }
    }

    /// `out = input · weight + bias`, added to what stood there if it is kept; `[rows, inputs]` to `[rows, outputs]`.
    pub(super) fn product(&self, input: &[f32], bias: &[f32], out: &mut [f32], old: Old, threads: Threads) {
        let sharing = if matches!(threads, Threads::All) { current_num_threads() } else { 1 };
        let rows = input.len() / self.inputs;
        let each = rows.div_ceil(sharing);
        if sharing == 1 || each >= ROWS_EACH {
            let parts = out.par_chunks_mut(each.max(1) * self.outputs).zip(input.par_chunks(each.max(1) * self.inputs));
            parts.for_each(|(out, input)| {
                let mut out: Vec<&mut [f32]> = out.chunks_exact_mut(self.outputs).collect();
                self.multiply(input, bias, &mut out, 0..self.outputs, old);
            });
            return;
        }
        // Twice as many parts as threads, as one may be late.
        let width = self.outputs.div_ceil(self.columns).div_ceil(2 * sharing) * self.columns;
        let mut parts: Vec<Vec<&mut [f32]>> =
            (0..self.outputs).step_by(width).map(|_| Vec::with_capacity(rows)).collect();
        for row in out.chunks_exact_mut(self.outputs) {
            parts.iter_mut().zip(row.chunks_mut(width)).for_each(|(part, row)| part.push(row));
        }
        parts.into_par_iter().enumerate().for_each(|(place, mut out)| {
            let columns = place * width..self.outputs.min((place + 1) * width);
            self.multiply(input, bias, &mut out, columns, old);
        });
    }

    /// As [`Self::product`], of some columns, which start with a panel: `out` has these of each row.
    fn multiply(&self, input: &[f32], bias: &[f32], out: &mut [&mut [f32]], columns: Range<usize>, old: Old) {
        let bias = &bias[columns.clone()];
        Product { weight: self, input, bias, out, columns, old }.dispatch();
    }

    /// A panel, and what follows it in memory, to be fetched meanwhile.
    fn panel<'a>(&'a self, range: Range<usize>, converted: &'a mut Vec<f32>) -> (&'a [f32], &'a [f32]) {
        match &self.numbers {
            Numbers::Float32(packed, start) => {
                let (panel, rest) = packed[start + range.start..].split_at(range.len());
                (panel, &rest[..rest.len().min(range.len())])
            }
            Numbers::Float16(packed) => {
                converted.clear();
                converted.extend(packed[range].iter().map(|&half| to_f32(half)));
                (converted, &[])
            }
        }
    }
}

/// Numbers of a packed weight.
fn packed_len(inputs: usize, outputs: usize, columns: usize) -> usize {
    inputs.next_multiple_of(CHUNK) * outputs.next_multiple_of(columns)
}

/// Appends row-major `[inputs, outputs]` as panels.
fn pack_weight<T: Copy + Default>(weight: &[T], outputs: usize, columns: usize, packed: &mut Vec<T>) {
    for block in weight.chunks(DEPTH * outputs) {
        let inputs = block.len() / outputs;
        for first in (0..outputs).step_by(columns) {
            let end = outputs.min(first + columns);
            for row in block.chunks_exact(outputs) {
                packed.extend_from_slice(&row[first..end]);
                packed.resize(packed.len() + first + columns - end, T::default());
            }
            let missing = inputs.next_multiple_of(CHUNK) - inputs;
            packed.resize(packed.len() + missing * columns, T::default());
        }
    }
}

/// What one thread multiplies.
struct Product<'a, 'b> {
    weight: &'a Panels,
    /// `[rows, inputs]`
    input: &'a [f32],
    /// `[columns]`
    bias: &'a [f32],
    /// `[rows][columns]`
    out: &'a mut [&'b mut [f32]],
    columns: Range<usize>,
    old: Old,
}

impl SimdOp for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match isa.f32().len() {
            16 => self.run::<I, { tile::size(16).0 }, { tile::size(16).1 }>(isa),
            8 => self.run::<I, { tile::size(8).0 }, { tile::size(8).1 }>(isa),
            _ => self.run::<I, { tile::size(4).0 }, { tile::size(4).1 }>(isa),
        }
    }
}

impl Product<'_, '_> {
    #[inline(always)]
    fn run<I: Isa, const TILE_ROWS: usize, const VECTORS: usize>(self, isa: I) {
        let Self { weight, input, bias, out, columns, old } = self;
        let (inputs, width) = (weight.inputs, weight.columns);
        let all_columns = weight.outputs.next_multiple_of(width);
        let (mut packed, mut converted) = (Vec::new(), Vec::new());
        for (input, out) in input.chunks(ROWS * inputs).zip(out.chunks_mut(ROWS)) {
            for first in (0..inputs).step_by(DEPTH) {
                let depth = (inputs - first).min(DEPTH);
                let padded = depth.next_multiple_of(CHUNK);
                pack_input::<TILE_ROWS>(input, inputs, first..first + depth, &mut packed);
                // The first inputs' products are added to the bias, all others to what is there by then.
                let (bias, keeps) = if first == 0 { (Some(bias), matches!(old, Old::Kept)) } else { (None, true) };
                for column in columns.clone().step_by(width) {
                    let start = first * all_columns + column * padded;
                    let (panel, next) = weight.panel(start..start + padded * width, &mut converted);
                    let at = column - columns.start;
                    let end = (at + width).min(columns.len());
                    let mut next = next.chunks(next.len().div_ceil(out.len().div_ceil(TILE_ROWS)).max(1));
                    let mut packed = packed.as_slice();
                    for out in groups::<TILE_ROWS, _>(out) {
                        let (input, rest) = packed.split_at(out.len() * padded);
                        packed = rest;
                        let fetch = next.next().unwrap_or_default();
                        let target = Target { columns: at..end, bias: bias.map(|bias| &bias[at..end]), keeps };
                        macro_rules! tile_of {
                            ($($rows:literal)*) => {
                                match out.len() {
                                    $($rows if $rows <= TILE_ROWS => {
                                        let sums = tile::multiply::<I, $rows, VECTORS>(isa, input, panel, fetch);
                                        target.write(isa, &sums, out);
                                    })*
                                    rows => unreachable!("a tile of {rows} rows"),
                                }
                            };
                        }
                        tile_of!(1 2 3 4 5 6 7 8);
                    }
                }
            }
        }
    }
}

/// Rows in groups of about the same size, at most that of a tile.
fn groups<const TILE_ROWS: usize, T>(mut rows: &mut [T]) -> impl Iterator<Item = &mut [T]> {
    std::iter::from_fn(move || {
        let count = rows.len().div_ceil(rows.len().div_ceil(TILE_ROWS).max(1));
        let (group, rest) = std::mem::take(&mut rows).split_at_mut(count);
        rows = rest;
        (count > 0).then_some(group)
    })
}

/// Some inputs of all rows, in the order in which tiles read them: for each group of rows, chunks of [`CHUNK`] inputs, and
/// of each chunk the rows; filled up with zeros.
fn pack_input<const TILE_ROWS: usize>(input: &[f32], inputs: usize, part: Range<usize>, packed: &mut Vec<f32>) {
    let padded = part.len().next_multiple_of(CHUNK);
    packed.resize(input.len() / inputs * padded, 0.0);
    let mut rows: Vec<&[f32]> = input.chunks_exact(inputs).map(|row| &row[part.clone()]).collect();
    let mut rest = packed.as_mut_slice();
    for rows in groups::<TILE_ROWS, _>(&mut rows) {
        let (group, after) = rest.split_at_mut(rows.len() * padded);
        rest = after;
        let (group, count) = (group.as_chunks_mut::<CHUNK>().0, rows.len());
        for (place, row) in rows.iter().enumerate() {
            let (chunks, rest) = row.as_chunks::<CHUNK>();
            for (chunk, values) in chunks.iter().enumerate() {
                group[chunk * count + place] = *values;
            }
            if !rest.is_empty() {
                let last = &mut group[chunks.len() * count + place];
                last[..rest.len()].copy_from_slice(rest);
                last[rest.len()..].fill(0.0);
            }
        }
    }
}

/// The bits of the same number in float16; `None` if it has none, or is not finite.
fn to_f16(value: f32) -> Option<u16> {
    let half = f16::from_f32(value).to_bits();
    (to_f32(half) == value).then_some(half)
}

/// A finite float16 as float32. Without branches, so that several are converted at a time: the exponent comes out too small
/// by 112 from moving the bits, for subnormal numbers, too.
fn to_f32(half: u16) -> f32 {
    const SCALE: f32 = f32::from_bits((127 + 112) << 23); // 2¹¹²
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * SCALE;
    f32::from_bits(magnitude.to_bits() | u32::from(half & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::uniform;

    #[test]
    fn every_finite_number_is_converted_exactly() {
        for bits in 0..=u16::MAX {
            let half = f16::from_bits(bits);
            if half.is_finite() {
                assert_eq!(to_f32(bits).to_bits(), half.to_f32().to_bits(), "{bits:#x}");
            }
        }
    }

    #[test]
    fn numbers_that_float16_has_not_are_told() {
        for value in [0.1, 1e-9, 1e6, f32::NAN, f32::INFINITY] {
            assert_eq!(to_f16(value), None, "{value}");
        }
    }

    /// Of tiles, panels and blocks that are full, and that are not.
    #[test]
    fn a_product_is_the_sum_of_products() {
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 7, 131), (23, DEPTH + 9, 50), (ROWS + 3, 33, 96), (64, 16, 240)]
        {
            let input = uniform("input", 1, rows * inputs);
            let bias = uniform("bias", 3, outputs);
            let exact = uniform("weight", 2, inputs * outputs);
            let rounded: Vec<f32> = exact.iter().map(|&value| f16::from_f32(value).to_f32()).collect();
            for (weight, keep_float16) in [(&exact, false), (&exact, true), (&rounded, true)] {
                let panels = Panels::new(weight, outputs, keep_float16);
                assert_eq!(matches!(panels.numbers, Numbers::Float16(_)), std::ptr::eq(weight, &rounded));
                for (old, threads) in [(Old::Kept, Threads::One), (Old::Dropped, Threads::All)] {
                    let mut out = vec![1.0; rows * outputs];
                    panels.product(&input, &bias, &mut out, old, threads);
                    for (at, found) in out.iter().enumerate() {
                        let (row, column) = (&input[at / outputs * inputs..], at % outputs);
                        let terms = (0..inputs).map(|i| f64::from(row[i]) * f64::from(weight[i * outputs + column]));
                        let old = if matches!(old, Old::Kept) { 1.0 } else { 0.0 };
                        let (sum, size) = terms.fold((0.0, 1.0), |(sum, size), term| (sum + term, size + term.abs()));
                        let expected = old + f64::from(bias[column]) + sum;
                        assert!((f64::from(*found) - expected).abs() < 3e-7 * size, "{at}: {found}, not {expected}");
                    }
                }
            }
        }
    }
}
