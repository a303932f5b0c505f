//! Layer norm, activations and softmax.

use rayon::prelude::*;
use rten_vecmath::{Gelu, Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub, Swish};

use crate::simd;

/// Rows of a parallel task.
const ROWS: usize = 8;

/// Layer norm: `(x − mean) / √(variance + epsilon) · gamma + beta` of each row.
pub struct LayerNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// A layer norm of rows as wide as `gamma` and `beta`.
    ///
    /// # Panics
    /// If `gamma` and `beta` differ in length.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, epsilon: f32) -> Self {
        assert_eq!(gamma.len(), beta.len(), "width of a layer norm");
        Self { gamma, beta, epsilon }
    }

    /// Normalises `input`, `[rows, width]`, into `out`, of the same shape.
    pub fn forward(&self, input: &[f32], out: &mut [f32]) {
        let width = self.gamma.len();
        out.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * width)).for_each(|(out, input)| {
            out.copy_from_slice(input);
            for row in out.chunks_exact_mut(width) {
                let mean = simd::run(Sum::new(row)) / width as f32;
                let variance = simd::run(SumSquareSub::new(row, mean)) / width as f32;
                let options = NormalizeOptions {
                    pre_scale_bias: mean,
                    scale: (variance + self.epsilon).sqrt().recip(),
                    element_scale: Some(&self.gamma),
                    element_bias: Some(&self.beta),
                    ..Default::default()
                };
                simd::run(Normalize::new_mut(row, options));
            }
        });
    }
}

/// QuickGELU in place: `x · σ(slope · x)`. CLIP's slope is 1.702.
pub fn quick_gelu(values: &mut [f32], slope: f32) {
    values.par_chunks_mut(PART).for_each(|values| simd::map(&Swish { alpha: slope }, values));
}

/// GELU in place: `x · Φ(x)`, without the tanh approximation.
pub fn gelu(values: &mut [f32]) {
    values.par_chunks_mut(PART).for_each(|values| simd::map(&Gelu {}, values));
}

/// Values of a parallel task.
const PART: usize = 24_576;

/// Softmax of a row, in place.
pub(crate) fn softmax(row: &mut [f32]) {
    simd::run(Softmax::new_mut(row));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{numbers, on_each_isa};

    #[test]
    fn a_layer_norm_is_that_of_float64() {
        on_each_isa(|isa| {
            for (rows, width) in [(1, 1), (3, 7), (19, 768)] {
                let input: Vec<f32> = numbers(1, rows * width).into_iter().map(|value| value * 3.0 + 1.0).collect();
                let (gamma, beta) = (numbers(2, width), numbers(3, width));
                let mut out = vec![f32::NAN; rows * width];
                LayerNorm::new(gamma.clone(), beta.clone(), 1e-5).forward(&input, &mut out);
                for (row, out) in input.chunks_exact(width).zip(out.chunks_exact(width)) {
                    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
                    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width as f64;
                    for (place, (x, found)) in row.iter().zip(out).enumerate() {
                        let normal = (f64::from(*x) - mean) / (variance + 1e-5).sqrt();
                        let expected = normal * f64::from(gamma[place]) + f64::from(beta[place]);
                        assert!((f64::from(*found) - expected).abs() < 1e-5, "{isa}, {place} of {width}");
                    }
                }
            }
        });
    }

    #[test]
    fn activations_are_those_of_float64() {
        on_each_isa(|isa| {
            let input: Vec<f32> = numbers(1, PART + 77).into_iter().map(|value| value * 12.0).collect();
            let mut quick = input.clone();
            quick_gelu(&mut quick, 1.702);
            for (x, found) in input.iter().zip(quick) {
                let x = f64::from(*x);
                let expected = x / (1.0 + (-f64::from(1.702f32) * x).exp());
                assert!((f64::from(found) - expected).abs() < 2e-6 * (1.0 + x.abs()), "{isa}: {x}");
            }
            // Φ(1) = 0.841344746…, Φ(−2) = 0.022750131…
            let mut exact = vec![1.0, -2.0, 0.0];
            gelu(&mut exact);
            for (found, expected) in exact.iter().zip([0.841_344_7, -0.045_500_26, 0.0]) {
                assert!((found - expected).abs() < 1e-6, "{isa}: {found}, not {expected}");
            }
        });
    }
}
