//! Buffers on a GPU, and the kernels that are queued on them.

use std::sync::Arc;

use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn::tensor::{DType, Int, Tensor, TensorData};
use burn_cubecl::CubeDevice;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::{empty_device_contiguous_dtype, zeros};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::product::{self, Then};
use super::{Adapter, PER_LINE, attention, collect, embed, norm};
use crate::rows::Rows;
use crate::transformer::Attention;

/// Kernels for one GPU. Tensors that they take are float32, contiguous, and of widths that are multiples of four.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    device: CubeDevice,
    adapter: Adapter,
}

/// A linear layer's parameters.
pub(super) struct Linear {
    /// `[inputs, outputs]`
    pub(super) weight: CubeTensor,
    /// `[outputs]`
    pub(super) bias: CubeTensor,
}

/// A layer norm's parameters, `[width]` each.
pub(super) struct LayerNorm {
    pub(super) gamma: CubeTensor,
    pub(super) beta: CubeTensor,
}

impl Queue {
    /// That of the GPU where a tensor lies, with the kernels that suit it; `None` if it lies elsewhere or is no float32.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let buffer = buffer(tensor.clone())?;
        let adapter = Adapter::of(&buffer.client);
        Some(Self { client: buffer.client, device: buffer.device, adapter })
    }

    /// The same with kernels for another kind of adapter; all of them run on all.
    pub fn with_adapter(self, adapter: Adapter) -> Self {
        Self { adapter, ..self }
    }

    /// `input · weight + bias` and what comes after it; with [`Then::Add`] it is added to `stream`.
    ///
    /// # Shapes
    /// - `input`: `[rows, inputs]`; `weight`: `[inputs, outputs]`; `bias`: `[outputs]`
    /// - `stream`, and what is returned: `[rows, outputs]`
    ///
    /// # Panics
    /// For tensors that are not as [`Queue`] takes them.
    pub fn linear(
        &self,
        input: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        stream: Tensor<2>,
        then: Then,
    ) -> Tensor<2> {
        let layer = Linear { weight: expected(weight), bias: expected(bias) };
        let out = expected(stream);
        self.product(&expected(input), &layer, &out, then);
        tensor(out)
    }

    /// Layer norm of each row, `[rows, width]`.
    ///
    /// # Panics
    /// As [`Queue::linear`].
    pub fn layer_norm(&self, input: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<2> {
        let [rows, width] = input.dims();
        let out = self.empty([rows, width]);
        self.norm(&expected(input), &LayerNorm { gamma: expected(gamma), beta: expected(beta) }, &out, width);
        tensor(out)
    }

    /// Attention of queries, keys and values that lie side by side, `[batch, tokens, 3 · width]` to `[batch, tokens, width]`.
    ///
    /// # Panics
    /// As [`Queue::linear`].
    pub fn attention(&self, qkv: Tensor<3>, heads: usize, order: Attention) -> Tensor<3> {
        let [batch, tokens, width] = qkv.dims();
        let out = self.empty([batch, tokens, width / 3]);
        self.attend(&expected(qkv), &out, [batch, tokens, heads], order);
        tensor(out)
    }

    pub(super) fn empty<const D: usize>(&self, shape: [usize; D]) -> CubeTensor {
        empty_device_contiguous_dtype(self.client.clone(), self.device.clone(), shape.into(), DType::F32)
    }

    pub(super) fn zeros<const D: usize>(&self, shape: [usize; D]) -> CubeTensor {
        zeros(self.device.clone(), shape.into(), DType::F32)
    }

    /// Of as many rows as `out` has.
    pub(super) fn product(&self, input: &CubeTensor, layer: &Linear, out: &CubeTensor, then: Then) {
        let [inputs, outputs] = layer.weight.meta.shape().dims();
        let rows = out.meta.num_elements() / outputs;
        if rows == 0 {
            return;
        }
        let [input, weight, bias, out] = [input, &layer.weight, &layer.bias, out].map(argument);
        let operands = product::Operands { input, weight, bias, out };
        product::launch(&self.client, self.adapter, operands, product::Sizes { rows, inputs, outputs }, then);
    }

    /// Of as many rows as `out` has; `apart` numbers lie between the starts of two rows of `input`.
    pub(super) fn norm(&self, input: &CubeTensor, layer: &LayerNorm, out: &CubeTensor, apart: usize) {
        let [width] = layer.gamma.meta.shape().dims();
        let rows = out.meta.num_elements() / width;
        if rows == 0 {
            return;
        }
        let [input, gamma, beta, out] = [input, &layer.gamma, &layer.beta, out].map(argument);
        let operands = norm::Operands { input, gamma, beta, out };
        norm::launch(&self.client, self.adapter, operands, norm::Sizes { rows, width, apart });
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
        let sizes = attention::Sizes { batch, tokens, heads, head_width: width / heads };
        attention::launch(&self.client, self.adapter, argument(qkv), argument(out), sizes, order);
    }

    /// Tokens of images, `[batch, tokens − 1, width]` to `[batch, tokens, width]`.
    pub(super) fn embed_image(
        &self,
        patches: &CubeTensor,
        class: &CubeTensor,
        positions: &CubeTensor,
        out: &CubeTensor,
    ) {
        let arguments = [patches, class, positions, out].map(argument);
        embed::launch_image(&self.client, arguments, sizes(out));
    }

    /// Rows of matrices of one width, one below the other: a dispatch for each matrix.
    pub(super) fn collect(&self, parts: &[Rows]) -> Tensor<2> {
        let [_, width] = parts.first().expect("a part").matrix.dims();
        let mut sources: Vec<(&Arc<Tensor<2>>, Vec<i32>)> = Vec::new();
        let mut height = 0;
        for Rows { matrix, range } in parts {
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
                [expected(Tensor::clone(matrix)), integers(places), out.clone()].map(|b| argument(&b));
            collect::launch(&self.client, source, places, out, [rows, width]);
        }
        tensor(out)
    }

    /// Tokens of texts, `[batch, tokens]` to `[batch, tokens, width]`.
    pub(super) fn embed_text(
        &self,
        ids: &CubeTensor,
        vocabulary: &CubeTensor,
        positions: &CubeTensor,
        out: &CubeTensor,
    ) {
        let arguments = [vocabulary, positions, out].map(argument);
        embed::launch_text(&self.client, argument(ids), arguments, sizes(out));
    }
}

