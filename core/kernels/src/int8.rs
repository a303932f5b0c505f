//! Matrix products in 8-bit integers, with dynamic quantisation of the input.
//!
//! The weight is symmetric, with one scale for each output ([`weight::quantise`]). Each row of the input has a scale and a zero point of its own,
//! computed from its range. Sums of products are exact 32-bit integers and the same with every instruction set.

#[cfg(feature = "rivals")]
mod code_sums;
#[cfg(not(target_arch = "wasm32"))]
mod library;
mod portable;
mod rows;
mod sums;
#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
mod tiles;
#[cfg(target_arch = "wasm32")]
mod wasm;
mod weight;
#[cfg(target_arch = "x86_64")]
mod wide;
mod write;

use std::ops::Range;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::amx;
use crate::isa::Isa;
use crate::part::{Epilogue, Part};
use crate::simd;
#[cfg(feature = "rivals")]
pub use code_sums::CodeSums;
use rows::QuantisedRows;
use sums::Sums;
use weight::quantise;
use write::Write;

/// A quantised weight.
pub(crate) struct Int8 {
    codes: Codes,
    /// Scale of each output.
    scales: Vec<f32>,
    /// Column sums of the quantised weight, for the zero-point correction Σ(x − z)w = Σxw − zΣw.
    column_sums: Vec<f32>,
    inputs: usize,
}

/// The quantised weight, `[inputs, outputs]`, packed for one kernel.
enum Codes {
    Portable(portable::Parts),
    #[cfg(target_arch = "x86_64")]
    Wide(wide::Panels),
    #[cfg(target_arch = "wasm32")]
    Wasm(wasm::Panels),
    #[cfg(not(target_arch = "wasm32"))]
    Library(library::Packed),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Amx(amx::Tiles),
}

impl Int8 {
    /// Quantises and packs a weight, row-major `[inputs, outputs]`.
    pub(crate) fn new(weight: &[f32], outputs: usize) -> Self {
        let inputs = weight.len() / outputs;
        let (codes, scales) = quantise(weight, outputs);
        let mut column_sums = vec![0.0; outputs];
        for row in codes.chunks_exact(outputs) {
            column_sums.iter_mut().zip(row).for_each(|(sum, code)| *sum += f32::from(*code));
        }
        Self { codes: Codes::new(&codes, outputs, Isa::current()), scales, column_sums, inputs }
    }

    pub(crate) fn columns_step(&self) -> Option<usize> {
        self.codes.columns_step()
    }

    pub(crate) fn multiply(&self, part: Part) {
        let Part { input, epilogue, out, columns } = part;
        let length = self.codes.row_length(self.inputs);
        // Blocks of nearly equal size.
        let block = out.len().div_ceil(out.len().div_ceil(self.codes.rows_at_once()).max(1)).max(1);
        let mut rows = QuantisedRows::default();
        for (input, out) in input.chunks(block * self.inputs).zip(out.chunks_mut(block)) {
            rows.round(input, self.inputs, length);
            rows.codes.resize(self.codes.padded(out.len()) * length, 0);
            self.codes.multiply(&rows.codes, columns.clone(), &mut |sums| {
                self.write(&sums, &rows, &columns, epilogue, out);
            });
        }
    }

    /// Dequantises a block of sums and writes those of its rows and columns that exist.
    fn write(
        &self,
        sums: &Sums,
        rows: &QuantisedRows,
        columns: &Range<usize>,
        epilogue: Epilogue,
        out: &mut [&mut [f32]],
    ) {
        let written = sums.first_column..columns.end.min(sums.first_column + sums.width);
        let place = written.start - columns.start..written.end - columns.start;
        simd::run(Write {
            sums: sums.values,
            width: sums.width,
            row_scales: &rows.scales[sums.first_row..],
            zero_points: &rows.zero_points[sums.first_row..],
            column_scales: &self.scales[written.clone()],
            column_sums: &self.column_sums[written],
            bias: &epilogue.bias[place.clone()],
            store: epilogue.store,
            out: &mut out[sums.first_row..],
            columns: place,
        });
    }
}

