//! Dynamic quantisation of the input.

use rten_vecmath::MinMax;

use super::sums::LEVELS;
use crate::simd;

/// Quantised rows of an input. There may be more rows than scales, as padding.
#[derive(Default)]
pub(super) struct QuantisedRows {
    /// `[rows, length]`
    pub(super) codes: Vec<u8>,
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Vec<f32>,
}

impl QuantisedRows {
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
                        let value = value * inverse;
                        // One vector instruction; `f32::min` is several, or a call in WebAssembly.
                        let value = if value < largest { value } else { largest };
                        *code = level(value + zero);
                    }
                },
            );
            scales.push(scale);
            zero_points.push(zero);
        }
    }
}

/// Scale and zero point of a row. The value 0 is represented exactly.
///
/// The scale of a row with an infinite value or NaN is NaN, so that no product of the row is finite.
pub(super) fn scale_and_zero(row: &[f32]) -> (f32, f32) {
    if has_non_finite(row) {
        return (f32::NAN, 0.0);
    }
    let (min, max) = simd::run(MinMax::new(row));
    let (min, max) = (min.min(0.0), max.max(0.0));
    let scale = ((max - min) / LEVELS).max(f32::MIN_POSITIVE);
    (scale, (-min / scale).round())
}

/// Whether a value is infinite or NaN: its exponent has all bits set. The compiler can vectorise the largest of all exponents.
fn has_non_finite(row: &[f32]) -> bool {
    const EXPONENT: u32 = f32::INFINITY.to_bits();
    let largest = simd::loops(
        #[inline(always)]
        || row.iter().fold(0, |largest, value| largest.max(value.to_bits() & EXPONENT)),
    );
    largest == EXPONENT
}

/// Rounds a value in [−0.5, 255.5) to an integer, ties to even. Adding 1.5 · 2²³ moves the integer to the lowest bits of the
/// mantissa; the compiler can vectorise that on every processor.
fn level(value: f32) -> u8 {
    const LARGE: f32 = 12_582_912.0; // 1.5 · 2²³
    (value + LARGE).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_row_with_a_value_that_is_not_finite_has_no_finite_scale() {
        for wrong in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [0, 5, 36] {
                let mut row = vec![f32::MAX; 37];
                assert!(scale_and_zero(&row).0.is_finite());
                row[place] = wrong;
                assert!(scale_and_zero(&row).0.is_nan(), "{wrong} at {place}");
            }
        }
    }
}
