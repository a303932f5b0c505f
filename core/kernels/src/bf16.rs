//! Matrix products in bfloat16 by Intel AMX. Sums are float32.
//!
//! AVX512-BF16 is not used: on an Intel Xeon (Sapphire Rapids) a core reached 63 GFLOP/s with it, and 113 in float32.

use crate::amx::{BLOCK, Tiles};
use crate::float::round_to_bf16;
use crate::part::{Part, Store};
use crate::simd;

/// A layer's weight, rounded to bfloat16.
pub(crate) struct BFloat16 {
    tiles: Tiles,
    inputs: usize,
}

impl BFloat16 {
    /// Threads split the columns at multiples of this.
    pub(crate) const COLUMNS_STEP: usize = BLOCK;

    /// Rounds a weight, row-major `[inputs, outputs]`.
    ///
    /// # Panics
    /// If the processor has no AMX.
    pub(crate) fn new(weight: &[f32], outputs: usize) -> Self {
        let halves: Vec<u16> = weight.iter().map(|&value| bits(value)).collect();
        Self { tiles: Tiles::of_bfloat16(&halves, outputs), inputs: weight.len() / outputs }
    }

    pub(crate) fn multiply(&self, part: Part) {
        /// Rows that are rounded and multiplied together. They fit into the L2 cache.
        const ROWS: usize = 192;

        let Part { input, epilogue, out, columns } = part;
        let length = self.tiles.row_length();
        let mut rounded = Vec::new();
        for (input, out) in input.chunks(ROWS * self.inputs).zip(out.chunks_mut(ROWS)) {
            rounded.clear();
            rounded.resize(out.len().next_multiple_of(BLOCK) * length, 0);
            for (row, rounded) in input.chunks_exact(self.inputs).zip(rounded.chunks_exact_mut(length)) {
                round(row, rounded);
            }
            self.tiles.multiply_bfloat16(&rounded, columns.clone(), |(first_row, first_column), sums| {
                let first = first_column - columns.start;
                let width = BLOCK.min(columns.len() - first);
                let bias = &epilogue.bias[first..][..width];
                for (out, sums) in out[first_row..].iter_mut().zip(sums) {
                    let out = out[first..][..width].iter_mut().zip(sums).zip(bias);
                    match epilogue.store {
                        Store::Add => out.for_each(|((out, sum), bias)| *out += sum + bias),
                        Store::Overwrite => out.for_each(|((out, sum), bias)| *out = sum + bias),
                    }
                }
            });
        }
    }
}

/// Rounds values to bfloat16 and writes their bytes.
fn round(values: &[f32], bytes: &mut [u8]) {
    simd::loops(
        #[inline(always)]
        || {
            for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
                *bytes = bits(*value).to_le_bytes();
            }
        },
    );
}

/// The bits of a value rounded to bfloat16, ties to even.
#[inline(always)]
fn bits(value: f32) -> u16 {
    (round_to_bf16(value).to_bits() >> 16) as u16
}
