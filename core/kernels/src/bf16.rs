//! Products in bfloat16 by instructions of the processor: AVX512-BF16, or AMX. Sums are float32.

mod wide;

use std::ops::Range;

#[cfg(target_os = "linux")]
use crate::amx;
use crate::isa::Isa;
use crate::linear::{Part, Store};
use crate::simd;

/// A layer's weight, rounded to bfloat16.
pub(crate) struct BFloat16 {
    numbers: Numbers,
    inputs: usize,
}

/// `[inputs, outputs]` as its multiplier reads them.
enum Numbers {
    Wide(wide::Panels),
    #[cfg(target_os = "linux")]
    Amx(amx::Tiles),
}

/// Some sums of products, row-major.
struct Sums<'a> {
    values: &'a [f32],
    /// Columns of each row.
    width: usize,
    /// Where they stand in the product.
    first_row: usize,
    first_column: usize,
}

impl BFloat16 {
    /// Rounds a weight, row-major `[inputs, outputs]`, for the instruction set in use, which
    /// [has such products](Isa::has_bf16).
    pub(crate) fn new(weight: &[f32], outputs: usize) -> Self {
        let mut halves = vec![0; weight.len()];
        round(weight, &mut halves);
        let numbers = match Isa::current() {
            #[cfg(target_os = "linux")]
            Isa::Amx => Numbers::Amx(amx::Tiles::of_bfloat16(&halves, outputs)),
            _ => Numbers::Wide(wide::Panels::new(&halves, outputs)),
        };
        Self { numbers, inputs: weight.len() / outputs }
    }

    pub(crate) fn columns_step(&self) -> usize {
        match &self.numbers {
            Numbers::Wide(_) => wide::COLUMNS,
            #[cfg(target_os = "linux")]
            Numbers::Amx(_) => amx::BLOCK,
        }
    }

    pub(crate) fn multiply(&self, part: Part) {
        /// Rows to round and multiply at a time: what the processor's second cache keeps.
        const ROWS: usize = 192;

        let Part { input, epilogue, out, columns } = part;
        let length = self.row_length();
        let mut halves = Vec::new();
        for (input, out) in input.chunks(ROWS * self.inputs).zip(out.chunks_mut(ROWS)) {
            let rows = out.len();
            halves.clear();
            halves.resize(self.padded(rows) * length, 0);
            for (row, halves) in input.chunks_exact(self.inputs).zip(halves.chunks_exact_mut(length)) {
                round(row, halves);
            }
            self.sums(&halves, rows, columns.clone(), &mut |sums| {
                let first = sums.first_column - columns.start;
                let width = sums.width.min(columns.len() - first);
                let bias = &epilogue.bias[first..][..width];
                for (out, sums) in out[sums.first_row..].iter_mut().zip(sums.values.chunks_exact(sums.width)) {
                    let out = out[first..][..width].iter_mut().zip(sums).zip(bias);
                    match epilogue.store {
                        Store::Add => out.for_each(|((out, sum), bias)| *out += sum + bias),
                        Store::Overwrite => out.for_each(|((out, sum), bias)| *out = sum + bias),
                    }
                }
            });
        }
    }

    /// Numbers of a row, those that fill it up included.
    fn row_length(&self) -> usize {
        match &self.numbers {
            Numbers::Wide(panels) => panels.row_length(),
            #[cfg(target_os = "linux")]
            Numbers::Amx(tiles) => tiles.row_length() / size_of::<u16>(),
        }
    }

    /// Rows, those that fill a block included.
    fn padded(&self, rows: usize) -> usize {
        match &self.numbers {
            Numbers::Wide(_) => rows,
            #[cfg(target_os = "linux")]
            Numbers::Amx(_) => rows.next_multiple_of(amx::BLOCK),
        }
    }

    /// Sums of the products of rows with some columns; `each` gets them block by block.
    fn sums(&self, halves: &[u16], rows: usize, columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        match &self.numbers {
            Numbers::Wide(panels) => panels.multiply(halves, rows, columns, each),
            #[cfg(target_os = "linux")]
            Numbers::Amx(tiles) => {
                let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                tiles.multiply_bfloat16(&bytes, columns, |(first_row, first_column), sums| {
                    each(Sums { values: sums.as_flattened(), width: amx::BLOCK, first_row, first_column });
                });
            }
        }
    }
}

/// The nearest number of bfloat16, the even one of two; as many as there is room for.
fn round(values: &[f32], halves: &mut [u16]) {
    simd::loops(
        #[inline(always)]
        || {
            for (half, value) in halves.iter_mut().zip(values) {
                *half = (crate::float::round_to_bf16(*value).to_bits() >> 16) as u16;
            }
        },
    );
}