fn sizes(out: &CubeTensor) -> embed::Sizes {
    let [batch, tokens, width] = out.meta.shape().dims();
    embed::Sizes { batch, tokens, width }
}

fn argument(tensor: &CubeTensor) -> BufferArg {
    tensor.clone().into_buffer_arg()
}

/// Whether kernels can read rows of this length.
pub(super) fn is_whole(length: usize) -> bool {
    length.is_multiple_of(PER_LINE)
}

/// The buffer of a float32 tensor, row by row; `None` if it is not on a GPU, of other numbers, or tracked for gradients.
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

fn expected<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    let buffer = buffer(tensor).expect("a float32 tensor on a GPU, without gradients");
    let width = buffer.meta.shape().dims::<D>()[D - 1];
    assert!(is_whole(width), "rows of {width} numbers, expected a multiple of {PER_LINE}");
    buffer
}

pub(super) fn tensor<const D: usize>(buffer: CubeTensor) -> Tensor<D> {
    let kind = DispatchTensorKind::Cube(BackendTensor::Float(buffer));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: Default::default() })
}

/// The buffer of whole numbers, such as token ids.
pub(super) fn integers<const D: usize>(numbers: Tensor<D, Int>) -> CubeTensor {
    match numbers.into_dispatch().kind {
        DispatchTensorKind::Cube(BackendTensor::Int(numbers)) if numbers.dtype == DType::I32 => {
            into_contiguous(numbers)
        }
        _ => panic!("whole numbers of 32 bits on a GPU"),
    }
}
