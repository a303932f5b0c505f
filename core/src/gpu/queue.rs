//! Buffers on a GPU, and the queue of kernels that use them. All sizes are checked here, since kernels have no bounds checks.

use std::sync::Arc;

use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn::tensor::{DType, Int, Tensor, TensorData};
use burn_cubecl::CubeDevice;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::{empty_device_contiguous_dtype, zeros};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::grid::{Adapter, LANES};
use super::product::{self, Epilogue};
use super::{attention, embed, gather, norm};
use crate::rows::Rows;
use crate::transformer::Attention;

/// The kernels of one GPU. Tensors must be float32, and their rows must have a multiple of four values.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    device: CubeDevice,
    adapter: Adapter,
}

/// The parameters of a linear layer.
pub(super) struct Linear {
    /// `[inputs, outputs]`
    pub(super) weight: CubeTensor,
    /// `[outputs]`
    pub(super) bias: CubeTensor,
}

/// The parameters of a layer norm, `[width]` each.
pub(super) struct LayerNorm {
    pub(super) gamma: CubeTensor,
    pub(super) beta: CubeTensor,
}

impl Queue {
    /// The queue of the GPU that holds `tensor`. Returns `None` for a tensor on another device or of another element type.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let buffer = buffer(tensor.clone())?;
        let adapter = Adapter::of(&buffer.client);
        Some(Self { client: buffer.client, device: buffer.device, adapter })
    }

    /// The same queue with the kernels for another kind of adapter. Each kernel runs on each GPU.
    pub fn with_adapter(self, adapter: Adapter) -> Self {
        Self { adapter, ..self }
    }

    /// `input · weight + bias` with an epilogue. With [`Epilogue::Accumulate`] it is added to `out`, else `out` is overwritten.
    ///
    /// # Shapes
    /// - `input`: `[rows, inputs]`; `weight`: `[inputs, outputs]`; `bias`: `[outputs]`
    /// - `out`, and the returned tensor: `[rows, outputs]`
    ///
    /// # Panics
    /// For other shapes, and for tensors that [`Queue`] does not support.
    pub fn linear(
        &self,
        input: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        out: Tensor<2>,
        epilogue: Epilogue,
    ) -> Tensor<2> {
        let layer = Linear { weight: expect_buffer(weight), bias: expect_buffer(bias) };
        let out = expect_buffer(out);
        self.product(&expect_buffer(input), &layer, &out, epilogue);
        tensor(out)
    }

    /// The layer norm of each row, `[rows, width]`.
    ///
    /// # Panics
    /// As [`Queue::linear`].
    pub fn layer_norm(&self, input: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<2> {
        let [rows, width] = input.dims();
        let out = self.empty([rows, width]);
        let layer = LayerNorm { gamma: expect_buffer(gamma), beta: expect_buffer(beta) };
        self.norm(&expect_buffer(input), &layer, &out, width);
        tensor(out)
    }

    /// Attention. A row of `qkv` has the queries of all heads, then the keys, then the values.
    ///
    /// # Shapes
    /// - `qkv`: `[batch, tokens, 3 · width]`
    /// - returns: `[batch, tokens, width]`
    ///
    /// # Panics
    /// As [`Queue::linear`].
    pub fn attention(&self, qkv: Tensor<3>, heads: usize, order: Attention) -> Tensor<3> {
        let [batch, tokens, width] = qkv.dims();
        let out = self.empty([batch, tokens, width / 3]);
        self.attend(&expect_buffer(qkv), &out, [batch, tokens, heads], order);
        tensor(out)
    }

    pub(super) fn empty<const D: usize>(&self, shape: [usize; D]) -> CubeTensor {
        empty_device_contiguous_dtype(self.client.clone(), self.device.clone(), shape.into(), DType::F32)
    }

    pub(super) fn zeros<const D: usize>(&self, shape: [usize; D]) -> CubeTensor {
        zeros(self.device.clone(), shape.into(), DType::F32)
    }

    /// A product with as many rows as `out` has.
    pub(super) fn product(&self, input: &CubeTensor, layer: &Linear, out: &CubeTensor, epilogue: Epilogue) {
        let [inputs, outputs] = layer.weight.meta.shape().dims();
        let rows = out.meta.num_elements() / outputs;
        check("input of a product", input, rows * inputs);
        check("bias of a product", &layer.bias, outputs);
        check("result of a product", out, rows * outputs);
        if rows == 0 {
            return;
        }
        let [input, weight, bias, out] = [input, &layer.weight, &layer.bias, out].map(argument);
        let operands = product::Operands { input, weight, bias, out };
        product::launch(&self.client, self.adapter, operands, product::Sizes { rows, inputs, outputs }, epilogue);
    }

    /// A layer norm of as many rows as `out` has. The starts of the rows of `input` are `row_stride` values apart.
    pub(super) fn norm(&self, input: &CubeTensor, layer: &LayerNorm, out: &CubeTensor, row_stride: usize) {
        let [width] = layer.gamma.meta.shape().dims();
        let rows = out.meta.num_elements() / width;
        check("input of a layer norm", input, rows * row_stride);
        check("beta of a layer norm", &layer.beta, width);
        check("result of a layer norm", out, rows * width);
        assert!(row_stride >= width && is_multiple_of_lanes(row_stride), "row stride of a layer norm");
        if rows == 0 {
            return;
        }
        let [input, gamma, beta, out] = [input, &layer.gamma, &layer.beta, out].map(argument);
        let operands = norm::Operands { input, gamma, beta, out };
        norm::launch(&self.client, self.adapter, operands, norm::Sizes { rows, width, row_stride });
    }

    pub(super) fn attend(
        &self,
        qkv: &CubeTensor,
        out: &CubeTensor,
        [batch, tokens, heads]: [usize; 3],
        order: Attention,
    ) {
        let width = out.meta.num_elements() / (batch * tokens).max(1);
        if width == 0 {
            return;
        }
        let head_width = width / heads;
        check("input of attention", qkv, 3 * batch * tokens * width);
        check("result of attention", out, batch * tokens * heads * head_width);
        assert!(is_multiple_of_lanes(head_width) && head_width <= attention::WIDEST_HEAD, "head width of attention");
        let sizes = attention::Sizes { batch, tokens, heads, head_width };
        attention::launch(&self.client, self.adapter, argument(qkv), argument(out), sizes, order);
    }

    /// The residual stream of images, `[batch, tokens, width]`, from projected tokens, `[batch, tokens − 1, width]`.
    pub(super) fn embed_image(
        &self,
        projected: &CubeTensor,
        class: &CubeTensor,
        positions: &CubeTensor,
        out: &CubeTensor,
    ) {
        let sizes = stream_sizes(out);
        check("tokens of images", projected, sizes.batch * (sizes.tokens - 1) * sizes.width);
        check("class embedding", class, sizes.width);
        check("positions of images", positions, sizes.tokens * sizes.width);
        embed::launch_image(&self.client, [projected, class, positions, out].map(argument), sizes);
    }

    /// The residual stream of texts, `[batch, tokens, width]`, from token ids, `[batch, tokens]`.
    pub(super) fn embed_text(
        &self,
        ids: &CubeTensor,
        vocabulary: &CubeTensor,
        positions: &CubeTensor,
        out: &CubeTensor,
    ) {
        let sizes = stream_sizes(out);
        let [vocab_size, _] = vocabulary.meta.shape().dims();
        let [context_length, _] = positions.meta.shape().dims();
        check("token ids", ids, sizes.batch * sizes.tokens);
        check("token embedding", vocabulary, vocab_size * sizes.width);
        check("positions of texts", positions, context_length * sizes.width);
        assert!(sizes.tokens <= context_length, "{} tokens, expected at most {context_length}", sizes.tokens);
        embed::launch_text(&self.client, argument(ids), [vocabulary, positions, out].map(argument), sizes);
    }

    /// Copies rows into one matrix, in order. There is one dispatch for each source matrix.
    pub(super) fn gather(&self, parts: &[Rows]) -> Tensor<2> {
        let [_, width] = parts.first().expect("there are rows to gather").matrix.dims();
        let mut sources: Vec<(&Arc<Tensor<2>>, Vec<i32>)> = Vec::new();
        let mut height = 0;
        for Rows { matrix, range } in parts {
            let [rows, columns] = matrix.dims();
            assert!(range.end <= rows && columns == width, "rows {range:?} of {rows} × {columns}, {width} wide");
            let known = sources.iter().position(|(known, _)| Arc::ptr_eq(known, matrix));
            let source = known.unwrap_or_else(|| {
                sources.push((matrix, Vec::new()));
                sources.len() - 1
            });
            for row in range.clone() {
                sources[source].1.extend([row as i32, height]);
                height += 1;
            }
        }
        let out = self.empty([height as usize, width]);
        for (matrix, places) in sources {
            let rows = places.len() / 2;
            let places = Tensor::<2, Int>::from_data(TensorData::new(places, [rows, 2]), &matrix.device());
            let [source, places, out] =
                [expect_buffer(Tensor::clone(matrix)), int_buffer(places), out.clone()].map(|b| argument(&b));
            gather::launch(&self.client, source, places, out, [rows, width]);
        }
        tensor(out)
    }
}

