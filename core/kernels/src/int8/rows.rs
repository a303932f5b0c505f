//! Dynamic quantisation of the input.

use rten_vecmath::MinMax;

use super::sums::LEVELS;
use crate::simd;

/// Quantised rows of an input. There may be more rows than scales, as padding.
#[derive(Default)]
pub(super) struct Rows {
    /// `[rows, length]`
    pub(super) codes: Vec<u8>,
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Vec<f32>,
}

impl Rows {
    /// Quantises rows of `inputs` values into rows of `length` codes.
    pub(super) fn round(&mut self, input: &[f32], inputs: usize, length: usize) {
        let Self { codes, scales, zero_points } = self;
        scales.clear();
        zero_points.clear();
        codes.resize(input.len() / inputs * length, 0);
        for (row, codes) in input.chunks_exact(inputs).zip(codes.chunks_exact_mut(length)) {
            let (scale, zero) = scale_and_zero(row);
            let (inverse, largest) = (scale.recip(), LEVELS - zero);
            let (codes, rest) = codes.split_at_mut(inputs);
            rest.fill(0);
            simd::loops(
                #[inline(always)]
                || {
                    for (code, value) in codes.iter_mut().zip(row) {
                        *code = level((value * inverse).min(largest) + zero);
                    }
                },
            );
            scales.push(scale);
            zero_points.push(zero);
        }
    }
}

/// Scale and zero point of a row. The value 0 is represented exactly.
pub(super) fn scale_and_zero(row: &[f32]) -> (f32, f32) {
    let (min, max) = simd::run(MinMax::new(row));
    let (min, max) = (min.min(0.0), max.max(0.0));
    let scale = ((max - min) / LEVELS).max(f32::MIN_POSITIVE);
    (scale, (-min / scale).round())
}

/// Rounds a value in [−0.5, 255.5) to an integer, ties to even. Adding 1.5 · 2²³ moves the integer to the lowest bits of the
/// mantissa; the compiler can vectorise that on every processor.
fn level(value: f32) -> u8 {
    const LARGE: f32 = 12_582_912.0; // 1.5 · 2²³
    (value + LARGE).to_bits() as u8
}
