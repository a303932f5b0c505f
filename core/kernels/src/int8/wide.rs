//! Integer sums in tiles of 256-bit vectors, with AVX2 or AVX-VNNI.
//!
//! AVX2's product of bytes (`vpmaddubsw`) saturates the sum of two products at 16 bits. Its product of 16-bit pairs
//! (`vpmaddwd`) is exact, but only two execution ports have it. Winograd's inner product (1968, "A New Algorithm for Inner
//! Product") needs half as many multiplications:
//!
//! ```text
//! x₀w₀ + x₁w₁ = (x₀ + w₁)(x₁ + w₀) − x₀x₁ − w₀w₁
//! ```
//!
//! The sums in parentheses fit into 16 bits. Of the two terms that are subtracted, one depends on the row alone and one on the
//! column alone; each is computed once. The 32-bit sums do not overflow with up to 14,000 inputs.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _MM_HINT_T1, _mm_prefetch, _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256,
};
use std::ops::Range;

use super::sums::Sums;
use crate::float::groups;
use crate::simd;

/// Columns of a panel: two vectors of 32-bit sums.
pub(super) const COLUMNS: usize = 16;
/// Inputs of a group, which are multiplied together.
const GROUP: usize = 4;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Largest number of rows of a tile.
const ROWS: usize = 6;

/// The instructions of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    /// AVX2: 16-bit pairs, by Winograd's inner product.
    Pairs,
    /// AVX-VNNI: groups of four bytes.
    Quads,
}

/// A packed weight: panels of [`COLUMNS`] outputs, padded with zeros.
pub(super) struct Panels {
    codes: Codes,
    row_length: usize,
}

enum Codes {
    /// For each group of inputs, the pairs (w₁, w₃) of all outputs, then the pairs (w₀, w₂) of all outputs.
    Pairs {
        codes: Vec<[[i16; 2]; COLUMNS]>,
        /// `Σ w₀w₁ + w₂w₃` of each output, over the groups; `[panels, COLUMNS]`.
        products: Vec<[i32; COLUMNS]>,
    },
    /// For each group of inputs, the four bytes of each output.
    Quads(Vec<[[i8; GROUP]; COLUMNS]>),
}

/// Packed rows: `[tiles, groups, rows of a tile]`.
enum Input {
    /// The pairs (x₀, x₂) and (x₁, x₃).
    Pairs {
        rows: Vec<[i32; 2]>,
        /// `Σ x₀x₁ + x₂x₃` of each row, over the groups.
        products: Vec<i32>,
    },
    /// The four bytes of a group.
    Quads(Vec<i32>),
}

impl Dot {
    /// Rows of a tile. Its sums fit into 16 registers beside the weights and inputs of a group.
    fn rows(self) -> usize {
        match self {
            Self::Pairs => 4,
            Self::Quads => ROWS,
        }
    }
}

impl Panels {
    /// Packs a weight, row-major `[inputs, outputs]`.
    pub(super) fn new(codes: &[i8], outputs: usize, dot: Dot) -> Self {
        let row_length = (codes.len() / outputs).next_multiple_of(GROUP);
        let panels = outputs.div_ceil(COLUMNS);
        // The group of an output's inputs, in the panels' order.
        let groups = (0..panels * row_length / GROUP * COLUMNS).map(|place| {
            let (group, column) = (place / COLUMNS % (row_length / GROUP), place % COLUMNS);
            let output = place / (row_length / GROUP * COLUMNS) * COLUMNS + column;
            let code = |input: usize| {
                let row = codes.get(input * outputs..).unwrap_or_default();
                if output < outputs { row.get(output).copied().unwrap_or(0) } else { 0 }
            };
            std::array::from_fn::<i8, GROUP, _>(|place| code(group * GROUP + place))
        });
        let quads: Vec<[i8; GROUP]> = groups.collect();
        let quads = quads.as_chunks::<COLUMNS>().0;
        let codes = match dot {
            Dot::Quads => Codes::Quads(quads.to_vec()),
            Dot::Pairs => {
                let wide = quads.iter().map(|group| group.map(|group| group.map(i16::from)));
                let codes = wide.clone().flat_map(|group| [group.map(|w| [w[1], w[3]]), group.map(|w| [w[0], w[2]])]);
                let mut products = vec![[0; COLUMNS]; panels];
                for (place, group) in wide.enumerate() {
                    for (product, w) in products[place / (row_length / GROUP)].iter_mut().zip(group) {
                        *product += i32::from(w[0]) * i32::from(w[1]) + i32::from(w[2]) * i32::from(w[3]);
                    }
                }
                Codes::Pairs { codes: codes.collect(), products }
            }
        };
        Self { codes, row_length }
    }

