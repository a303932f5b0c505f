//! Weights of linear layers in bands of columns, each of which a product reads from one end to the other and finds in
//! the processor's cache again: a tenth less time for few rows than of a matrix that lies row after row.
//!
//! Weights that were stored in float16 may stay so, in half of the memory: a band becomes float32 where it is multiplied,
//! and the products are the same.

use half::f16;
use rayon::current_num_threads;
use rayon::prelude::*;

use super::product::{Matrix, MatrixMut, Old, Threads, product};

/// Columns of a band: with 768 inputs, 0.8 MB.
const COLUMNS: usize = 256;
/// Columns that a thread takes, where threads share the products of few rows: an even part of a band.
const PART: usize = COLUMNS / 2;
/// Rows up to which threads share columns: the matrix product shares well among them from there on.
const FEW_ROWS: usize = 128;

/// A layer's weight.
pub(super) struct Bands {
    numbers: Numbers,
    inputs: usize,
    outputs: usize,
}

/// Bands, one after the other, each row-major `[inputs, at most COLUMNS]`.
enum Numbers {
    Float32(Vec<f32>),
    /// The bits of float16.
    Float16(Vec<u16>),
}

impl Bands {
    /// From row-major `[inputs, outputs]`; where all numbers are float16's and `keep_float16` says so, they stay that.
    pub(super) fn new(weight: &[f32], outputs: usize, keep_float16: bool) -> Self {
        let rows =
            |first: usize| weight.chunks_exact(outputs).map(move |row| &row[first..outputs.min(first + COLUMNS)]);
        let values = (0..outputs).step_by(COLUMNS).flat_map(rows).flatten();
        let mut halves = Vec::with_capacity(if keep_float16 { weight.len() } else { 0 });
        let mut keep = |value: &f32| to_f16(*value).map(|half| halves.push(half)).is_some();
        let numbers = if keep_float16 && values.clone().all(&mut keep) {
            Numbers::Float16(halves)
        } else {
            // The iterator does not know how many there are.
            let mut all = Vec::with_capacity(weight.len());
            all.extend(values);
            Numbers::Float32(all)
        };
        Self { numbers, inputs: weight.len() / outputs, outputs }
    }

    /// `out += input · weight`; `[rows, inputs]` to `[rows, outputs]`.
    pub(super) fn add_product(&self, input: &[f32], out: &mut [f32], threads: Threads) {
        let size = self.inputs * COLUMNS.min(self.outputs);
        match &self.numbers {
            Numbers::Float32(values) if self.is_shared(input, threads) => {
                self.share_product(input, values, out);
            }
            Numbers::Float32(values) => {
                for (place, band) in values.chunks(size).enumerate() {
                    self.add_band(input, band, place, out, threads);
                }
            }
            Numbers::Float16(halves) => {
                let mut values = vec![0.0; size];
                for (place, halves) in halves.chunks(size).enumerate() {
                    let band = &mut values[..halves.len()];
                    band.iter_mut().zip(halves).for_each(|(value, &half)| *value = to_f32(half));
                    self.add_band(input, band, place, out, threads);
                }
            }
        }
    }

    fn is_shared(&self, input: &[f32], threads: Threads) -> bool {
        let is_few = (1..=FEW_ROWS).contains(&(input.len() / self.inputs));
        is_few && matches!(threads, Threads::All) && current_num_threads() > 1
    }

    /// As [`Self::add_product`], each thread with columns of its own.
    fn share_product(&self, input: &[f32], values: &[f32], out: &mut [f32]) {
        let (input, rows) = (Matrix::rows(input, self.inputs), input.len() / self.inputs);
        let starts: Vec<usize> = (0..self.outputs).step_by(PART).collect();
        let part = |&start: &usize| {
            let first = start - start % COLUMNS;
            let columns = COLUMNS.min(self.outputs - first);
            let band = &values[self.inputs * first..][..self.inputs * columns];
            let count = PART.min(self.outputs - start);
            let mut part = vec![0.0; rows * count];
            let weight = Matrix::rows(band, columns).columns(start - first, count);
            product(MatrixMut::rows(&mut part, count), Old::Dropped, 1.0, input, weight, Threads::One);
            part
        };
        let parts: Vec<Vec<f32>> = starts.par_iter().map(part).collect();
        for (start, part) in starts.into_iter().zip(parts) {
            let columns = part.len() / rows;
            for (out, part) in out.chunks_exact_mut(self.outputs).zip(part.chunks_exact(columns)) {
                out[start..].iter_mut().zip(part).for_each(|(value, part)| *value += part);
            }
        }
    }

    fn add_band(&self, input: &[f32], band: &[f32], place: usize, out: &mut [f32], threads: Threads) {
        let columns = band.len() / self.inputs;
        let out = MatrixMut::rows(out, self.outputs).columns(place * COLUMNS, columns);
        product(out, Old::Kept, 1.0, Matrix::rows(input, self.inputs), Matrix::rows(band, columns), threads);
    }
}

/// The bits of the same number in float16; `None` if it has none, or is not finite.
fn to_f16(value: f32) -> Option<u16> {
    let half = f16::from_f32(value).to_bits();
    (to_f32(half) == value).then_some(half)
}

/// A finite float16 as float32. Without branches, so that several are converted at a time: the exponent comes out too small
/// by 112 from moving the bits, for subnormal numbers, too.
fn to_f32(half: u16) -> f32 {
    const SCALE: f32 = f32::from_bits((127 + 112) << 23); // 2¹¹²
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * SCALE;
    f32::from_bits(magnitude.to_bits() | u32::from(half & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::uniform;

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
    fn a_product_is_that_of_the_weight_in_one_piece() {
        let (rows, inputs, outputs) = (5, 7, 2 * COLUMNS + 3);
        let input = uniform("input", 1, rows * inputs);
        let exact = uniform("weight", 2, inputs * outputs);
        let rounded: Vec<f32> = exact.iter().map(|&value| f16::from_f32(value).to_f32()).collect();
        for (weight, keep_float16) in [(&exact, false), (&exact, true), (&rounded, true)] {
            let bands = Bands::new(weight, outputs, keep_float16);
            assert_eq!(matches!(bands.numbers, Numbers::Float16(_)), std::ptr::eq(weight, &rounded));
            let mut out = vec![1.0; rows * outputs];
            bands.add_product(&input, &mut out, Threads::All);
            if let Numbers::Float32(values) = &bands.numbers {
                let mut shared = vec![1.0; rows * outputs];
                bands.share_product(&input, values, &mut shared);
                assert!(shared.iter().zip(&out).all(|(shared, out)| (shared - out).abs() < 1e-6));
            }
            for (at, found) in out.iter().enumerate() {
                let (row, column) = (&input[at / outputs * inputs..], at % outputs);
                let terms = (0..inputs).map(|i| f64::from(row[i]) * f64::from(weight[i * outputs + column]));
                let expected = 1.0 + terms.sum::<f64>();
                assert!((f64::from(*found) - expected).abs() < 1e-6, "{at}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn numbers_that_float16_has_not_are_told() {
        for value in [0.1, 1e-9, 1e6, f32::NAN, f32::INFINITY] {
            assert_eq!(to_f16(value), None, "{value}");
        }
    }
}
