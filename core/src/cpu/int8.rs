//! Linear layers in 8-bit integers: a column of the weights has one scale, each row of the input a scale and a zero of
//! its own, found as it comes.
//!
//! Of weights that were stored as `q8`, these are the stored numbers: their largest in each column is ±127 already.

use rayon::current_num_threads;
use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmUninitOptions, PackedBMatrix};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;
use rten_vecmath::{ExtendInit, MinMax};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use super::amx;
use super::widest::widest;
use super::{Old, Threads};
use crate::quantise::LARGEST;

/// Steps between the levels of a row.
const LEVELS: f32 = 255.0;

type Executor = GemmExecutor<u8, i8, i32>;

/// A layer's weight.
pub(super) struct Int8 {
    codes: Codes,
    /// Of each output.
    scales: Vec<f32>,
    /// Of each output, the sum of its codes: what a zero of the input other than 0 adds too much.
    code_sums: Vec<f32>,
    inputs: usize,
}

/// `[inputs, outputs]` as its multiplier reads them. Sums are whole numbers, and the same from both.
enum Codes {
    Packed(PackedBMatrix<i8>),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Tiles(amx::Tiles),
}

/// Rows of an input, rounded. Those past the last scale are there to fill a block.
#[derive(Default)]
struct Rows {
    /// `[rows, length]`
    codes: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<f32>,
}

/// What a thread multiplies with, and writes anew for each part.
#[derive(Default)]
struct Scratch {
    executor: Option<Executor>,
    rows: Rows,
    sums: Vec<i32>,
}

/// Where products go.
struct Out<'a> {
    /// `[rows, outputs]`
    values: &'a mut [f32],
    /// `[outputs]`, added to each row.
    bias: &'a [f32],
    old: Old,
}

/// Whether this processor adds products of bytes exactly; older ones clip the sums.
pub(crate) fn is_exact() -> bool {
    !Executor::new().may_saturate()
}

impl Int8 {
    /// Rounds a weight, row-major `[inputs, outputs]`.
    pub(super) fn new(weight: &[f32], outputs: usize) -> Self {
        let inputs = weight.len() / outputs;
        let mut scales = vec![0f32; outputs];
        for row in weight.chunks_exact(outputs) {
            scales.iter_mut().zip(row).for_each(|(scale, value)| *scale = scale.max(value.abs()));
        }
        scales.iter_mut().for_each(|scale| *scale /= LARGEST);
        let code = |(value, scale): (&f32, &f32)| if *scale > 0.0 { (value / scale).round() as i8 } else { 0 };
        let codes: Vec<i8> = weight.chunks_exact(outputs).flat_map(|row| row.iter().zip(&scales).map(code)).collect();
        let mut code_sums = vec![0.0; outputs];
        for row in codes.chunks_exact(outputs) {
            code_sums.iter_mut().zip(row).for_each(|(sum, code)| *sum += f32::from(*code));
        }
        Self { codes: Codes::new(&codes, outputs), scales, code_sums, inputs }
    }

    /// `out = input · weight + bias`, added to what stood there if it is kept; `[rows, inputs]` to `[rows, outputs]`.
    pub(super) fn product(&self, input: &[f32], bias: &[f32], out: &mut [f32], old: Old, threads: Threads) {
        let sharing = if matches!(threads, Threads::All) { current_num_threads() } else { 1 };
        let rows = (input.len() / self.inputs).div_ceil(sharing).clamp(1, self.codes.rows());
        let parts = out.par_chunks_mut(rows * self.scales.len()).zip(input.par_chunks(rows * self.inputs));
        parts.for_each_init(Scratch::default, |scratch, (values, input)| {
            self.multiply(input, scratch, &mut Out { values, bias, old });
        });
    }

    fn multiply(&self, input: &[f32], scratch: &mut Scratch, out: &mut Out) {
        let Scratch { executor, rows, sums } = scratch;
        let outputs = self.scales.len();
        match &self.codes {
            Codes::Packed(codes) => {
                let executor = executor.get_or_insert_default();
                rows.round(input, self.inputs, self.inputs);
                let inputs = NdTensorView::from_data([rows.scales.len(), self.inputs], rows.codes.as_slice());
                let (inputs, codes) = (GemmInputA::Unpacked(inputs), GemmInputB::Packed(codes));
                let count = rows.scales.len() * outputs;
                sums.clear();
                sums.reserve(count);
                // The zeros are seen to below: the library takes them wrongly (0.27, AVX-512, rows with different zeros).
                sums.extend_init(|sums| {
                    let sums = executor.gemm_uninit(&mut sums[..count], inputs, codes, GemmUninitOptions::default());
                    sums.expect("the sizes are the layer's")
                });
                self.write(sums.chunks_exact(outputs), rows, (0, 0), out);
            }
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Codes::Tiles(tiles) => {
                rows.round(input, self.inputs, tiles.row_length());
                rows.codes.resize(rows.scales.len().next_multiple_of(amx::BLOCK) * tiles.row_length(), 0);
                tiles.product(&rows.codes, |first, sums| {
                    self.write(sums.iter().map(<[i32; amx::BLOCK]>::as_slice), rows, first, out);
                });
            }
        }
    }

