//! Integer sums in tiles of 256-bit vectors, with AVX2 or AVX-VNNI.
//!
//! AVX2 multiplies unsigned by signed bytes and adds pairs of products in 16 bits (`vpmaddubsw`). Two such results, of four
//! products for each lane, are added in 16 bits and then widened to 32 bits (`vpmaddwd` with ones). Nothing overflows:
//! [`super::weight`] bounds the codes of the four inputs. That takes five vector instructions for 64 products. AVX-VNNI takes
//! one instruction for 32 products.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _MM_HINT_T1, _mm_prefetch, _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256,
};
use std::ops::Range;

use super::sums::Sums;
use super::tiles::{self, QUAD, interleave, tile_sizes};

/// Columns of a panel: two vectors of 32-bit sums.
pub(super) const COLUMNS: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// The instructions of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    /// AVX2
    MulAdd,
    /// AVX-VNNI
    Vnni,
}

impl Dot {
    /// Rows of a tile. Its sums fit into 16 registers beside the weights and inputs of a step.
    fn rows(self) -> usize {
        match self {
            Self::MulAdd => 4,
            Self::Vnni => 6,
        }
    }
}

type Quads = tiles::Quads<COLUMNS>;

/// A packed weight.
pub(super) struct Panels {
    codes: tiles::Panels<COLUMNS>,
    dot: Dot,
}

impl Panels {
    /// Packs a weight, row-major `[inputs, outputs]`.
    pub(super) fn new(codes: &[i8], outputs: usize, dot: Dot) -> Self {
        Self { codes: tiles::Panels::new(codes, outputs), dot }
    }

    pub(super) fn row_length(&self) -> usize {
        self.codes.row_length
    }

    /// As [`super::Codes::multiply`].
    pub(super) fn multiply(&self, rows: &[u8], columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        let (count, quads) = (rows.len() / self.row_length(), self.row_length() / QUAD);
        let sizes = tile_sizes(count, self.dot.rows());
        let input = interleave(rows, quads, &sizes, 1, |quad, _| i32::from_le_bytes(quad));
        let mut sums = vec![[0; COLUMNS]; count];
        for panel in columns.start / COLUMNS..columns.end.div_ceil(COLUMNS) {
            let (mut sums_left, mut input_left) = (sums.as_mut_slice(), input.as_slice());
            for (tile, &rows) in sizes.iter().enumerate() {
                let (sums, input);
                (sums, sums_left) = sums_left.split_at_mut(rows);
                (input, input_left) = input_left.split_at(rows * quads);
                fetch(self.codes.starting_at(panel + 1), quads, tile, sizes.len());
                multiply_tile(self.dot, input, self.codes.panel(panel), sums);
            }
            let (values, first_column) = (sums.as_flattened(), panel * COLUMNS);
            each(Sums { values, width: COLUMNS, first_row: 0, first_column });
        }
    }
}

/// Prefetches one of `tiles` parts of the first `count` elements.
fn fetch<T>(next: &[T], count: usize, tile: usize, tiles: usize) {
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

/// Multiplies the rows of a tile with a panel.
fn multiply_tile(dot: Dot, input: &[i32], panel: &[Quads], sums: &mut [[i32; COLUMNS]]) {
    macro_rules! tile_of {
        ($($dot:ident $function:ident: $($rows:literal)*;)*) => {
            match (dot, sums.len()) {
                $($(
                    #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                    // SAFETY: such panels are made where the processor has these features.
                    (Dot::$dot, $rows) => unsafe { $function::<$rows>(input, panel, sums) },
                )*)*
                (_, rows) => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    tile_of!(MulAdd mul_add: 1 2 3 4; Vnni vnni: 1 2 3 4 5 6;);
}

#[target_feature(enable = "avx2")]
fn mul_add<const N: usize>(input: &[i32], panel: &[Quads], sums: &mut [[i32; COLUMNS]]) {
    let ones = _mm256_set1_epi16(1);
    let mut totals = [[_mm256_setzero_si256(); 2]; N];
    let steps = input.as_chunks::<N>().0.as_chunks::<2>().0;
    for ([first, second], [first_weights, second_weights]) in steps.iter().zip(panel.as_chunks::<2>().0) {
        let first_weights = [load(first_weights, 0), load(first_weights, 1)];
        let second_weights = [load(second_weights, 0), load(second_weights, 1)];
        for (row, totals) in totals.iter_mut().enumerate() {
            let (first, second) = (_mm256_set1_epi32(first[row]), _mm256_set1_epi32(second[row]));
            for (half, total) in totals.iter_mut().enumerate() {
                let products = _mm256_add_epi16(
                    _mm256_maddubs_epi16(first, first_weights[half]),
                    _mm256_maddubs_epi16(second, second_weights[half]),
                );
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(products, ones));
            }
        }
        keep_order(&mut totals);
    }
    store(&totals, sums);
}

#[target_feature(enable = "avx2,avxvnni")]
fn vnni<const N: usize>(input: &[i32], panel: &[Quads], sums: &mut [[i32; COLUMNS]]) {
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

/// Keeps the compiler from reordering the steps: it would move the totals to memory.
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
fn load(row: &Quads, half: usize) -> __m256i {
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
