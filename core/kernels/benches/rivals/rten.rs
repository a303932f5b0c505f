//! rten-gemm, with packed weights.

use rten_gemm::{BiasVector, GemmExecutor, GemmInT, GemmInputA, GemmInputB, GemmOptions, GemmOutT, PackedBMatrix};
use rten_tensor::NdTensorView;
use tsp_mgs_kernels::Store;

use crate::layer::{Layer, Numbers, Packed};

pub(crate) struct Rten<N: Numbers> {
    weight: PackedBMatrix<N::Weight>,
    bias: Vec<N::Sum>,
    rows: Vec<N::Input>,
    out: Vec<N::Sum>,
}

/// Chooses by the processor.
type Executor<N> = GemmExecutor<<N as Numbers>::Input, <N as Numbers>::Weight, <N as Numbers>::Sum>;

impl<N: Numbers> Rten<N>
where
    N: Numbers<Input: GemmInT, Weight: GemmInT, Sum: GemmOutT>,
    Executor<N>: Default,
{
    pub(crate) fn pack(layer: &Layer<N>) -> Self {
        let weight = NdTensorView::from_data([layer.inputs(), layer.outputs()], layer.weight.as_slice());
        let (bias, rows) = (layer.bias.clone(), layer.rows.clone());
        let out = vec![N::Sum::default(); layer.count * layer.outputs()];
        Self { weight: Executor::<N>::default().prepack_b(weight), bias, rows, out }
    }
}

impl<N> Packed<N> for Rten<N>
where
    N: Numbers<Input: GemmInT, Weight: GemmInT, Sum: GemmOutT>,
    Executor<N>: Default,
{
    fn product(&mut self, store: Store) {
        let Self { weight, bias, rows, out } = self;
        let count = out.len() / bias.len();
        let rows = NdTensorView::from_data([count, rows.len() / count], rows.as_slice());
        let beta = if store == Store::Add { N::ONE } else { N::Sum::default() };
        let options = GemmOptions { beta, bias: Some(BiasVector::Row(bias)), ..Default::default() };
        Executor::<N>::default()
            .gemm(out, GemmInputA::Unpacked(rows), GemmInputB::Packed(weight), options)
            .expect("the sizes are the layer's");
    }

    fn out(&mut self) -> &mut [N::Sum] {
        &mut self.out
    }

    fn kernel(&self) -> String {
        let executor = Executor::<N>::default();
        let clips = if executor.may_saturate() { ", which clips sums" } else { "" };
        format!("{}{clips}", executor.kernel_name())
    }
}