    /// Writes what sums of codes stand for: those of the rows and columns from `first` on, as far as there are any.
    fn write<'a>(
        &self,
        sums: impl Iterator<Item = &'a [i32]>,
        rows: &Rows,
        (first_row, first_column): (usize, usize),
        out: &mut Out,
    ) {
        let Out { values, bias, old } = out;
        let scales = rows.scales[first_row..].iter().zip(&rows.zeros[first_row..]);
        let values = values[first_row * self.scales.len()..].chunks_exact_mut(self.scales.len());
        let (column_scales, code_sums) = (&self.scales[first_column..], &self.code_sums[first_column..]);
        let bias = &bias[first_column..];
        widest(|| {
            for ((values, sums), (scale, zero)) in values.zip(sums).zip(scales) {
                let columns = sums.iter().zip(code_sums).zip(column_scales).zip(bias);
                let products = columns.map(|(((sum, code_sum), column_scale), bias)| {
                    (*sum as f32 - zero * code_sum) * (scale * column_scale) + bias
                });
                let values = values[first_column..].iter_mut().zip(products);
                match old {
                    Old::Kept => values.for_each(|(value, product)| *value += product),
                    Old::Dropped => values.for_each(|(value, product)| *value = product),
                }
            }
        });
    }
}

impl Codes {
    fn new(codes: &[i8], outputs: usize) -> Self {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        if amx::is_there() {
            return Self::Tiles(amx::Tiles::new(codes, outputs));
        }
        Self::packed(codes, outputs)
    }

    /// Rows to multiply at a time. Sums of all outputs are kept for packed ones, and have to stay in the processor's cache;
    /// tiles are so fast that reading the weights again takes longer.
    fn rows(&self) -> usize {
        match self {
            Self::Packed(_) => 64,
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::Tiles(_) => 256,
        }
    }

    fn packed(codes: &[i8], outputs: usize) -> Self {
        Self::Packed(Executor::new().prepack_b(NdTensorView::from_data([codes.len() / outputs, outputs], codes)))
    }
}

impl Rows {
    /// Rounds rows of `inputs` numbers into such of `length` codes, each with a scale and a zero of its own.
    fn round(&mut self, input: &[f32], inputs: usize, length: usize) {
        let Self { codes, scales, zeros } = self;
        scales.clear();
        zeros.clear();
        codes.resize(input.len() / inputs * length, 0);
        for (row, codes) in input.chunks_exact(inputs).zip(codes.chunks_exact_mut(length)) {
            let (scale, zero) = scale_and_zero(row);
            let (inverse, largest) = (scale.recip(), LEVELS - zero);
            widest(|| {
                for (code, value) in codes.iter_mut().zip(row) {
                    *code = level((value * inverse).min(largest) + zero);
                }
            });
            scales.push(scale);
            zeros.push(zero);
        }
    }
}

/// The step between the levels of a row, and the level of 0, which is among them.
fn scale_and_zero(row: &[f32]) -> (f32, f32) {
    let (min, max) = MinMax::new(row).dispatch();
    let (min, max) = (min.min(0.0), max.max(0.0));
    let scale = ((max - min) / LEVELS).max(f32::MIN_POSITIVE);
    (scale, (-min / scale).round())
}

/// The nearest whole number of one in [−0.5, 255.5), the even one of two: it ends up in the lowest bits of a number so
/// large that it has no others. Processors of any age do that for several at a time.
fn level(value: f32) -> u8 {
    const LARGE: f32 = 12_582_912.0; // 1.5 · 2²³
    (value + LARGE).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::uniform;

    /// Against sums in float64 of the rounded numbers.
    #[test]
    fn a_product_is_that_of_the_rounded_numbers() {
        let (rows, inputs, outputs) = (263, 300, 37);
        // Rows of different scales and zeros, one of them without either.
        let mut input = uniform("input", 1, rows * inputs);
        for (row, values) in input.chunks_exact_mut(inputs).enumerate() {
            values.iter_mut().for_each(|value| *value = *value * row as f32 + (row % 5) as f32 * 0.3 * row as f32);
        }
        let weight = uniform("weight", 2, inputs * outputs);
        let bias = uniform("bias", 3, outputs);
        let column = |c: usize| weight.iter().skip(c).step_by(outputs);
        let steps: Vec<f32> =
            (0..outputs).map(|c| column(c).fold(0f32, |largest, value| largest.max(value.abs())) / LARGEST).collect();

        let mut layer = Int8::new(&weight, outputs);
        let (mut kept, mut dropped) = (vec![1.0; rows * outputs], vec![f32::NAN; rows * outputs]);
        layer.product(&input, &bias, &mut kept, Old::Kept, Threads::All);
        layer.product(&input, &bias, &mut dropped, Old::Dropped, Threads::All);
        // Where the processor has a faster multiplier, what others take is tried too: to the same bits.
        let codes: Vec<i8> =
            weight.iter().zip(steps.iter().cycle()).map(|(w, step)| (w / step).round() as i8).collect();
        layer.codes = Codes::packed(&codes, outputs);
        let mut packed = vec![f32::NAN; rows * outputs];
        layer.product(&input, &bias, &mut packed, Old::Dropped, Threads::One);
        assert_eq!(packed, dropped);

        for (r, row) in input.chunks_exact(inputs).enumerate() {
            let (scale, zero) = scale_and_zero(row);
            let code = |value: &f32| ((value * scale.recip()).round_ties_even() + zero).clamp(0.0, LEVELS);
            let rounded: Vec<f64> = row.iter().map(|value| f64::from(code(value) - zero)).collect();
            for c in 0..outputs {
                let step = steps[c];
                let product: f64 = column(c).zip(&rounded).map(|(w, x)| f64::from((w / step).round()) * x).sum();
                let expected = f64::from(bias[c]) + product * f64::from(scale) * f64::from(step);
                let place = r * outputs + c;
                let difference = (f64::from(dropped[place]) - expected).abs();
                let difference = difference.max((f64::from(kept[place]) - 1.0 - expected).abs());
                assert!(difference <= 1e-4 * expected.abs().max(1.0), "row {r}, column {c}: {difference}");
            }
        }
    }
}
