//! Linear layers: a weight that was packed once, and its products with rows.

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

/// Rows from which on a thread takes rows of its own, rather than columns: each reads the whole weight.
pub(crate) const ROWS_EACH: usize = 64;

/// How a weight is kept and multiplied. Sums and results are float32 in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// In float16 where all its numbers are such, else in float32; multiplied in float32.
    Stored,
    /// In float32.
    Float32,
    /// In bfloat16, to which inputs are rounded, too.
    BFloat16,
    /// In 8-bit integers, to which inputs are rounded, too.
    #[cfg(not(target_arch = "wasm32"))]
    Int8,
}

/// What becomes of what stood in the output of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// It is overwritten.
    Overwrite,
    /// The product is added to it.
    Add,
}

/// Who multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// This thread alone.
    One,
    /// All of rayon's current pool.
    All,
}

/// What follows a product before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// `[columns]`, added to each row.
    pub(crate) bias: &'a [f32],
    pub(crate) store: Store,
}

/// What one thread multiplies: some rows by some columns of the weight.
pub(crate) struct Part<'a, 'b> {
    /// `[rows, inputs]`
    pub(crate) input: &'a [f32],
    /// Of these columns.
    pub(crate) epilogue: Epilogue<'a>,
    /// `[rows][columns]`
    pub(crate) out: &'a mut [&'b mut [f32]],
    /// They start at a multiple of [`Weight::columns_step`].
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
    /// If the weight has no whole rows of as many outputs as the bias, or none.
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

    /// Width of a row of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of a row of the output.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `out = input · weight + bias`, or that added to `out`; `[rows, inputs]` to `[rows, outputs]`.
    ///
    /// # Panics
    /// If there are not as many rows in both.
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
        // Twice as many parts as threads, as one may be late.
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
    /// Columns of which threads can take multiples; `None` where each has to take all.
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
