//! tract-linalg, with the kernel that its own dispatch picks for a shape, and packed weights.
//!
//! A kernel multiplies a first matrix by a second. Either can be the weight, which decides along which axis vectors lie.

use tract_data::prelude::{Datum, Tensor};
use tract_linalg::mmm::{AsInputValue, FusedSpec, MMMInputValue, MatMatMul, Query};
use tract_linalg::multithread::{Executor, multithread_tract_scope};
use tract_linalg::{BinOp, MmmDispatch};
use tsp_mgs_kernels::Store;

use crate::layer::{Bytes, Float32, Layer, Numbers, Packed};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Rows,
    Weight,
}

pub(crate) struct Tract {
    first: First,
    kernel: Box<dyn MatMatMul>,
    packing: usize,
    weight: Box<dyn MMMInputValue>,
    bias: Tensor,
    rows: Tensor,
    out: Tensor,
}

impl Tract {
    pub(crate) fn pack<N: Numbers>(layer: &Layer<N>, first: First) -> Self
    where
        Layer<N>: Signed<Sum = N::Sum>,
    {
        let (rows, bias) = layer.signed();
        let (count, inputs, outputs) = (layer.count, layer.inputs(), layer.outputs());
        let (height, width) = if first == First::Rows { (count, outputs) } else { (outputs, count) };
        let sum = N::Sum::datum_type();
        let query = Query {
            store: Some(sum),
            allow_extractor: false,
            ..Query::plain(sum, Some(height), Some(inputs), Some(width))
        };
        let (kernel, packing, _) = MmmDispatch::native().pick(&query).expect("there is a kernel for every processor");
        let formats = &kernel.packings()[packing];
        let format = if first == First::Rows { &formats.1 } else { &formats.0 };
        let weight = tensor([inputs, outputs], &layer.weight);
        let weight = format.prepare_one(&weight, 0, 1).expect("the kernel takes this type");
        let out = Tensor::zero_dt(sum, &[count, outputs]).expect("numbers have a zero");
        let (bias, rows) = (tensor([1, outputs], &bias), tensor([count, inputs], &rows));
        Self { first, kernel, packing, weight, bias, rows, out }
    }

    fn multiply(&mut self, store: Store) {
        let Self { first, kernel, packing, weight, bias, rows, out } = self;
        let (count, outputs) = (out.shape()[0], out.shape()[1]);
        let formats = &kernel.packings()[*packing];
        let format = if *first == First::Rows { &formats.0 } else { &formats.1 };
        let rows = format.prepare_one(rows, 1, 0).expect("the kernel takes this type");
        let (rows, weight, bias) = (AsInputValue::Borrowed(&*rows), AsInputValue::Borrowed(&**weight), bias.view());
        let (a, b, bias, axes, (height, width)) = match first {
            First::Rows => (rows, weight, FusedSpec::BinPerCol(bias, BinOp::Add), (0, 1), (count, outputs)),
            First::Weight => (weight, rows, FusedSpec::BinPerRow(bias, BinOp::Add), (1, 0), (outputs, count)),
        };
        #[expect(unsafe_code, reason = "the crate has no safe interface")]
        // SAFETY: both matrices were packed in the kernel's formats, and results go to a tensor of their size that is
        // borrowed alone.
        unsafe {
            let target = kernel.c_view(Some(axes.0), Some(axes.1)).wrap(&out.view_mut());
            let mut steps = vec![FusedSpec::AddMatMul { a, b, packing: *packing }, bias];
            if store == Store::Add {
                steps.push(FusedSpec::AddUnicast(target));
            }
            steps.push(FusedSpec::Store(target));
            kernel.run(height, width, &steps).expect("the kernel has these steps");
        }
    }
}

impl<N: Numbers> Packed<N> for Tract {
    fn product(&mut self, store: Store) {
        let threads = rayon::current_num_threads();
        let threads = if threads > 1 { Executor::RayonGlobal } else { Executor::SingleThread };
        multithread_tract_scope(threads, || self.multiply(store));
    }

    fn out(&mut self) -> &mut [N::Sum] {
        #[expect(unsafe_code, reason = "the safe way is of a trait that is not the crate's own")]
        // SAFETY: the tensor was made of this type.
        unsafe {
            self.out.as_slice_mut_unchecked()
        }
    }

    fn kernel(&self) -> String {
        self.kernel.name().to_owned()
    }
}

/// Rows with a sign, which the kernels ask for, and a bias that makes up for the change.
pub(crate) trait Signed {
    type Row: Datum + Copy;
    type Sum;

    fn signed(&self) -> (Vec<Self::Row>, Vec<Self::Sum>);
}

impl Signed for Layer<Float32> {
    type Row = f32;
    type Sum = f32;

    fn signed(&self) -> (Vec<f32>, Vec<f32>) {
        (self.rows.clone(), self.bias.clone())
    }
}

impl Signed for Layer<Bytes> {
    type Row = i8;
    type Sum = i32;

    fn signed(&self) -> (Vec<i8>, Vec<i32>) {
        let mut bias = self.bias.clone();
        for row in self.weight.chunks_exact(bias.len()) {
            bias.iter_mut().zip(row).for_each(|(bias, code)| *bias += 128 * i32::from(*code));
        }
        (self.rows.iter().map(|code| code.wrapping_sub(128) as i8).collect(), bias)
    }
}

fn tensor<T: Datum + Copy>(shape: [usize; 2], values: &[T]) -> Tensor {
    Tensor::from_shape(&shape, values).expect("the sizes are the layer's")
}
