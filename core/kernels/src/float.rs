//! Matrix products in float32 with a weight that is packed once.
//!
//! A panel holds some columns of the weight. A tile of sums (some rows × the columns of a panel) stays in registers while
//! the inputs and the panel are read (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication").
//! The next panel is prefetched meanwhile. General libraries pack the weight for each product, which takes a third of the
//! time of a product with 50 rows.
//!
//! A weight whose values are all representable in float16 can be kept in float16, in half of the memory. Each panel is
//! converted to float32 before it is multiplied, so the products are the same. A weight can also be kept in bfloat16. Then
//! inputs are rounded to bfloat16, too; a product of two such values is exact in float32.

mod tile;

use std::ops::Range;

use half::{bf16, f16};
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

use crate::part::{Part, Store};
use crate::simd;
#[cfg(target_arch = "wasm32")]
pub(crate) use tile::add_products;
pub(crate) use tile::{CHUNK, Target, size as tile_size};
use tile::{LINE, LINE_FLOATS};

/// Inputs of a block. A panel of this depth has at most 0.15 MB and stays in the L2 cache.
const DEPTH: usize = 768;
/// Rows that are packed together. They stay in the L2 cache, too.
const ROWS: usize = 200;

/// A packed weight.
pub(crate) struct Panels {
    numbers: Numbers,
    inputs: usize,
    outputs: usize,
    /// The instruction set that the panels are packed for.
    isa: crate::Isa,
    /// Columns of a panel.
    columns: usize,
}

/// `[blocks of inputs, panels, inputs of a block, columns of a panel]`, padded with zeros.
enum Numbers {
    /// The values start at this index, which is aligned to a cache line.
    Float32(Vec<f32>, usize),
    /// The bits of float16.
    Float16(Vec<u16>),
    /// The bits of bfloat16.
    BFloat16(Vec<u16>),
}

/// Columns of a panel for an instruction set.
pub(crate) fn panel_columns(isa: crate::Isa) -> usize {
    struct Columns;
    impl SimdOp for Columns {
        type Output = usize;
        fn eval<I: Isa>(self, isa: I) -> usize {
            let lanes = isa.f32().len();
            tile::size(lanes).1 * lanes
        }
    }
    simd::run_on(isa, Columns)
}

impl Panels {
    /// Packs a weight, row-major `[inputs, outputs]`, in float32.
    pub(crate) fn float32(weight: &[f32], outputs: usize) -> Self {
        let isa = crate::Isa::current();
        let (inputs, columns) = (weight.len() / outputs, panel_columns(isa));
        let mut packed: Vec<f32> = Vec::with_capacity(packed_len(inputs, outputs, columns) + LINE_FLOATS);
        let start = packed.as_ptr().align_offset(LINE);
        packed.resize(start, 0.0);
        pack_weight(weight, outputs, columns, &mut packed);
        Self { numbers: Numbers::Float32(packed, start), inputs, outputs, isa, columns }
    }

    /// Packs a weight in float16 if all values are representable, else in float32.
    pub(crate) fn as_stored(weight: &[f32], outputs: usize) -> Self {
        let mut halves = Vec::new();
        let mut keep = |value: &f32| to_f16(*value).map(|half| halves.push(half)).is_some();
        if weight.iter().all(&mut keep) {
            Self::halves(&halves, outputs, Numbers::Float16)
        } else {
            Self::float32(weight, outputs)
        }
    }

    /// Packs a weight rounded to bfloat16.
    pub(crate) fn bfloat16(weight: &[f32], outputs: usize) -> Self {
        let halves: Vec<u16> = weight.iter().map(|&value| bf16::from_f32(value).to_bits()).collect();
        Self::halves(&halves, outputs, Numbers::BFloat16)
    }

    fn halves(halves: &[u16], outputs: usize, numbers: impl Fn(Vec<u16>) -> Numbers) -> Self {
        let isa = crate::Isa::current();
        let (inputs, columns) = (halves.len() / outputs, panel_columns(isa));
        let mut packed = Vec::with_capacity(packed_len(inputs, outputs, columns));
        pack_weight(halves, outputs, columns, &mut packed);
        Self { numbers: numbers(packed), inputs, outputs, isa, columns }
    }

    pub(crate) fn columns_step(&self) -> usize {
        self.columns
    }

    pub(crate) fn multiply(&self, part: Part) {
        simd::run_on(self.isa, Product { weight: self, part });
    }

