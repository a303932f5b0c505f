//! Sums of products of bytes in tiles of 256-bit vectors, 6 rows by 16 columns.
//!
//! AVX2's instruction for bytes clips the sum of two products at 16 bits. Pairs of 16-bit numbers are added in 32 bits, so
//! that every sum is exact, and take one instruction for 16 products, where float32 takes one for 8.

use std::arch::x86_64::{
    __m128i, __m256i, _MM_HINT_T1, _mm_loadu_si128, _mm_prefetch, _mm256_add_epi32, _mm256_cvtepi8_epi16,
    _mm256_dpbusd_avx_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_storeu_si256,
};
use std::ops::Range;

use super::Sums;
use crate::float::groups;

/// Rows of a tile.
const ROWS: usize = 6;
/// Columns of a panel: two vectors of 32-bit sums.
pub(super) const COLUMNS: usize = 16;
/// Bytes that memory moves at a time.
const LINE: usize = 64;

/// Which instruction multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    /// Two inputs at a time, widened to 16 bits: AVX2.
    Pairs,
    /// Four inputs at a time: AVX-VNNI.
    Quads,
}

/// For each [`COLUMNS`] outputs, `[inputs / group, COLUMNS, group]`, filled up with zeros.
pub(super) struct Panels {
    codes: Vec<i8>,
    dot: Dot,
    row_length: usize,
}

impl Dot {
    fn group(self) -> usize {
        match self {
            Self::Pairs => 2,
            Self::Quads => 4,
        }
    }
}

impl Panels {
    /// From row-major `[inputs, outputs]`.
    pub(super) fn new(codes: &[i8], outputs: usize, dot: Dot) -> Self {
        let (inputs, group) = (codes.len() / outputs, dot.group());
        let row_length = inputs.next_multiple_of(group);
        let mut packed = vec![0; outputs.div_ceil(COLUMNS) * row_length * COLUMNS];
        for (input, row) in codes.chunks_exact(outputs).enumerate() {
            for (output, code) in row.iter().enumerate() {
                let panel = output / COLUMNS * row_length * COLUMNS;
                packed[panel + (input / group * COLUMNS + output % COLUMNS) * group + input % group] = *code;
            }
        }
        Self { codes: packed, dot, row_length }
    }

    pub(super) fn row_length(&self) -> usize {
        self.row_length
    }

    /// As [`super::Codes::multiply`].
    pub(super) fn multiply(&self, rows: &[u8], columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        let packed = self.pack(rows);
        let groups = self.row_length / self.dot.group();
        let (count, size) = (rows.len() / self.row_length, self.row_length * COLUMNS);
        for place in columns.start / COLUMNS..columns.end.div_ceil(COLUMNS) {
            let panel = &self.codes[place * size..][..size];
            let next = self.codes.get((place + 1) * size..).unwrap_or_default();
            let mut fetch = next[..next.len().min(size)].chunks(size.div_ceil(count.div_ceil(ROWS)));
            let (mut packed, mut first_row) = (packed.as_slice(), 0);
            for rows in group_sizes(count) {
                let (input, rest) = packed.split_at(rows * groups);
                packed = rest;
                let mut sums = [[0; COLUMNS]; ROWS];
                self.tile(rows, input, panel, fetch.next().unwrap_or_default(), &mut sums);
                each(Sums {
                    values: sums[..rows].as_flattened(),
                    width: COLUMNS,
                    first_row,
                    first_column: place * COLUMNS,
                });
                first_row += rows;
            }
        }
    }

    /// For each tile's rows, group of inputs by group of inputs, the 32 bits of each row that are multiplied with the same
    /// inputs' weights.
    fn pack(&self, rows: &[u8]) -> Vec<i32> {
        let (length, group) = (self.row_length, self.dot.group());
        let mut packed = vec![0; rows.len() / group];
        let mut rest = (rows, packed.as_mut_slice());
        for count in group_sizes(rows.len() / length) {
            let (rows, rows_after) = rest.0.split_at(count * length);
            let (packed, packed_after) = rest.1.split_at_mut(count * length / group);
            rest = (rows_after, packed_after);
            for (place, row) in rows.chunks_exact(length).enumerate() {
                let packed = packed.iter_mut().skip(place).step_by(count);
                match self.dot {
                    Dot::Pairs => packed.zip(row.as_chunks().0).for_each(|(to, &[a, b])| {
                        *to = i32::from(a) | i32::from(b) << 16;
                    }),
                    Dot::Quads => packed.zip(row.as_chunks().0).for_each(|(to, &codes)| {
                        *to = i32::from_le_bytes(codes);
                    }),
                }
            }
        }
        packed
    }

