//! Sums of products of bytes by a library, where the processor has instructions for them: VNNI, or dot product on ARM.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmUninitOptions, PackedBMatrix};
use rten_tensor::NdTensorView;
use rten_vecmath::ExtendInit;

use super::Sums;

type Executor = GemmExecutor<u8, i8, i32>;

/// `[inputs, outputs]` in the library's order.
pub(super) struct Packed {
    codes: PackedBMatrix<i8>,
    outputs: usize,
}

impl Packed {
    /// From row-major `[inputs, outputs]`.
    ///
    /// # Panics
    /// If the library's choice for this processor clips sums.
    pub(super) fn new(codes: &[i8], outputs: usize) -> Self {
        let executor = Executor::new();
        assert!(!executor.may_saturate(), "{} clips sums of products", executor.kernel_name());
        let codes = executor.prepack_b(NdTensorView::from_data([codes.len() / outputs, outputs], codes));
        Self { codes, outputs }
    }

    /// As [`super::Codes::multiply`], of all columns. The zeros of the rows are seen to by the caller: the library takes them
    /// wrongly (0.27, AVX-512, rows with different zeros).
    pub(super) fn multiply(&self, rows: &[u8], length: usize, each: &mut dyn FnMut(Sums)) {
        let inputs = GemmInputA::Unpacked(NdTensorView::from_data([rows.len() / length, length], rows));
        let count = rows.len() / length * self.outputs;
        // It cannot be sent to another thread, and costs nothing to make.
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