    /// A panel in float32, and the memory after it, which is to be prefetched.
    fn panel<'a>(&'a self, range: Range<usize>, converted: &'a mut Vec<f32>) -> (&'a [f32], &'a [f32]) {
        match &self.numbers {
            Numbers::Float32(packed, start) => {
                let (panel, rest) = packed[start + range.start..].split_at(range.len());
                return (panel, &rest[..rest.len().min(range.len())]);
            }
            Numbers::Float16(packed) => {
                converted.clear();
                converted.extend(packed[range].iter().map(|&half| to_f32(half)));
            }
            Numbers::BFloat16(packed) => {
                converted.clear();
                converted.extend(packed[range].iter().map(|&half| bf16_to_f32(half)));
            }
        }
        (converted, &[])
    }
}

/// Length of a packed weight.
fn packed_len(inputs: usize, outputs: usize, columns: usize) -> usize {
    inputs.next_multiple_of(CHUNK) * outputs.next_multiple_of(columns)
}

/// Appends a weight, row-major `[inputs, outputs]`, as panels.
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

/// A part of a product.
struct Product<'a, 'b, 'c> {
    weight: &'a Panels,
    part: Part<'b, 'c>,
}

impl SimdOp for Product<'_, '_, '_> {
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

impl Product<'_, '_, '_> {
    #[inline(always)]
    fn run<I: Isa, const TILE_ROWS: usize, const VECTORS: usize>(self, isa: I) {
        let Self { weight, part: Part { input, epilogue, out, columns } } = self;
        let (inputs, width) = (weight.inputs, weight.columns);
        let all_columns = weight.outputs.next_multiple_of(width);
        let is_rounded = matches!(weight.numbers, Numbers::BFloat16(_));
        let (mut packed, mut converted) = (Vec::new(), Vec::new());
        for (input, out) in input.chunks(ROWS * inputs).zip(out.chunks_mut(ROWS)) {
            for first in (0..inputs).step_by(DEPTH) {
                let depth = (inputs - first).min(DEPTH);
                let padded = depth.next_multiple_of(CHUNK);
                let part = first..first + depth;
                let mut rows: Vec<&[f32]> = input.chunks_exact(inputs).map(|row| &row[part.clone()]).collect();
                if is_rounded {
                    pack_input::<TILE_ROWS>(&mut rows, &mut packed, round_to_bf16);
                } else {
                    pack_input::<TILE_ROWS>(&mut rows, &mut packed, |value| value);
                }
                // The first inputs' products are added to the bias, all others to what is there by then.
                let (bias, is_added) =
                    if first == 0 { (Some(epilogue.bias), epilogue.store == Store::Add) } else { (None, true) };
                for column in columns.clone().step_by(width) {
                    let start = first * all_columns + column * padded;
                    let (panel, next) = weight.panel(start..start + padded * width, &mut converted);
                    let at = column - columns.start;
                    let end = (at + width).min(columns.len());
                    let target = Target { columns: at..end, bias: bias.map(|bias| &bias[at..end]), is_added };
                    multiply_panel::<I, TILE_ROWS, VECTORS>(isa, &packed, panel, next, out, target);
                }
            }
        }
    }
}

