//! Quantisation of weights.

/// Inputs of a group. Rows are padded to a multiple of it where the kernel needs that.
pub(super) const GROUP: usize = 8;
/// Largest sum of the codes of one sign in half of a group.
pub(super) const LARGEST_SUM: f32 = 128.0;
/// What rounding adds to such a sum at most: half a code for each of four inputs.
const ROUNDING: f32 = 2.0;

/// A quantised weight, row-major `[inputs, outputs]`, and the scale of each output.
///
/// Inputs 0, 1, 4 and 5 of each group of [`GROUP`] are one half of it, inputs 2, 3, 6 and 7 the other. The scale of an output
/// is the smallest with which, in every half, neither the positive nor the negative codes add up to more than [`LARGEST_SUM`]. Then four
/// products with unsigned bytes, 255 · 128 = 32,640 at most, fit into 16 bits. AVX2 has no exact and fast product of bytes
/// without that bound. Other instruction sets do not need it; they use the same codes, so that scores are the same.
pub(super) fn quantise(weight: &[f32], outputs: usize) -> (Vec<i8>, Vec<f32>) {
    let mut scales = vec![0f32; outputs];
    for group in weight.chunks(GROUP * outputs) {
        for half in [[0, 1, 4, 5], [2, 3, 6, 7]] {
            let mut sums = vec![[0f32; 2]; outputs];
            for input in half {
                let row = group.get(input * outputs..).unwrap_or_default();
                for ([positive, negative], &value) in sums.iter_mut().zip(row) {
                    *positive += if value > 0.0 { value } else { 0.0 };
                    *negative -= if value < 0.0 { value } else { 0.0 };
                }
            }
            for (scale, [positive, negative]) in scales.iter_mut().zip(sums) {
                let larger = if positive > negative { positive } else { negative };
                *scale = if larger > *scale { larger } else { *scale };
            }
        }
    }
    scales.iter_mut().for_each(|scale| *scale /= LARGEST_SUM - ROUNDING);
    let code = |(value, scale): (&f32, &f32)| if *scale > 0.0 { round(value / scale) as i8 } else { 0 };
    let codes = weight.chunks_exact(outputs).flat_map(|row| row.iter().zip(&scales).map(code)).collect();
    (codes, scales)
}

/// As [`f32::round`], which is a call for each value in WebAssembly; so are [`f32::max`] and [`f32::min`].
fn round(value: f32) -> f32 {
    let whole = value.trunc();
    if (value - whole).abs() >= 0.5 { whole + 1f32.copysign(value) } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    /// The largest sum of codes of one sign in a half of a group, for one output.
    fn largest_sum(codes: &[i8], outputs: usize, output: usize) -> i32 {
        let column: Vec<i32> = codes.iter().skip(output).step_by(outputs).map(|&code| i32::from(code)).collect();
        let sum = |half: &dyn Fn(usize) -> bool, sign: i32| {
            column
                .chunks(GROUP)
                .map(|group| {
                    group
                        .iter()
                        .enumerate()
                        .filter(|(place, code)| half(*place) && **code * sign > 0)
                        .map(|(_, code)| code * sign)
                        .sum()
                })
                .max()
                .unwrap_or(0)
        };
        let (first, second) = (|place: usize| place & 2 == 0, |place: usize| place & 2 != 0);
        [sum(&first, 1), sum(&first, -1), sum(&second, 1), sum(&second, -1)].into_iter().max().unwrap_or(0)
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn rounding_is_that_of_the_standard_library() {
        for value in
            numbers(9, 10_000).into_iter().map(|value| value * 127.0).chain([0.5, 1.5, 2.5, 0.499_999_97, 126.5])
        {
            assert_eq!((round(value), round(-value)), (value.round(), (-value).round()));
        }
    }

    #[test]
    fn sums_of_codes_are_bounded_and_nearly_reach_the_bound() {
        let outputs = 19;
        for inputs in [1, 3, 8, 61, 768] {
            let mut weight = numbers(inputs as u64, inputs * outputs);
            weight.iter_mut().for_each(|value| *value -= 0.1);
            // Equal values, whose codes are all rounded in the same direction; and an output without any.
            weight.iter_mut().step_by(outputs).for_each(|value| *value = 0.37);
            weight.iter_mut().skip(1).step_by(outputs).for_each(|value| *value = 0.0);
            let (codes, scales) = quantise(&weight, outputs);
            for (output, &scale) in scales.iter().enumerate() {
                let largest = largest_sum(&codes, outputs, output);
                if output == 1 {
                    assert_eq!((largest, scale), (0, 0.0));
                    continue;
                }
                assert!((124..=128).contains(&largest), "{inputs} inputs, output {output}: {largest}");
            }
            for (place, (value, code)) in weight.iter().zip(&codes).enumerate() {
                let scale = scales[place % outputs];
                let difference = (value - f32::from(*code) * scale).abs();
                assert!(difference <= scale * 0.501, "{inputs} inputs, place {place}: off by {difference}");
            }
        }
    }
}
