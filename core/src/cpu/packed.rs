//! Linear layers whose weights were brought into the order in which they are multiplied, once.
//!
//! Products of few rows spend half of their time on that order when it is made anew each time; those of many rows are
//! faster by [`super::product`], whose crate cannot keep it.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

/// Rows up to which this is faster: one view of ViT-B/32 has 50, and at 100 the two are equal.
pub(crate) const FEW_ROWS: usize = 80;

/// A layer's weight.
pub(super) struct Packed {
    weight: PackedBMatrix<f32>,
    inputs: usize,
}

impl Packed {
    /// From row-major `[inputs, outputs]`.
    pub(super) fn new(weight: &[f32], outputs: usize) -> Self {
        let inputs = weight.len() / outputs;
        let view = NdTensorView::from_data([inputs, outputs], weight);
        Self { weight: GemmExecutor::<f32>::new().prepack_b(view), inputs }
    }

    /// `out += input · weight`; `[rows, inputs]` to `[rows, outputs]`.
    pub(super) fn add_product(&self, input: &[f32], out: &mut [f32]) {
        let input = NdTensorView::from_data([input.len() / self.inputs, self.inputs], input);
        let options = GemmOptions { beta: 1.0, ..Default::default() };
        GemmExecutor::<f32>::new()
            .gemm(out, GemmInputA::Unpacked(input), GemmInputB::Packed(&self.weight), options)
            .expect("the sizes are the layer's");
    }
}