impl Codes {
    /// Packs a quantised weight, row-major `[inputs, outputs]`, for an instruction set.
    fn new(codes: &[i8], outputs: usize, isa: Isa) -> Self {
        match isa {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Isa::Amx => Self::Amx(amx::Tiles::of_bytes(codes, outputs)),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => Self::Wide(wide::Panels::new(codes, outputs, wide::Dot::Vnni)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx512 => Self::Wide(wide::Panels::new(codes, outputs, wide::Dot::MulAdd)),
            #[cfg(target_arch = "wasm32")]
            Isa::Simd128 => Self::Wasm(wasm::Panels::new(codes, outputs, wasm::Dot::best())),
            // The library chooses its kernel by itself, so it is used only if that is the instruction set in use.
            #[cfg(not(target_arch = "wasm32"))]
            _ if isa == Isa::best() && isa != Isa::Portable => Self::Library(library::Packed::new(codes, outputs)),
            #[cfg(not(target_arch = "wasm32"))]
            Isa::Avx512Vnni => Self::Library(library::Packed::new(codes, outputs)),
            _ => Self::Portable(portable::Parts::new(codes, outputs)),
        }
    }

    fn columns_step(&self) -> Option<usize> {
        match self {
            Self::Portable(parts) => Some(parts.columns_step()),
            #[cfg(target_arch = "x86_64")]
            Self::Wide(_) => Some(wide::COLUMNS),
            #[cfg(target_arch = "wasm32")]
            Self::Wasm(_) => Some(wasm::COLUMNS),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Library(_) => None,
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::Amx(_) => Some(amx::BLOCK),
        }
    }

    /// Rows that are quantised and multiplied together. They fit into the L2 cache. AMX takes more, since it is limited by
    /// reading the weight.
    fn rows_at_once(&self) -> usize {
        match self {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::Amx(_) => 256,
            _ => 64,
        }
    }

    /// Number of rows with padding.
    fn padded(&self, rows: usize) -> usize {
        match self {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::Amx(_) => rows.next_multiple_of(amx::BLOCK),
            _ => rows,
        }
    }

    /// Length of a row of `inputs` values with padding.
    fn row_length(&self, inputs: usize) -> usize {
        match self {
            Self::Portable(_) => inputs,
            #[cfg(not(target_arch = "wasm32"))]
            Self::Library(_) => inputs,
            #[cfg(target_arch = "x86_64")]
            Self::Wide(panels) => panels.row_length(),
            #[cfg(target_arch = "wasm32")]
            Self::Wasm(panels) => panels.row_length(),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::Amx(tiles) => tiles.row_length(),
        }
    }

    /// Multiplies rows, `[rows, row_length]`, with some columns. `each` is called with each block of sums, in any order.
    fn multiply(&self, rows: &[u8], columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        match self {
            Self::Portable(parts) => parts.multiply(rows, columns, each),
            #[cfg(target_arch = "x86_64")]
            Self::Wide(panels) => panels.multiply(rows, columns, each),
            #[cfg(target_arch = "wasm32")]
            Self::Wasm(panels) => panels.multiply(rows, columns, each),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Library(packed) => packed.multiply(rows, each),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::Amx(tiles) => {
                tiles.multiply_bytes(rows, columns, |(first_row, first_column), sums| {
                    each(Sums { values: sums.as_flattened(), width: amx::BLOCK, first_row, first_column });
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rows::scale_and_zero;
    use super::sums::LEVELS;
    use super::*;
    use crate::WeightFormat;
    use crate::testing::{numbers, on_each_isa, product};

    /// Against float64 sums of the quantised values, and the same with every instruction set.
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_product_is_that_of_the_rounded_numbers() {
        for (rows, inputs, outputs) in [(263, 300, 37), (1, 1, 1), (7, 64, 16), (50, 97, 131)] {
            // Rows have different scales and zero points; one row is all zero. The largest values of both signs are adjacent:
            // the sums of their products overflow 16 bits.
            let mut input = numbers(1, rows * inputs);
            for (row, values) in input.chunks_exact_mut(inputs).enumerate() {
                values.iter_mut().for_each(|value| *value = *value * row as f32 + (row % 5) as f32 * 0.3 * row as f32);
                if row % 7 == 3 {
                    values[..inputs / 2].fill(row as f32);
                }
            }
            let mut weight = numbers(2, inputs * outputs);
            weight[..inputs / 2 * outputs].chunks_exact_mut(outputs).for_each(|row| row[outputs / 2] = 1.5);
            let bias = numbers(3, outputs);
            let expected = expected(&input, &weight, &bias);
            let first = std::cell::RefCell::new(None::<Vec<f32>>);
            on_each_isa(|isa| {
                let found = product(&input, &weight, &bias, WeightFormat::Int8);
                for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let difference = (f64::from(*found) - expected).abs();
                    let (row, column) = (at / outputs, at % outputs);
                    assert!(
                        difference <= 1e-4 * expected.abs().max(1.0),
                        "{isa}, row {row}, column {column}: {difference}"
                    );
                }
                let mut first = first.borrow_mut();
                for (at, (a, b)) in first.get_or_insert_with(|| found.clone()).iter().zip(&found).enumerate() {
                    assert!((a - b).abs() <= 1e-6 * a.abs().max(1.0), "{isa}, {at}: {b}, and {a} with another set");
                }
            });
        }
    }

    fn expected(input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
        let outputs = bias.len();
        let inputs = weight.len() / outputs;
        let (codes, steps) = quantise(weight, outputs);
        let mut products = Vec::new();
        for row in input.chunks_exact(inputs) {
            let (scale, zero) = scale_and_zero(row);
            let code = |value: &f32| ((value * scale.recip()).round_ties_even() + zero).clamp(0.0, LEVELS);
            let rounded: Vec<f64> = row.iter().map(|value| f64::from(code(value) - zero)).collect();
            for (c, step) in steps.iter().enumerate() {
                let column = codes.iter().skip(c).step_by(outputs);
                let sum: f64 = column.zip(&rounded).map(|(w, x)| f64::from(*w) * x).sum();
                products.push(f64::from(bias[c]) + sum * f64::from(scale) * f64::from(*step));
            }
        }
        products
    }
}