    pub(super) fn row_length(&self) -> usize {
        self.row_length
    }

    fn dot(&self) -> Dot {
        match self.codes {
            Codes::Pairs { .. } => Dot::Pairs,
            Codes::Quads(_) => Dot::Quads,
        }
    }

    /// As [`super::Codes::multiply`].
    pub(super) fn multiply(&self, rows: &[u8], columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        let (count, groups) = (rows.len() / self.row_length, self.row_length / GROUP);
        let sizes = group_sizes(count, self.dot().rows());
        let input = self.pack(rows, &sizes);
        let mut sums = vec![[0; COLUMNS]; count];
        for panel in columns.start / COLUMNS..columns.end.div_ceil(COLUMNS) {
            let (mut sums_left, mut first_row) = (sums.as_mut_slice(), 0);
            for (tile, &rows) in sizes.iter().enumerate() {
                let (tile_sums, rest) = sums_left.split_at_mut(rows);
                sums_left = rest;
                let packed = first_row * groups..(first_row + rows) * groups;
                match (&self.codes, &input) {
                    (Codes::Pairs { codes, products }, Input::Pairs { rows: packed_rows, products: of_rows }) => {
                        fetch(codes, (panel + 1) * 2 * groups, 2 * groups, tile, sizes.len());
                        for (sums, of_row) in tile_sums.iter_mut().zip(&of_rows[first_row..]) {
                            *sums = products[panel].map(|of_column| -of_row - of_column);
                        }
                        pairs_of(&packed_rows[packed], &codes[panel * 2 * groups..][..2 * groups], tile_sums);
                    }
                    (Codes::Quads(codes), Input::Quads(packed_rows)) => {
                        fetch(codes, (panel + 1) * groups, groups, tile, sizes.len());
                        quads_of(&packed_rows[packed], &codes[panel * groups..][..groups], tile_sums);
                    }
                    _ => unreachable!("input is packed as the codes are"),
                }
                first_row += rows;
            }
            let (values, first_column) = (sums.as_flattened(), panel * COLUMNS);
            each(Sums { values, width: COLUMNS, first_row: 0, first_column });
        }
    }

    /// Packs rows into tiles of these sizes.
    fn pack(&self, rows: &[u8], sizes: &[usize]) -> Input {
        let groups = rows.as_chunks::<GROUP>().0;
        let each = self.row_length / GROUP;
        match self.dot() {
            Dot::Quads => Input::Quads(interleave(groups, each, sizes, i32::from_le_bytes)),
            Dot::Pairs => {
                let pairs = |group: [u8; GROUP]| {
                    let bytes = i32::from_le_bytes(group);
                    [bytes & 0x00ff_00ff, (bytes >> 8) & 0x00ff_00ff]
                };
                let product = |&[a, b, c, d]: &[u8; GROUP]| i32::from(a) * i32::from(b) + i32::from(c) * i32::from(d);
                let products = simd::loops(
                    #[inline(always)]
                    || groups.chunks_exact(each).map(|row| row.iter().map(product).sum()).collect(),
                );
                Input::Pairs { rows: interleave(groups, each, sizes, pairs), products }
            }
        }
    }
}

/// Transposes groups from `[rows, each]` to `[each, rows of a tile]` for each tile, and converts them.
fn interleave<T: Copy + Default>(
    groups: &[[u8; GROUP]],
    each: usize,
    sizes: &[usize],
    convert: impl Fn([u8; GROUP]) -> T,
) -> Vec<T> {
    let mut packed = vec![T::default(); groups.len()];
    let (mut tiles, mut rows) = (packed.as_mut_slice(), groups.chunks_exact(each));
    for &size in sizes {
        let (tile, rest) = tiles.split_at_mut(size * each);
        tiles = rest;
        for (place, row) in rows.by_ref().take(size).enumerate() {
            tile[place..].iter_mut().step_by(size).zip(row).for_each(|(packed, group)| *packed = convert(*group));
        }
    }
    packed
}

/// Sizes of the tiles of `count` rows: nearly equal, and at most `most`.
fn group_sizes(count: usize, most: usize) -> Vec<usize> {
    let mut places = vec![(); count];
    let length = |group: &mut [()]| group.len();
    if most == ROWS {
        groups::<ROWS, _>(&mut places).map(length).collect()
    } else {
        groups::<4, _>(&mut places).map(length).collect()
    }
}

