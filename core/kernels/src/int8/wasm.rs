//! Integer sums in tiles of WebAssembly's 128-bit vectors.
//!
//! Relaxed SIMD multiplies bytes by two instructions, `i16x8.relaxed_dot_i8x16_i7x16_s` (sums of two products in 16 bits) and
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` (sums of four in 32 bits). The first operand is signed. What a byte above 127 is in the
//! second operand, and whether sums of two products are clipped to 16 bits, depends on the processor; it does not change while a
//! program runs (WebAssembly 3.0, "Relaxed Operations"). [`Dot::best`] therefore tries both instructions with known bytes
//! and takes the kernel that is exact with what they do:
//!
//! | kernel | where | instructions for 64 products on x86 (AVX) | on ARM |
//! | --- | --- | --- | --- |
//! | [`Dot::Quads`] | bytes are unsigned, sums are not clipped: x86 with AVX-VNNI | 4: `vpdpbusd` | |
//! | [`Dot::SignedQuads`] | bytes are signed: ARM | | 4: `sdot`; 16 without it |
//! | [`Dot::Pairs`] | bytes are unsigned, sums are clipped: other x86 | 10: `vpmaddubsw`, `vpaddw`, `vpmaddwd`, `vpaddd` | |
//! | [`Dot::Words`] | SIMD that is not relaxed | 16: `vpmaddwd`, `vpaddd` | 32: `smull`, `smull2`, `addp`, `add` |
//! | float32, relaxed | for comparison | 16: `vfmadd231ps` | 16: `fmla` |
//! | float32, not relaxed | for comparison | 32: `vmulps`, `vaddps` | 32: `fmul`, `fadd` |
//!
//! Loads of weights and inputs are not counted. [`Dot::Pairs`] adds four products in 16 bits. Nothing overflows: [`super::weight`]
//! bounds the codes of the four inputs.

mod tile;

#[cfg(feature = "relaxed-simd")]
use std::arch::wasm32::{
    i8x16_splat, i16x8_extract_lane, i16x8_relaxed_dot_i8x16_i7x16, i32x4_extract_lane,
    i32x4_relaxed_dot_i8x16_i7x16_add, i32x4_splat,
};
use std::ops::Range;
use std::sync::LazyLock;

use super::sums::Sums;
use super::tiles::{self, QUAD, interleave, tile_sizes};
pub(super) use tile::COLUMNS;

/// Rows of a tile. Its sums fit into registers beside the weights and inputs of a step.
const ROWS: usize = 4;

/// The instructions of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    /// Products in 16 bits.
    Words,
    /// Sums of two products in 16 bits, with unsigned inputs.
    #[cfg(feature = "relaxed-simd")]
    Pairs,
    /// Sums of four products in 32 bits, with unsigned inputs.
    #[cfg(feature = "relaxed-simd")]
    Quads,
    /// Sums of four products in 32 bits, with inputs less 128.
    #[cfg(feature = "relaxed-simd")]
    SignedQuads,
}

/// A packed weight.
pub(super) struct Panels {
    codes: tiles::Panels<COLUMNS>,
    /// What the sums of each panel start with: [`Dot::offset`] times the sum of an output's codes.
    starts: Vec<[i32; COLUMNS]>,
    dot: Dot,
}

impl Dot {
    /// The fastest that is exact here, the last of [`Dot::available`].
    pub(super) fn best() -> Self {
        static BEST: LazyLock<Dot> = LazyLock::new(|| Dot::available().pop().unwrap_or(Dot::Words));
        *BEST
    }

    #[cfg(not(feature = "relaxed-simd"))]
    fn available() -> Vec<Self> {
        vec![Self::Words]
    }

    /// Those that are exact here, the fastest last.
    #[cfg(feature = "relaxed-simd")]
    fn available() -> Vec<Self> {
        let mut found = vec![Self::Words];
        // The largest sum that is bounded: unsigned it is 255 · 128.
        if pair_of_products(64, 255) == 32_640 {
            found.push(Self::Pairs);
        }
        // Unsigned bytes give 4 · 127 · 255, signed bytes 4 · 127 · −1. A processor that clips sums of two products gives
        // neither. `Pairs` is exact there, and faster.
        match quad_of_products(127, 255) {
            129_540 => found.push(Self::Quads),
            -508 => found.push(Self::SignedQuads),
            _ => {}
        }
        found
    }

    /// What is subtracted from each input.
    fn offset(self) -> i32 {
        match self {
            #[cfg(feature = "relaxed-simd")]
            Self::SignedQuads => 128,
            _ => 0,
        }
    }

    /// Vectors that a quad of inputs is multiplied in.
    fn vectors(self) -> usize {
        if self == Self::Words { 2 } else { 1 }
    }

    /// The lane of a vector for a quad.
    fn lane(self, quad: [u8; QUAD], vector: usize) -> i32 {
        let quad = i32::from_le_bytes(quad);
        match self {
            // Bytes 0 and 2, then 1 and 3, each in 16 bits.
            Self::Words => quad >> (8 * vector) & 0x00ff_00ff,
            #[cfg(feature = "relaxed-simd")]
            Self::Pairs | Self::Quads => quad,
            #[cfg(feature = "relaxed-simd")]
            Self::SignedQuads => quad ^ i32::from_ne_bytes([0x80; QUAD]),
        }
    }
}

/// The first of eight sums of two equal products.
#[cfg(feature = "relaxed-simd")]
#[inline(never)]
#[target_feature(enable = "relaxed-simd")]
fn pair_of_products(weight: i8, input: u8) -> i16 {
    // Hidden from the compiler, which knows one of the possible results.
    let (weight, input) = std::hint::black_box((weight, input));
    i16x8_extract_lane::<0>(i16x8_relaxed_dot_i8x16_i7x16(i8x16_splat(weight), i8x16_splat(input as i8)))
}

/// The first of four sums of four equal products.
#[cfg(feature = "relaxed-simd")]
#[inline(never)]
#[target_feature(enable = "relaxed-simd")]
fn quad_of_products(weight: i8, input: u8) -> i32 {
    let (weight, input) = std::hint::black_box((weight, input));
    let sums = i32x4_relaxed_dot_i8x16_i7x16_add(i8x16_splat(weight), i8x16_splat(input as i8), i32x4_splat(0));
    i32x4_extract_lane::<0>(sums)
}

impl Panels {
    /// Packs a weight, row-major `[inputs, outputs]`.
    pub(super) fn new(codes: &[i8], outputs: usize, dot: Dot) -> Self {
        let mut starts = vec![[0; COLUMNS]; outputs.div_ceil(COLUMNS)];
        let offset = dot.offset();
        if offset != 0 {
            for row in codes.chunks_exact(outputs) {
                let starts = starts.as_flattened_mut().iter_mut();
                starts.zip(row).for_each(|(start, &code)| *start += offset * i32::from(code));
            }
        }
        Self { codes: tiles::Panels::new(codes, outputs), starts, dot }
    }

    pub(super) fn row_length(&self) -> usize {
        self.codes.row_length
    }

    /// As [`super::Codes::multiply`].
    pub(super) fn multiply(&self, rows: &[u8], columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        let count = rows.len() / self.row_length();
        let sizes = tile_sizes(count, ROWS);
        let quads = self.row_length() / QUAD;
        let vectors = self.dot.vectors();
        let input = interleave(rows, quads, &sizes, vectors, |quad, vector| self.dot.lane(quad, vector));
        let length = quads * vectors;
        let mut sums = vec![[0; COLUMNS]; count];
        let mut words = Vec::new();
        for panel in columns.start / COLUMNS..columns.end.div_ceil(COLUMNS) {
            let (codes, start) = (self.codes.panel(panel), &self.starts[panel]);
            if self.dot == Dot::Words {
                tile::widen(codes, &mut words);
            }
            let (mut sums_left, mut input_left) = (sums.as_mut_slice(), input.as_slice());
            for &rows in &sizes {
                let (sums, input);
                (sums, sums_left) = sums_left.split_at_mut(rows);
                (input, input_left) = input_left.split_at(rows * length);
                macro_rules! tile_of {
                    ($($rows:literal)*) => {
                        match (self.dot, rows) {
                            $(
                                (Dot::Words, $rows) => tile::write(&tile::words::<$rows>(input, &words), start, sums),
                                #[cfg(feature = "relaxed-simd")]
                                (Dot::Pairs, $rows) => tile::write(&tile::pairs::<$rows>(input, codes), start, sums),
                                #[cfg(feature = "relaxed-simd")]
                                (Dot::Quads | Dot::SignedQuads, $rows) => {
                                    tile::write(&tile::quads::<$rows>(input, codes), start, sums);
                                }
                            )*
                            (_, rows) => unreachable!("a tile of {rows} rows"),
                        }
                    };
                }
                tile_of!(1 2 3 4);
            }
            let (values, first_column) = (sums.as_flattened(), panel * COLUMNS);
            each(Sums { values, width: COLUMNS, first_row: 0, first_column });
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::int8::weight::GROUP;

    /// Codes of half of a group, as large as [`super::super::weight`] allows.
    const LARGEST: [[i8; 4]; 6] = [
        [32, 32, 32, 32],
        [64, 64, -64, -64],
        [126, -126, 2, -2],
        [-128, 0, 0, 127],
        [-32, -32, -32, -32],
        [1, -100, 127, -28],
    ];

    #[wasm_bindgen_test]
    fn each_kernel_is_exact() {
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 8, 8), (7, 61, 19), (50, 768, 24)] {
            let code = |input: usize, output: usize| {
                let (place, half) = (input % 2 + input % GROUP / 4 * 2, input / 2 % 2);
                LARGEST[(output + input / GROUP + half) % LARGEST.len()][place]
            };
            let codes: Vec<i8> = (0..inputs * outputs).map(|at| code(at / outputs, at % outputs)).collect();
            let byte = |row: usize, input: usize| match row % 3 {
                0 => 255,
                1 => (input % 2 * 255) as u8,
                _ => (row * 31 + input * 97) as u8,
            };
            for dot in Dot::available() {
                let panels = Panels::new(&codes, outputs, dot);
                let mut bytes = vec![0; rows * panels.row_length()];
                for (row, bytes) in bytes.chunks_exact_mut(panels.row_length()).enumerate() {
                    (0..inputs).for_each(|input| bytes[input] = byte(row, input));
                }
                let mut seen = 0;
                panels.multiply(&bytes, 0..outputs, &mut |sums| {
                    for (at, &found) in sums.values.iter().enumerate() {
                        let (row, output) = (at / COLUMNS, sums.first_column + at % COLUMNS);
                        let product = |input| i32::from(byte(row, input)) * i32::from(code(input, output));
                        let expected: i32 = (0..inputs).map(product).sum();
                        if output < outputs {
                            assert_eq!(found, expected, "{dot:?}, {inputs} inputs, row {row}, output {output}");
                            seen += 1;
                        }
                    }
                });
                assert_eq!(seen, rows * outputs);
            }
        }
    }

    #[wasm_bindgen_test]
    fn relaxed_products_of_bytes_are_used_where_they_are() {
        assert_eq!(Dot::best() != Dot::Words, cfg!(feature = "relaxed-simd"), "{:?}", Dot::available());
    }
}
