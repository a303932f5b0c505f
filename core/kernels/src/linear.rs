//! Linear layers with a packed weight.

use std::ops::Range;

use rayon::current_num_threads;
use rayon::prelude::*;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::bf16::BFloat16;
use crate::float::Panels;
#[cfg(not(target_arch = "wasm32"))]
use crate::int8::Int8;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::isa::Isa;

/// With at least this many rows for each thread, threads share the rows; with fewer, the columns.
pub(crate) const ROWS_EACH: usize = 64;

/// How a weight is stored and multiplied. Results are float32 in each format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// Float16 if all values are representable, else float32; multiplied in float32.
    Stored,
    /// Float32.
    Float32,
    /// Bfloat16; inputs are rounded to bfloat16, too.
    BFloat16,
    /// 8-bit integers; inputs are quantised, too.
    #[cfg(not(target_arch = "wasm32"))]
    Int8,
}

/// How a product is written to its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Replaces the output.
    Overwrite,
    /// Adds to the output.
    Add,
}

/// The threads that multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread.
    One,
    /// All threads of rayon's current pool.
    All,
}

/// What is done with a product before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// `[columns]`, added to each row.
    pub(crate) bias: &'a [f32],
    pub(crate) store: Store,
}

/// The share of one thread: some rows × some columns of the weight.
pub(crate) struct Part<'a, 'b> {
    /// `[rows, inputs]`
    pub(crate) input: &'a [f32],
    /// Of `columns`.
    pub(crate) epilogue: Epilogue<'a>,
    /// `[rows][columns]`
    pub(crate) out: &'a mut [&'b mut [f32]],
    /// The start is a multiple of [`Weight::columns_step`].
    pub(crate) columns: Range<usize>,
}

/// `x · weight + bias`
pub struct Linear {
    weight: Weight,
    /// `[outputs]`
    bias: Vec<f32>,
    inputs: usize,
}

enum Weight {
    Float(Panels),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    BFloat16(BFloat16),
    #[cfg(not(target_arch = "wasm32"))]
    Int8(Int8),
}

impl Linear {
    /// Packs a weight, row-major `[inputs, outputs]`, for the instruction set in use; `bias` is `[outputs]`.
    ///
    /// # Panics
    /// If the weight's length is 0 or not a multiple of the bias's length.
    pub fn new(weight: &[f32], bias: Vec<f32>, format: WeightFormat) -> Self {
        let outputs = bias.len();
        assert!(outputs > 0 && !weight.is_empty() && weight.len().is_multiple_of(outputs), "sizes of a layer");
        let inputs = weight.len() / outputs;
        let weight = match format {
            WeightFormat::Stored => Weight::Float(Panels::as_stored(weight, outputs)),
            WeightFormat::Float32 => Weight::Float(Panels::float32(weight, outputs)),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            WeightFormat::BFloat16 if Isa::current() == Isa::Amx => Weight::BFloat16(BFloat16::new(weight, outputs)),
            WeightFormat::BFloat16 => Weight::Float(Panels::bfloat16(weight, outputs)),
            #[cfg(not(target_arch = "wasm32"))]
            WeightFormat::Int8 => Weight::Int8(Int8::new(weight, outputs)),
        };
        Self { weight, bias, inputs }
    }

    /// Length of an input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of an output row.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `out = input · weight + bias`, or adds that to `out`; from `[rows, inputs]` to `[rows, outputs]`.
    ///
    /// # Panics
    /// If `input` and `out` differ in their number of rows.
    pub fn product(&self, input: &[f32], out: &mut [f32], store: Store, threads: Threads) {
        let (inputs, outputs) = (self.inputs, self.bias.len());
        let rows = input.len() / inputs;
        assert!(input.len() == rows * inputs && out.len() == rows * outputs, "sizes of a product");
        let sharing = if threads == Threads::All { current_num_threads() } else { 1 };
        let each = rows.div_ceil(sharing).max(1);
        let epilogue = Epilogue { bias: &self.bias, store };
        let Some(step) = self.weight.columns_step().filter(|_| sharing > 1 && each < ROWS_EACH) else {
            let parts = out.par_chunks_mut(each * outputs).zip(input.par_chunks(each * inputs));
            parts.for_each(|(out, input)| {
                let mut out: Vec<&mut [f32]> = out.chunks_exact_mut(outputs).collect();
                self.weight.multiply(Part { input, epilogue, out: &mut out, columns: 0..outputs });
            });
            return;
        };
        // Two parts for each thread, for balance.
        let width = outputs.div_ceil(step).div_ceil(2 * sharing) * step;
        let mut parts: Vec<Vec<&mut [f32]>> = (0..outputs).step_by(width).map(|_| Vec::with_capacity(rows)).collect();
        for row in out.chunks_exact_mut(outputs) {
            parts.iter_mut().zip(row.chunks_mut(width)).for_each(|(part, row)| part.push(row));
        }
        parts.into_par_iter().enumerate().for_each(|(place, mut out)| {
            let columns = place * width..outputs.min((place + 1) * width);
            let epilogue = Epilogue { bias: &self.bias[columns.clone()], store };
            self.weight.multiply(Part { input, epilogue, out: &mut out, columns });
        });
    }
}

impl Weight {
    /// Threads split the columns at multiples of this; `None` if the columns cannot be split.
    fn columns_step(&self) -> Option<usize> {
        match self {
            Self::Float(weight) => Some(weight.columns_step()),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::BFloat16(_) => Some(BFloat16::COLUMNS_STEP),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Int8(weight) => weight.columns_step(),
        }
    }

    fn multiply(&self, part: Part) {
        match self {
            Self::Float(weight) => weight.multiply(part),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::BFloat16(weight) => weight.multiply(part),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Int8(weight) => weight.multiply(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_go_from_thread_to_thread() {
        fn goes<T: Send + Sync>() {}
        goes::<Linear>();
    }
}
