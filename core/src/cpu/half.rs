//! Linear layers whose weights stay as a file had them, in float16: half of the memory, exactly the same products.
//!
//! A band of columns at a time becomes float32 where it is multiplied, and stays in the processor's cache meanwhile.

use half::f16;

use super::product::{Matrix, MatrixMut, Old, Threads, product};

/// Columns of a band: with 768 inputs, 0.8 MB.
const COLUMNS: usize = 256;

/// A layer's weight.
pub(super) struct Half {
    /// Bands, one after the other, each row-major `[inputs, at most COLUMNS]`; the bits of float16.
    bits: Vec<u16>,
    inputs: usize,
    outputs: usize,
}

impl Half {
    /// From row-major `[inputs, outputs]`; `None` where a number is none of float16, or not finite.
    pub(super) fn new(weight: &[f32], outputs: usize) -> Option<Self> {
        let mut bits = Vec::with_capacity(weight.len());
        for first in (0..outputs).step_by(COLUMNS) {
            for row in weight.chunks_exact(outputs) {
                for &value in &row[first..outputs.min(first + COLUMNS)] {
                    let half = f16::from_f32(value).to_bits();
                    if to_f32(half) != value {
                        return None;
                    }
                    bits.push(half);
                }
            }
        }
        Some(Self { bits, inputs: weight.len() / outputs, outputs })
    }

    /// `out += input · weight`; `[rows, inputs]` to `[rows, outputs]`.
    pub(super) fn add_product(&self, input: &[f32], out: &mut [f32]) {
        let input = Matrix::rows(input, self.inputs);
        let mut band = vec![0.0; self.inputs * COLUMNS.min(self.outputs)];
        let firsts = (0..self.outputs).step_by(COLUMNS);
        for (first, bits) in firsts.zip(self.bits.chunks(self.inputs * COLUMNS)) {
            let weight = &mut band[..bits.len()];
            weight.iter_mut().zip(bits).for_each(|(value, &half)| *value = to_f32(half));
            let columns = bits.len() / self.inputs;
            let out = MatrixMut::rows(out, self.outputs).columns(first, columns);
            product(out, Old::Kept, 1.0, input, Matrix::rows(weight, columns), Threads::All);
        }
    }
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
    fn a_product_is_that_of_the_weight_in_float32() {
        let (rows, inputs, outputs) = (5, 7, 2 * COLUMNS + 3);
        let input = uniform("input", 1, rows * inputs);
        let weight: Vec<f32> =
            uniform("weight", 2, inputs * outputs).into_iter().map(|value| f16::from_f32(value).to_f32()).collect();
        let mut out = vec![1.0; rows * outputs];
        Half::new(&weight, outputs).expect("numbers of float16").add_product(&input, &mut out);
        for (at, found) in out.iter().enumerate() {
            let (row, column) = (at / outputs, at % outputs);
            let terms =
                (0..inputs).map(|i| f64::from(input[row * inputs + i]) * f64::from(weight[i * outputs + column]));
            let expected = 1.0 + terms.sum::<f64>();
            assert!((f64::from(*found) - expected).abs() < 1e-6, "row {row}, column {column}: {found}, not {expected}");
        }
    }

    #[test]
    fn what_is_no_float16_is_left_alone() {
        for value in [0.1, 1e-9, 1e6, f32::NAN, f32::INFINITY] {
            assert!(Half::new(&[1.0, value], 2).is_none(), "{value}");
        }
    }
}