    /// `rows` rows of `input` times a panel.
    fn tile(&self, rows: usize, input: &[i32], panel: &[i8], fetch: &[i8], sums: &mut [[i32; COLUMNS]; ROWS]) {
        macro_rules! tile_of {
            ($($rows:literal)*) => {
                match (self.dot, rows) {
                    $(
                        #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                        // SAFETY: such panels are made where the instruction set has these features.
                        (Dot::Pairs, $rows) => unsafe { pairs::<$rows>(input, panel, fetch, sums) },
                        #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                        // SAFETY: as above.
                        (Dot::Quads, $rows) => unsafe { quads::<$rows>(input, panel, fetch, sums) },
                    )*
                    _ => unreachable!("a tile of {rows} rows"),
                }
            };
        }
        tile_of!(1 2 3 4 5 6);
    }
}

/// Rows of each group of so many: about the same, at most those of a tile.
fn group_sizes(count: usize) -> impl Iterator<Item = usize> {
    let mut places = vec![(); count];
    let sizes: Vec<usize> = groups::<ROWS, _>(&mut places).map(|group| group.len()).collect();
    sizes.into_iter()
}

// One group of inputs at a time: several would have the compiler add them up first, and keep the totals in memory.

#[target_feature(enable = "avx2")]
fn pairs<const N: usize>(input: &[i32], panel: &[i8], fetch: &[i8], sums: &mut [[i32; COLUMNS]; ROWS]) {
    let mut totals = [[_mm256_setzero_si256(); 2]; N];
    let mut fetch = fetch.chunks(LINE);
    for (input, weights) in input.as_chunks::<N>().0.iter().zip(panel.as_chunks::<{ COLUMNS * 2 }>().0) {
        prefetch(fetch.next());
        let [left, right] =
            [&weights[..COLUMNS], &weights[COLUMNS..]].map(|codes| _mm256_cvtepi8_epi16(load_16(codes)));
        for (totals, input) in totals.iter_mut().zip(input) {
            let input = _mm256_set1_epi32(*input);
            totals[0] = _mm256_add_epi32(totals[0], _mm256_madd_epi16(input, left));
            totals[1] = _mm256_add_epi32(totals[1], _mm256_madd_epi16(input, right));
        }
    }
    store(&totals, sums);
}

#[target_feature(enable = "avx2,avxvnni")]
fn quads<const N: usize>(input: &[i32], panel: &[i8], fetch: &[i8], sums: &mut [[i32; COLUMNS]; ROWS]) {
    let mut totals = [[_mm256_setzero_si256(); 2]; N];
    let mut fetch = fetch.chunks(LINE);
    for (input, weights) in input.as_chunks::<N>().0.iter().zip(panel.as_chunks::<{ COLUMNS * 4 }>().0) {
        prefetch(fetch.next());
        let [left, right] = [&weights[..COLUMNS * 2], &weights[COLUMNS * 2..]].map(|codes| load_32(codes));
        for (totals, input) in totals.iter_mut().zip(input) {
            let input = _mm256_set1_epi32(*input);
            totals[0] = _mm256_dpbusd_avx_epi32(totals[0], input, left);
            totals[1] = _mm256_dpbusd_avx_epi32(totals[1], input, right);
        }
    }
    store(&totals, sums);
}

/// Fetches a line of memory that the next panel is in.
#[inline]
#[target_feature(enable = "avx2")]
fn prefetch(line: Option<&[i8]>) {
    if let Some(line) = line {
        _mm_prefetch::<_MM_HINT_T1>(line.as_ptr());
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_16(codes: &[i8]) -> __m128i {
    assert!(codes.len() >= 16, "16 bytes");
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: reads 16 bytes.
    unsafe {
        _mm_loadu_si128(codes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_32(codes: &[i8]) -> __m256i {
    assert!(codes.len() >= 32, "32 bytes");
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: reads 32 bytes.
    unsafe {
        _mm256_loadu_si256(codes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store<const N: usize>(totals: &[[__m256i; 2]; N], sums: &mut [[i32; COLUMNS]; ROWS]) {
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
