//! gemm, which takes weights as they are and packs them anew for each product.

use gemm::Parallelism;
use tsp_mgs_kernels::Store;

use crate::layer::{Float32, Layer, Packed};

pub(crate) struct Gemm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    rows: Vec<f32>,
    out: Vec<f32>,
}

impl Gemm {
    pub(crate) fn pack(layer: &Layer<Float32>) -> Self {
        let (weight, bias, rows) = (layer.weight.clone(), layer.bias.clone(), layer.rows.clone());
        Self { weight, bias, rows, out: vec![0.0; layer.count * layer.outputs()] }
    }
}

impl Packed<Float32> for Gemm {
    fn product(&mut self, store: Store) {
        let Self { weight, bias, rows, out } = self;
        let (inputs, outputs) = (weight.len() / bias.len(), bias.len());
        for out in out.chunks_exact_mut(outputs) {
            match store {
                Store::Add => out.iter_mut().zip(bias.iter()).for_each(|(out, bias)| *out += bias),
                Store::Overwrite => out.copy_from_slice(bias),
            }
        }
        let threads = rayon::current_num_threads();
        let threads = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
        let count = rows.len() / inputs;
        assert!(rows.len() == count * inputs && out.len() == count * outputs, "sizes of a product");
        #[expect(unsafe_code, reason = "the crate has no safe interface")]
        // SAFETY: the three matrices fill their slices, as was just checked, and `out` is borrowed alone.
        unsafe {
            gemm::gemm(
                count,
                outputs,
                inputs,
                out.as_mut_ptr(),
                1,
                outputs as isize,
                true,
                rows.as_ptr(),
                1,
                inputs as isize,
                weight.as_ptr(),
                1,
                outputs as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                threads,
            );
        }
    }

    fn out(&mut self) -> &mut [f32] {
        &mut self.out
    }
}
