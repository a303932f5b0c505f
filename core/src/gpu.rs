//! Linear layers on WebGPU, for scoring.
//!
//! What burn multiplies with where nothing may be tuned, as in browsers (ARCHITECTURE.md), took thirteen times as long as this
//! on one emulated GPU (SwiftShader) and one and a half times on another (lavapipe). Here a unit keeps ten rows of four sums in
//! registers, and its neighbours read the same inputs and the weights beside its own, which a GPU's cache serves well. There
//! are no gradients.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::module::Param;
use burn::nn;
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous_aligned;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::prelude::*;

use crate::transformer::QUICK_GELU_SLOPE;

/// Numbers that are read, multiplied and written at once.
const LINE: usize = 4;
/// Rows of the result that a unit computes, of one line each.
const ROWS: usize = 10;
/// Units of a workgroup, side by side along the columns.
const UNITS: u32 = 64;

type Line = Vector<f32, Const<LINE>>;

/// What becomes of a product before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    Nothing,
    QuickGelu,
}

/// `input · weight + bias` of a linear layer, and what comes after it. `None` where this is not to be done here: with
/// gradients, in other numbers than float32, or if the widths are no multiples of [`LINE`].
pub(crate) fn linear(input: Tensor<3>, layer: &nn::Linear, then: Then) -> Option<Tensor<3>> {
    let ([batch, tokens, inputs], weight) = (input.dims(), layer.weight.val());
    let [_, outputs] = weight.dims();
    let bias = layer.bias.as_ref().map(Param::val);
    let product = multiply(input.clone().reshape([batch * tokens, inputs]), weight, bias, then)?;
    Some(product.reshape([batch, tokens, outputs]))
}

/// As [`linear`], of a matrix alone.
pub(crate) fn multiply(input: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, then: Then) -> Option<Tensor<2>> {
    let ([rows, inputs], [_, outputs]) = (input.dims(), weight.dims());
    let is_float32 = input.dtype() == DType::F32 && weight.dtype() == DType::F32;
    let is_whole = inputs.is_multiple_of(LINE) && outputs.is_multiple_of(LINE) && rows > 0;
    if !is_float32 || !is_whole || input.device().is_autodiff() {
        return None;
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &input.device()));
    let [input, weight, bias] = [input.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Some(Tensor::from_dispatch(Dispatch::linear(input, weight, bias, then == Then::QuickGelu)))
}

/// What burn's backends lack.
#[backend_extension(Cube)]
trait Linear: Backend {
    /// `[rows, inputs]`, `[inputs, outputs]` and `[outputs]` to `[rows, outputs]`.
    fn linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        is_activated: bool,
    ) -> FloatTensor<Self>;
}

impl Linear for CubeBackend {
    fn linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        is_activated: bool,
    ) -> FloatTensor<Self> {
        let (input, weight) = (into_contiguous_aligned(input), into_contiguous_aligned(weight));
        let bias = into_contiguous_aligned(bias);
        let ([rows, inputs], [_, outputs]) = (input.meta.shape().dims(), weight.meta.shape().dims());
        let (client, device) = (input.client.clone(), input.device.clone());
        let out = empty_device_contiguous_dtype(client, device, [rows, outputs].into(), input.dtype);
        let columns = outputs / LINE;
        let count = CubeCount::Static(columns.div_ceil(UNITS as usize) as u32, rows.div_ceil(ROWS) as u32, 1);
        let strides = [&input, &weight, &out].map(|tensor| tensor.meta.strides()[0] / LINE);
        #[expect(unsafe_code, reason = "a kernel without checks of its own")]
        // SAFETY: the kernel ends where there is no such row or column, and reads the last row instead of one past it; all
        // loops end.
        unsafe {
            linear_kernel::launch_unchecked(
                &input.client.clone(),
                count,
                CubeDim::new_2d(UNITS, 1),
                input.into_tensor_arg(),
                weight.into_tensor_arg(),
                bias.into_tensor_arg(),
                out.clone().into_tensor_arg(),
                inputs / LINE,
                columns,
                strides,
                is_activated,
            );
        }
        out
    }
}

/// Lengths and strides count lines.
#[cube(launch_unchecked)]
fn linear_kernel(
    input: &cubecl::prelude::Tensor<Line>,
    weight: &cubecl::prelude::Tensor<Line>,
    bias: &cubecl::prelude::Tensor<Line>,
    out: &mut cubecl::prelude::Tensor<Line>,
    #[comptime] inputs: usize,
    #[comptime] columns: usize,
    #[comptime] strides: [usize; 3],
    #[comptime] is_activated: bool,
) {
    let column = ABSOLUTE_POS_X as usize;
    let first = ABSOLUTE_POS_Y as usize * ROWS;
    let rows = out.shape(0);
    if column >= columns || first >= rows {
        terminate!();
    }
    let mut sums = Array::<Line>::new(ROWS);
    let mut starts = Array::<usize>::new(ROWS);
    let start = bias[column];
    #[unroll]
    for row in 0..ROWS {
        sums[row] = start;
        starts[row] = min(first + row, rows - 1) * strides[0];
    }
    for step in 0..inputs {
        let place = step * LINE * strides[1] + column;
        let weight_0 = weight[place];
        let weight_1 = weight[place + strides[1]];
        let weight_2 = weight[place + 2 * strides[1]];
        let weight_3 = weight[place + 3 * strides[1]];
        #[unroll]
        for row in 0..ROWS {
            let values = input[starts[row] + step];
            sums[row] = sums[row]
                + Vector::broadcast(values.extract(0usize)) * weight_0
                + Vector::broadcast(values.extract(1usize)) * weight_1
                + Vector::broadcast(values.extract(2usize)) * weight_2
                + Vector::broadcast(values.extract(3usize)) * weight_3;
        }
    }
    #[unroll]
    for row in 0..ROWS {
        if first + row < rows {
            let sum = sums[row];
            let place = (first + row) * strides[2] + column;
            if comptime![is_activated] {
                let exponential = Vector::exp(sum * Vector::broadcast(-QUICK_GELU_SLOPE as f32));
                out[place] = sum / (Vector::broadcast(1.0) + exponential);
            } else {
                out[place] = sum;
            }
        }
    }
}
