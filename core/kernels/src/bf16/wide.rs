//! Sums of products of bfloat16 in tiles of 512-bit vectors, 8 rows by 48 columns (AVX512-BF16).

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_storeu_ps,
};
use std::ops::Range;

use super::Sums;
use crate::float::groups;

/// Rows of a tile.
const ROWS: usize = 8;
/// Vectors of columns of a tile.
const VECTORS: usize = 3;
/// Columns of a panel.
pub(super) const COLUMNS: usize = VECTORS * 16;

/// For each [`COLUMNS`] outputs, `[inputs / 2, COLUMNS]` pairs, filled up with zeros.
pub(super) struct Panels {
    pairs: Vec<[u16; 2]>,
    row_length: usize,
}

impl Panels {
    /// From the bits of bfloat16, row-major `[inputs, outputs]`.
    pub(super) fn new(halves: &[u16], outputs: usize) -> Self {
        let row_length = (halves.len() / outputs).next_multiple_of(2);
        let mut pairs = vec![[0; 2]; outputs.div_ceil(COLUMNS) * row_length / 2 * COLUMNS];
        for (input, row) in halves.chunks_exact(outputs).enumerate() {
            for (output, half) in row.iter().enumerate() {
                let panel = output / COLUMNS * row_length / 2 * COLUMNS;
                pairs[panel + input / 2 * COLUMNS + output % COLUMNS][input % 2] = *half;
            }
        }
        Self { pairs, row_length }
    }

    pub(super) fn row_length(&self) -> usize {
        self.row_length
    }

    /// As [`super::BFloat16::sums`].
    pub(super) fn multiply(&self, halves: &[u16], rows: usize, columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        let size = self.row_length / 2 * COLUMNS;
        let mut inputs: Vec<&[u16]> = halves.chunks_exact(self.row_length).take(rows).collect();
        let mut packed = Vec::with_capacity(halves.len() / 2);
        let mut sizes = Vec::new();
        for group in groups::<ROWS, _>(&mut inputs) {
            sizes.push(group.len());
            for pair in 0..self.row_length / 2 {
                packed.extend(group.iter().map(|row| i32::from(row[2 * pair]) | i32::from(row[2 * pair + 1]) << 16));
            }
        }
        for place in columns.start / COLUMNS..columns.end.div_ceil(COLUMNS) {
            let panel = self.pairs[place * size..][..size].as_chunks::<COLUMNS>().0;
            let (mut rest, mut first_row) = (packed.as_slice(), 0);
            for &rows in &sizes {
                let (input, after) = rest.split_at(rows * panel.len());
                rest = after;
                let mut sums = [[0.0; COLUMNS]; ROWS];
                tile(rows, input, panel, &mut sums);
                let (values, first_column) = (sums[..rows].as_flattened(), place * COLUMNS);
                each(Sums { values, width: COLUMNS, first_row, first_column });
                first_row += rows;
            }
        }
    }
}

/// `rows` rows of pairs times a panel.
fn tile(rows: usize, input: &[i32], panel: &[[[u16; 2]; COLUMNS]], sums: &mut [[f32; COLUMNS]; ROWS]) {
    macro_rules! tile_of {
        ($($rows:literal)*) => {
            match rows {
                $(
                    #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                    // SAFETY: such panels are made where the processor has these features.
                    $rows => unsafe { add_up::<$rows>(input, panel, sums) },
                )*
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    tile_of!(1 2 3 4 5 6 7 8);
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn add_up<const N: usize>(input: &[i32], panel: &[[[u16; 2]; COLUMNS]], sums: &mut [[f32; COLUMNS]; ROWS]) {
    let mut totals = [[_mm512_setzero_ps(); VECTORS]; N];
    for (input, panel) in input.as_chunks::<N>().0.iter().zip(panel) {
        let weights: [__m512bh; VECTORS] = std::array::from_fn(|vector| load(&panel.as_chunks::<16>().0[vector]));
        for (totals, input) in totals.iter_mut().zip(input) {
            let input = pairs(_mm512_set1_epi32(*input));
            for (total, weights) in totals.iter_mut().zip(weights) {
                *total = _mm512_dpbf16_ps(*total, input, weights);
            }
        }
    }
    for (sums, totals) in sums.iter_mut().zip(&totals) {
        for (sums, total) in sums.as_chunks_mut::<16>().0.iter_mut().zip(totals) {
            store(sums, *total);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(numbers: &[[u16; 2]; 16]) -> __m512bh {
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: reads 64 bytes.
    pairs(unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pairs(bits: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "the standard library has no safe conversion")]
    // SAFETY: both are 64 bytes, and all bits are numbers.
    unsafe {
        std::mem::transmute(bits)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: &mut [f32; 16], total: __m512) {
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: writes 64 bytes.
    unsafe {
        _mm512_storeu_ps(sums.as_mut_ptr(), total);
    }
}
