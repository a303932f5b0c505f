//! Finds a CLIP model in the tensors of a file (SPEC §8). Each parameter must be present, and each tensor must be used.
//!
//! Parameters have OpenAI's names (`visual.transformer.resblocks.0.attn.in_proj_weight`). A table maps them to the names of
//! Hugging Face's `transformers`.

mod naming;
mod sizes;

use std::collections::BTreeMap;
#[cfg(feature = "cpu")]
use std::mem;

#[cfg(feature = "cpu")]
use burn::tensor::DType;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::Dtype;

use crate::config::{Activation, ClipConfig};
use crate::error::{Error, Result};
use crate::layout::{is_layer_weight, parameter_shapes};
use crate::quantise::{check_scale, dequantise, scale_name};
use crate::weights::{RawTensor, Tensors};
pub use naming::Naming;
use sizes::{Shapes, check_sizes};

/// Tensors of published files that are not parameters.
const NOT_PARAMETERS: [&str; 5] = [
    "text_model.embeddings.position_ids",
    "vision_model.embeddings.position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
];

/// The sizes of a CLIP model, and its parameters in host memory.
#[derive(Clone, Debug)]
pub struct Checkpoint<'a> {
    config: ClipConfig,
    parameters: BTreeMap<String, Parameter<'a>>,
}

#[derive(Clone, Debug)]
struct Parameter<'a> {
    shape: Vec<usize>,
    /// Three tensors if the file has separate tensors for query, key and value, else one.
    parts: Vec<Part<'a>>,
    /// Whether the file has the transpose.
    is_transposed: bool,
}

#[derive(Clone, Debug)]
struct Part<'a> {
    tensor: RawTensor<'a>,
    /// The scales of a tensor of 8-bit integers.
    scale: Option<RawTensor<'a>>,
}

impl<'a> Checkpoint<'a> {
    /// Finds a CLIP model in the tensors of a file. Its sizes are read from their shapes.
    ///
    /// # Errors
    /// - [`Error::NotClip`] if no tensor has a known name
    /// - [`Error::MissingTensor`], [`Error::UnusedTensors`], [`Error::Shape`], [`Error::ElementType`] and
    ///   [`Error::NotFiniteWeight`] with the name of a wrong tensor
    /// - [`Error::Config`] for unsupported sizes
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::Error;
    /// use tsp_mgs_core::checkpoint::Checkpoint;
    /// use tsp_mgs_core::config::Activation;
    /// use tsp_mgs_core::weights::{RawTensor, Tensors};
    ///
    /// let mut tensors = Tensors::new();
    /// tensors.insert("bias".into(), RawTensor::from_f32(vec![1], &[1.5]));
    /// let error = Checkpoint::read(tensors, Activation::QuickGelu).unwrap_err();
    /// assert!(matches!(error, Error::NotClip { found: 1, .. }));
    /// ```
    pub fn read(tensors: Tensors<'a>, activation: Activation) -> Result<Self> {
        let naming = Naming::of(&tensors)?;
        let config = Shapes { tensors: &tensors, naming }.config(activation)?;
        Self::read_as(tensors, naming, config)
    }

