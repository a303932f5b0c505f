//! Integer sums by rten-gemm, for AVX512-VNNI and for ARM's dot product.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmUninitOptions, PackedBMatrix};
use rten_tensor::NdTensorView;
use rten_vecmath::ExtendInit;

use super::sums::Sums;

type Executor = GemmExecutor<u8, i8, i32>;

/// A weight packed by the library.
pub(super) struct Packed {
    codes: PackedBMatrix<i8>,
    inputs: usize,
    outputs: usize,
}

impl Packed {
    /// Packs a weight, row-major `[inputs, outputs]`.
    ///
    /// # Panics
    /// If the library's kernel for this processor saturates.
    pub(super) fn new(codes: &[i8], outputs: usize) -> Self {
        let executor = Executor::new();
        assert!(!executor.may_saturate(), "{} clips sums of products", executor.kernel_name());
        let inputs = codes.len() / outputs;
        let codes = executor.prepack_b(NdTensorView::from_data([inputs, outputs], codes));
        Self { codes, inputs, outputs }
    }

    /// As [`super::Codes::multiply`], of all columns. The caller corrects for zero points: the library's own correction is
    /// wrong if rows have different ones (rten-gemm 0.27, AVX-512).
    pub(super) fn multiply(&self, rows: &[u8], each: &mut dyn FnMut(Sums)) {
        let rows_count = rows.len() / self.inputs;
        let inputs = GemmInputA::Unpacked(NdTensorView::from_data([rows_count, self.inputs], rows));
        let count = rows_count * self.outputs;
        // It is not `Send`, and creating it costs nothing.
        let executor = Executor::new();
        let mut sums = Vec::with_capacity(count);
        sums.extend_init(|sums: &mut [std::mem::MaybeUninit<i32>]| {
            let codes = GemmInputB::Packed(&self.codes);
            let sums = executor.gemm_uninit(&mut sums[..count], inputs, codes, GemmUninitOptions::default());
            sums.expect("the sizes are the layer's")
        });
        each(Sums { values: &sums, width: self.outputs, first_row: 0, first_column: 0 });
    }
}
