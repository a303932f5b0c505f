//! Integer sums without quantisation.

use std::ops::Range;

use super::Codes;
use crate::isa::Isa;
use crate::part::{Store, share};

/// Integer sums alone, for the comparison with other libraries.
pub struct CodeSums {
    codes: Codes,
    bias: Vec<i32>,
}

impl CodeSums {
    /// Packs a quantised weight, row-major `[inputs, outputs]`, and a bias, `[outputs]`. In each half of a group of inputs, the
    /// codes of one sign add up to at most 128 ([`super::weight::quantise`]).
    pub fn new(codes: &[i8], bias: Vec<i32>) -> Self {
        Self { codes: Codes::new(codes, bias.len(), Isa::current()), bias }
    }

    /// `out = rows · codes + bias`, or adds that to `out`, on all threads of rayon's current pool.
    pub fn product(&self, rows: &[u8], out: &mut [i32], store: Store) {
        let outputs = self.bias.len();
        let inputs = rows.len() / (out.len() / outputs);
        let (step, threads) = (self.codes.columns_step(), rayon::current_num_threads());
        share(rows, out, [inputs, outputs], step, threads, |rows, out, columns| {
            self.multiply(rows, inputs, out, columns, store);
        });
    }

    fn multiply(&self, rows: &[u8], inputs: usize, out: &mut [&mut [i32]], columns: Range<usize>, store: Store) {
        let (block, length) = (self.codes.rows_at_once(), self.codes.row_length(inputs));
        let mut padded = Vec::new();
        for (rows, out) in rows.chunks(block * inputs).zip(out.chunks_mut(block)) {
            padded.clear();
            padded.resize(self.codes.padded(out.len()) * length, 0);
            let padding = padded.chunks_exact_mut(length).zip(rows.chunks_exact(inputs));
            padding.for_each(|(padded, row)| padded[..inputs].copy_from_slice(row));
            self.codes.multiply(&padded, columns.clone(), &mut |sums| {
                let written = sums.first_column..columns.end.min(sums.first_column + sums.width);
                let bias = &self.bias[written.clone()];
                let written = written.start - columns.start..written.end - columns.start;
                for (out, sums) in out[sums.first_row..].iter_mut().zip(sums.values.chunks_exact(sums.width)) {
                    let out = out[written.clone()].iter_mut().zip(sums).zip(bias);
                    match store {
                        Store::Add => out.for_each(|((out, sum), bias)| *out += sum + bias),
                        Store::Overwrite => out.for_each(|((out, sum), bias)| *out = sum + bias),
                    }
                }
            });
        }
    }
}