/// Prefetches one of `tiles` parts of the next panel, which has `count` elements from `first` on.
fn fetch<T>(codes: &[T], first: usize, count: usize, tile: usize, tiles: usize) {
    let next = codes.get(first..).unwrap_or_default();
    let each = count.div_ceil(tiles);
    let part = next.get(tile * each..).unwrap_or_default();
    let part = &part[..part.len().min(each)];
    for line in part.chunks((LINE / size_of::<T>()).max(1)) {
        #[expect(unsafe_code, reason = "the standard library has no safe form outside of functions compiled for it")]
        // SAFETY: fetching changes nothing, and every such processor has the instruction.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
}

/// Adds `Σ (x₀ + w₁)(x₁ + w₀)` of rows and a panel to `sums`.
fn pairs_of(input: &[[i32; 2]], panel: &[[[i16; 2]; COLUMNS]], sums: &mut [[i32; COLUMNS]]) {
    macro_rules! tile_of {
        ($($rows:literal)*) => {
            match sums.len() {
                $(
                    #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                    // SAFETY: such panels are made where the processor has these features.
                    $rows => unsafe { pairs::<$rows>(input, panel, sums) },
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    tile_of!(1 2 3 4);
}

/// Multiplies rows with a panel.
fn quads_of(input: &[i32], panel: &[[[i8; GROUP]; COLUMNS]], sums: &mut [[i32; COLUMNS]]) {
    macro_rules! tile_of {
        ($($rows:literal)*) => {
            match sums.len() {
                $(
                    #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                    // SAFETY: such panels are made where the processor has these features.
                    $rows => unsafe { quads::<$rows>(input, panel, sums) },
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    tile_of!(1 2 3 4 5 6);
}

#[target_feature(enable = "avx2")]
fn pairs<const N: usize>(input: &[[i32; 2]], panel: &[[[i16; 2]; COLUMNS]], sums: &mut [[i32; COLUMNS]]) {
    let mut totals: [_; N] = std::array::from_fn(|row| [load(&sums[row], 0), load(&sums[row], 1)]);
    for (input, [odd, even]) in input.as_chunks::<N>().0.iter().zip(panel.as_chunks().0) {
        let [odd, even] = [odd, even].map(|pairs| [load(pairs, 0), load(pairs, 1)]);
        for (totals, input) in totals.iter_mut().zip(input) {
            let (x_even, x_odd) = (_mm256_set1_epi32(input[0]), _mm256_set1_epi32(input[1]));
            for (place, total) in totals.iter_mut().enumerate() {
                let left = _mm256_add_epi16(x_even, odd[place]);
                let right = _mm256_add_epi16(x_odd, even[place]);
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(left, right));
            }
        }
        keep_order(&mut totals);
    }
    store(&totals, sums);
}

#[target_feature(enable = "avx2,avxvnni")]
fn quads<const N: usize>(input: &[i32], panel: &[[[i8; GROUP]; COLUMNS]], sums: &mut [[i32; COLUMNS]]) {
    let mut totals = [[_mm256_setzero_si256(); 2]; N];
    for (input, weights) in input.as_chunks::<N>().0.iter().zip(panel) {
        let weights = [load(weights, 0), load(weights, 1)];
        for (totals, input) in totals.iter_mut().zip(input) {
            let input = _mm256_set1_epi32(*input);
            for (total, weights) in totals.iter_mut().zip(weights) {
                *total = _mm256_dpbusd_avx_epi32(*total, input, weights);
            }
        }
        keep_order(&mut totals);
    }
    store(&totals, sums);
}

/// Keeps the compiler from reordering the groups: it would move the totals to memory.
#[inline]
#[target_feature(enable = "avx2")]
fn keep_order<const N: usize>(totals: &mut [[__m256i; 2]; N]) {
    for total in totals.as_flattened_mut() {
        #[expect(unsafe_code, reason = "there is no other way to tell the compiler")]
        // SAFETY: it is a comment, which has no effect.
        unsafe {
            asm!("/* {0} */", inout(ymm_reg) * total, options(pure, nomem, nostack, preserves_flags));
        }
    }
}

/// The first or second vector of a panel's row.
#[inline]
#[target_feature(enable = "avx2")]
fn load<T>(row: &[T; COLUMNS], half: usize) -> __m256i {
    const { assert!(size_of::<T>() * COLUMNS == 64, "two vectors") };
    let half = &row[half * COLUMNS / 2..][..COLUMNS / 2];
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: reads the 32 bytes of the slice, in which all bits are numbers.
    unsafe {
        _mm256_loadu_si256(half.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store<const N: usize>(totals: &[[__m256i; 2]; N], sums: &mut [[i32; COLUMNS]]) {
    for (sums, totals) in sums.iter_mut().zip(totals) {
        for (sums, total) in sums.as_chunks_mut::<8>().0.iter_mut().zip(totals) {
            #[expect(unsafe_code, reason = "the standard library has no safe form")]
            // SAFETY: writes 32 bytes.
            unsafe {
                _mm256_storeu_si256(sums.as_mut_ptr().cast(), *total);
            }
        }
    }
}
