//! Sums of products of bytes in tiles of 256-bit vectors.
//!
//! AVX2's instruction for bytes clips the sum of two products at 16 bits, and the one for pairs of 16-bit numbers, which is
//! exact, goes to two of the processor's units alone. Winograd's inner product (1968, "A New Algorithm for Inner Product")
//! halves the multiplications:
//!
//! ```text
//! x₀w₀ + x₁w₁ = (x₀ + w₁)(x₁ + w₀) − x₀x₁ − w₀w₁
//! ```
//!
//! Sums of a code of the input and one of the weight fit into 16 bits. What is subtracted belongs to the row alone and to the
//! column alone, and is computed once. 32-bit sums hold the products of 14,000 inputs.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _MM_HINT_T1, _mm_prefetch, _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256,
};
use std::ops::Range;

use super::Sums;
use crate::float::groups;
use crate::simd;

/// Columns of a panel: two vectors of 32-bit sums.
pub(super) const COLUMNS: usize = 16;
/// Inputs that are multiplied together.
const GROUP: usize = 4;
/// Bytes that memory moves at a time.
const LINE: usize = 64;
/// Most rows of a tile.
const ROWS: usize = 6;

/// Which instructions multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    /// AVX2's for pairs of 16-bit numbers, by Winograd's inner product.
    Pairs,
    /// AVX-VNNI's for four bytes.
    Quads,
}

/// For each [`COLUMNS`] outputs, all inputs, filled up with zeros.
pub(super) struct Panels {
    codes: Codes,
    row_length: usize,
}

enum Codes {
    /// For each [`GROUP`] of inputs: of each output the pair (w₁, w₃), then of each output the pair (w₀, w₂).
    Pairs {
        codes: Vec<[[i16; 2]; COLUMNS]>,
        /// `[panels, COLUMNS]`: of each output, `Σ w₀w₁ + w₂w₃` over the groups.
        products: Vec<[i32; COLUMNS]>,
    },
    /// For each [`GROUP`] of inputs, those of each output.
    Quads(Vec<[[i8; GROUP]; COLUMNS]>),
}

/// Rows as tiles read them: for each tile's rows, group by group, of each row what is multiplied together.
enum Input {
    /// The pairs (x₀, x₂) and (x₁, x₃).
    Pairs {
        rows: Vec<[i32; 2]>,
        /// Of each row, `Σ x₀x₁ + x₂x₃` over the groups.
        products: Vec<i32>,
    },
    /// The group's four bytes.
    Quads(Vec<i32>),
}

impl Dot {
    /// Rows of a tile: what fits into 16 registers beside a group's weights and inputs.
    fn rows(self) -> usize {
        match self {
            Self::Pairs => 4,
            Self::Quads => ROWS,
        }
    }
}

impl Panels {
    /// From row-major `[inputs, outputs]`.
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

    /// Rows in tiles of these sizes.
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

/// `[rows, each]` groups as tiles of so many rows, each `[each, rows of the tile]`, converted.
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

/// Rows of each tile of so many: about the same.
fn group_sizes(count: usize, most: usize) -> Vec<usize> {
    let mut places = vec![(); count];
    let length = |group: &mut [()]| group.len();
    if most == ROWS {
        groups::<ROWS, _>(&mut places).map(length).collect()
    } else {
        groups::<4, _>(&mut places).map(length).collect()
    }
}

/// Fetches a part of the `count` elements from `first` on: as much as one of so many tiles has to, for the next panel to be
/// there in time.
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

/// Adds the products of rows with a panel of pairs, from which what belongs to rows and columns alone is not subtracted.
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

/// Rows times a panel of fours.
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

/// Keeps the compiler from adding up several groups first, for which it would keep the totals in memory.
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
