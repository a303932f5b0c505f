//! Linear layers with a packed weight.

use rayon::current_num_threads;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::bf16::BFloat16;
use crate::float::Panels;
use crate::int8::Int8;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::isa::Isa;
use crate::part::{Epilogue, Part, Store, share};

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
    Int8,
}

/// The threads that multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread.
    One,
    /// All threads of rayon's current pool.
    All,
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
        let threads = if threads == Threads::All { current_num_threads() } else { 1 };
        share(input, out, [inputs, outputs], self.weight.columns_step(), threads, |input, out, columns| {
            let epilogue = Epilogue { bias: &self.bias[columns.clone()], store };
            self.weight.multiply(Part { input, epilogue, out, columns });
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
            Self::Int8(weight) => weight.columns_step(),
        }
    }

    fn multiply(&self, part: Part) {
        match self {
            Self::Float(weight) => weight.multiply(part),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Self::BFloat16(weight) => weight.multiply(part),
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