/// Checks the number of values in a buffer.
#[track_caller]
fn check(name: &str, buffer: &CubeTensor, expected: usize) {
    let found = buffer.meta.num_elements();
    assert!(found == expected, "{name}: {found} values, expected {expected}");
}

fn stream_sizes(stream: &CubeTensor) -> embed::Sizes {
    let [batch, tokens, width] = stream.meta.shape().dims();
    embed::Sizes { batch, tokens, width }
}

fn argument(tensor: &CubeTensor) -> BufferArg {
    tensor.clone().into_buffer_arg()
}

/// Whether kernels support rows of this length.
pub(super) fn is_multiple_of_lanes(length: usize) -> bool {
    length.is_multiple_of(LANES)
}

/// The buffer of a tensor, row-major. Returns `None` for a tensor on another device, of another element type than float32, or
/// with gradients.
pub(super) fn buffer<const D: usize>(tensor: Tensor<D>) -> Option<CubeTensor> {
    match tensor.into_dispatch() {
        DispatchTensor { kind: DispatchTensorKind::Cube(BackendTensor::Float(tensor)), .. }
            if tensor.dtype == DType::F32 =>
        {
            Some(into_contiguous(tensor))
        }
        _ => None,
    }
}

fn expect_buffer<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    let buffer = buffer(tensor).expect("a float32 tensor on a GPU, without gradients");
    let width = buffer.meta.shape().dims::<D>()[D - 1];
    assert!(is_multiple_of_lanes(width), "rows of {width} values, expected a multiple of {LANES}");
    buffer
}

pub(super) fn tensor<const D: usize>(buffer: CubeTensor) -> Tensor<D> {
    let kind = DispatchTensorKind::Cube(BackendTensor::Float(buffer));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: Default::default() })
}

/// The buffer of a tensor of 32-bit integers, such as token ids.
pub(super) fn int_buffer<const D: usize>(tensor: Tensor<D, Int>) -> CubeTensor {
    match tensor.into_dispatch().kind {
        DispatchTensorKind::Cube(BackendTensor::Int(tensor)) if tensor.dtype == DType::I32 => into_contiguous(tensor),
        _ => panic!("a tensor of 32-bit integers on a GPU"),
    }
}