    /// As [`Checkpoint::read`], for known sizes.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn read_as(mut tensors: Tensors<'a>, naming: Naming, config: ClipConfig) -> Result<Self> {
        check_sizes(&config)?;
        let mut parameters = BTreeMap::new();
        for (name, shape) in parameter_shapes(&config) {
            let is_transposed = naming.is_transposed(&name);
            let mut parts = Vec::new();
            for (file_name, expected) in naming.parts(&name, &shape) {
                let tensor = tensors.remove(&file_name).ok_or_else(|| Error::MissingTensor(file_name.clone()))?;
                let is_same = tensor.shape == expected || (expected.is_empty() && tensor.shape == [1]);
                if !is_same {
                    return Err(Error::Shape {
                        name: file_name,
                        expected: format!("{expected:?}"),
                        found: tensor.shape,
                    });
                }
                let is_quantised = tensor.dtype == Dtype::I8;
                let scale = if is_quantised { tensors.remove(&scale_name(&file_name)) } else { None };
                if let Some(scale) = &scale {
                    check_scale(&file_name, &tensor, scale)?;
                } else if !tensor.is_float() {
                    return Err(Error::ElementType { name: file_name, found: tensor.dtype });
                }
                let part = Part { tensor, scale };
                // Layers in 8-bit integers would give a finite but wrong score.
                if !part.is_finite() {
                    return Err(Error::NotFiniteWeight(file_name));
                }
                parts.push(part);
            }
            parameters.insert(name, Parameter { shape, parts, is_transposed });
        }
        let unused: Vec<String> = tensors.into_keys().filter(|name| !NOT_PARAMETERS.contains(&name.as_str())).collect();
        if !unused.is_empty() {
            return Err(Error::UnusedTensors(unused));
        }
        Ok(Self { config, parameters })
    }

    /// The sizes of the model.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Whether a parameter is stored in 8-bit integers.
    #[cfg(feature = "cpu")]
    pub(crate) fn is_quantised(&self) -> bool {
        self.parameters.values().flat_map(|parameter| &parameter.parts).any(|part| part.scale.is_some())
    }

    /// The elements of a parameter, row-major, in OpenAI's layout.
    ///
    /// # Panics
    /// If the model has no parameter with this name.
    pub fn values(&self, name: &str) -> Vec<f32> {
        self.parameters[name].values()
    }

    /// As [`Checkpoint::tensor`], but in float16 if the file has float16. Only for parameters that are not weights of layers.
    #[cfg(feature = "cpu")]
    pub(crate) fn stored_tensor<const D: usize>(&mut self, name: &str, device: &Device) -> Tensor<D> {
        let parameter = self.parameters.get_mut(name).expect("each parameter is taken once");
        let Some(bytes) = parameter.take_float16() else { return self.tensor(name, device) };
        let shape = parameter.shape.clone();
        self.parameters.remove(name);
        Tensor::from_data(TensorData::from_bytes_vec(bytes, shape, DType::F16), (device, DType::F16))
    }

    /// Moves a parameter to `device`. A single number becomes `[1]`, and the weight of a layer `[in, out]`.
    pub(crate) fn tensor<const D: usize>(&mut self, name: &str, device: &Device) -> Tensor<D> {
        let parameter = self.parameters.remove(name).expect("each parameter is taken once");
        let (values, shape) = (parameter.values(), &parameter.shape);
        let data = match shape.as_slice() {
            [] => TensorData::new(values, [1]),
            [out, ..] if is_layer_weight(name, shape) => {
                let into = values.len() / out;
                TensorData::new(transpose(&values, *out, into), [into, *out])
            }
            shape => TensorData::new(values, shape.to_vec()),
        };
        Tensor::from_data(data, device)
    }
}

impl Parameter<'_> {
    /// Moves the bytes out if the file has float16 in OpenAI's layout.
    #[cfg(feature = "cpu")]
    fn take_float16(&mut self) -> Option<Vec<u8>> {
        match self.parts.as_mut_slice() {
            [Part { tensor: whole, .. }] if whole.dtype == Dtype::F16 && !self.is_transposed => {
                Some(mem::take(&mut whole.bytes).into_owned())
            }
            _ => None,
        }
    }

    fn values(&self) -> Vec<f32> {
        let values: Vec<f32> = match self.parts.as_slice() {
            [whole] => whole.values(),
            parts => parts.iter().flat_map(Part::values).collect(),
        };
        match (self.is_transposed, self.shape.as_slice()) {
            (true, &[rows, columns]) => transpose(&values, columns, rows),
            _ => values,
        }
    }
}

impl Part<'_> {
    /// Whether all values are finite, whatever the integers are.
    fn is_finite(&self) -> bool {
        match &self.scale {
            Some(scale) => scale.to_f32().iter().all(|scale| (scale * f32::from(i8::MIN)).is_finite()),
            None => self.tensor.is_finite(),
        }
    }

    fn values(&self) -> Vec<f32> {
        self.scale.as_ref().map_or_else(|| self.tensor.to_f32(), |scale| dequantise(&self.tensor, scale))
    }
}

/// Transposes a matrix in tiles. A plain loop would cause a cache miss for each element.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let mut out = vec![0.0; values.len()];
    for row_start in (0..rows).step_by(TILE) {
        for column_start in (0..columns).step_by(TILE) {
            for row in row_start..rows.min(row_start + TILE) {
                for column in column_start..columns.min(column_start + TILE) {
                    out[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    out
}