/// Multiplies all packed rows with a panel and prefetches `next`.
#[inline(always)]
pub(crate) fn multiply_panel<I: Isa, const TILE_ROWS: usize, const VECTORS: usize>(
    isa: I,
    packed: &[f32],
    panel: &[f32],
    next: &[f32],
    out: &mut [&mut [f32]],
    target: Target,
) {
    let padded = panel.len() / (VECTORS * isa.f32().len());
    let mut next = next.chunks(next.len().div_ceil(out.len().div_ceil(TILE_ROWS)).max(1));
    let mut packed = packed;
    for out in groups::<TILE_ROWS, _>(out) {
        let (input, rest) = packed.split_at(out.len() * padded);
        packed = rest;
        let fetch = next.next().unwrap_or_default();
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

/// Splits rows into groups of nearly equal size, at most `TILE_ROWS` each.
pub(crate) fn groups<const TILE_ROWS: usize, T>(mut rows: &mut [T]) -> impl Iterator<Item = &mut [T]> {
    std::iter::from_fn(move || {
        let count = rows.len().div_ceil(rows.len().div_ceil(TILE_ROWS).max(1));
        let (group, rest) = std::mem::take(&mut rows).split_at_mut(count);
        rows = rest;
        (count > 0).then_some(group)
    })
}

/// Packs rows in the order in which tiles read them: `[groups of rows, chunks, rows of a group, CHUNK]`, padded with zeros.
#[inline(always)]
pub(crate) fn pack_input<const TILE_ROWS: usize>(
    rows: &mut [&[f32]],
    packed: &mut Vec<f32>,
    number: impl Fn(f32) -> f32 + Copy,
) {
    let padded = rows.first().map_or(0, |row| row.len().next_multiple_of(CHUNK));
    packed.resize(rows.len() * padded, 0.0);
    let mut rest = packed.as_mut_slice();
    for rows in groups::<TILE_ROWS, _>(rows) {
        let (group, after) = rest.split_at_mut(rows.len() * padded);
        rest = after;
        let (group, count) = (group.as_chunks_mut::<CHUNK>().0, rows.len());
        for (place, row) in rows.iter().enumerate() {
            let (chunks, rest) = row.as_chunks::<CHUNK>();
            for (chunk, values) in chunks.iter().enumerate() {
                group[chunk * count + place] = values.map(number);
            }
            if !rest.is_empty() {
                let last = &mut group[chunks.len() * count + place];
                last.fill(0.0);
                last.iter_mut().zip(rest).for_each(|(last, value)| *last = number(*value));
            }
        }
    }
}

/// The bits of a value in float16; `None` if it is not representable or not finite.
fn to_f16(value: f32) -> Option<u16> {
    let half = f16::from_f32(value).to_bits();
    (to_f32(half) == value).then_some(half)
}

/// Converts a finite float16 to float32 without branches, so that the compiler can vectorise it. Shifting the bits gives an
/// exponent that is too small by 112, for subnormal values, too.
fn to_f32(half: u16) -> f32 {
    const SCALE: f32 = f32::from_bits((127 + 112) << 23); // 2¹¹²
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * SCALE;
    f32::from_bits(magnitude.to_bits() | u32::from(half & 0x8000) << 16)
}

/// Rounds to bfloat16, ties to even.
#[inline(always)]
pub(crate) fn round_to_bf16(value: f32) -> f32 {
    let bits = value.to_bits();
    let rounded = f32::from_bits(bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000);
    if value.is_nan() { value } else { rounded }
}

fn bf16_to_f32(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightFormat;
    use crate::testing::{assert_close, assert_product, numbers, on_each_isa, product};

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

    /// Against float64, with sizes that fill tiles, panels and blocks and sizes that do not.
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_product_is_the_sum_of_products() {
        let sizes = [(1, 1, 1), (5, 7, 131), (23, DEPTH + 9, 50), (ROWS + 3, 33, 96), (64, 16, 240)];
        on_each_isa(|isa| {
            for (rows, inputs, outputs) in sizes {
                let input = numbers(1, rows * inputs);
                let exact = numbers(2, inputs * outputs);
                let rounded: Vec<f32> = exact.iter().map(|&value| f16::from_f32(value).to_f32()).collect();
                let panels = Panels::as_stored(&rounded, outputs);
                assert!(matches!(panels.numbers, Numbers::Float16(_)));
                assert!(matches!(Panels::as_stored(&exact, outputs).numbers, Numbers::Float32(..)) || inputs == 1);
                for (weight, format) in
                    [(&exact, WeightFormat::Float32), (&exact, WeightFormat::Stored), (&rounded, WeightFormat::Stored)]
                {
                    assert_product(&input, weight, outputs, format, 3e-7, &format!("{isa}, {format:?}"));
                }
            }
        });
    }

    /// Against float64 of the rounded values.
    #[test]
    fn a_product_in_bfloat16_is_that_of_the_rounded_numbers() {
        let round =
            |values: Vec<f32>| values.into_iter().map(|value| bf16::from_f32(value).to_f32()).collect::<Vec<_>>();
        on_each_isa(|isa| {
            for (rows, inputs, outputs) in [(1, 1, 1), (5, 7, 131), (23, DEPTH + 9, 50), (70, 33, 96)] {
                let (input, weight) = (numbers(1, rows * inputs), numbers(2, inputs * outputs));
                let bias = numbers(3, outputs);
                let found = product(&input, &weight, &bias, WeightFormat::BFloat16);
                assert_close(&found, &round(input), &round(weight), &bias, 2e-6, &format!("{isa}"));
            }
        });
    }

    #[test]
    fn rounding_to_bfloat16_is_to_the_nearest() {
        for value in [0.0, -0.0, 1.0, 1.003_906_2, 1.011_718_8, -3.3e38, 1e-40, f32::INFINITY] {
            assert_eq!(round_to_bf16(value).to_bits(), bf16::from_f32(value).to_f32().to_bits(), "{value}");
        }
        assert!(round_to_bf16(f32::from_bits(0x7fff_ffff)).is_nan());
    }
}
