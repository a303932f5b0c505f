//! Finds a CLIP model in the tensors of a file (SPEC §8). Each parameter must be present, and each tensor must be used.
//!
//! Parameters have OpenAI's names (`visual.transformer.resblocks.0.attn.in_proj_weight`). A table maps them to the names of
//! Hugging Face's `transformers`.

use std::collections::BTreeMap;
#[cfg(feature = "cpu")]
use std::mem;

#[cfg(feature = "cpu")]
use burn::tensor::DType;
use burn::tensor::{Device, Tensor, TensorData};
#[cfg(feature = "cpu")]
use safetensors::Dtype;

use crate::config::{Activation, ClipConfig, TextConfig, VisionConfig, heads};
use crate::error::{Error, Result};
use crate::layout::{is_layer_weight, parameter_shapes};
use crate::preprocess::SHORT_SIDE;
use crate::weights::{RawTensor, Tensors};

/// Tensors of published files that are not parameters.
const NOT_PARAMETERS: [&str; 5] = [
    "text_model.embeddings.position_ids",
    "vision_model.embeddings.position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
];

/// Limits above all published CLIP models. They keep a malicious file from causing very long loops.
const MAX_LAYERS: usize = 1000;
const MAX_WIDTH: usize = 1 << 20;

/// The naming scheme of a file's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// OpenAI's CLIP and open_clip.
    OpenAi,
    /// Hugging Face's `transformers`.
    HuggingFace,
}

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
    parts: Vec<RawTensor<'a>>,
    /// Whether the file has the transpose.
    is_transposed: bool,
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
                if !tensor.is_float() {
                    return Err(Error::ElementType { name: file_name, found: tensor.dtype });
                }
                // Layers in 8-bit integers would give a finite but wrong score.
                if !tensor.is_finite() {
                    return Err(Error::NotFiniteWeight(file_name));
                }
                parts.push(tensor);
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
            [whole] if whole.dtype == Dtype::F16 && !self.is_transposed => {
                Some(mem::take(&mut whole.bytes).into_owned())
            }
            _ => None,
        }
    }

    fn values(&self) -> Vec<f32> {
        let values: Vec<f32> = match self.parts.as_slice() {
            [whole] => whole.to_f32(),
            parts => parts.iter().flat_map(RawTensor::to_f32).collect(),
        };
        match (self.is_transposed, self.shape.as_slice()) {
            (true, &[rows, columns]) => transpose(&values, columns, rows),
            _ => values,
        }
    }
}

impl Naming {
    fn of(tensors: &Tensors) -> Result<Self> {
        [Self::OpenAi, Self::HuggingFace]
            .into_iter()
            .find(|naming| tensors.contains_key(&naming.file_name("visual.conv1.weight")))
            .ok_or_else(|| Error::NotClip {
                found: tensors.len(),
                first: tensors.keys().next().cloned().unwrap_or_else(|| "none".into()),
            })
    }

    /// The names and shapes of the tensors of a file that form a parameter, in order.
    pub(crate) fn parts(self, name: &str, shape: &[usize]) -> Vec<(String, Vec<usize>)> {
        let file_name = self.file_name(name);
        let Some((prefix, kind)) = file_name.split_once("attn.in_proj_").filter(|_| self == Self::HuggingFace) else {
            let mut shape = shape.to_vec();
            if self.is_transposed(name) {
                shape.reverse();
            }
            return vec![(file_name, shape)];
        };
        let mut part = shape.to_vec();
        part[0] /= 3;
        ["q", "k", "v"].map(|role| (format!("{prefix}self_attn.{role}_proj.{kind}"), part.clone())).into()
    }

    /// The name in a file. For query, key and value of Hugging Face's files, [`Naming::parts`] derives the names from it.
    fn file_name(self, name: &str) -> String {
        if self == Self::OpenAi {
            return name.to_owned();
        }
        const WHOLE: [(&str, &str); 7] = [
            ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
            ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
            ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
            ("visual.proj", "visual_projection.weight"),
            ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
            ("text_projection", "text_projection.weight"),
        ];
        const PARTS: [(&str, &str); 10] = [
            ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
            ("visual.ln_pre.", "vision_model.pre_layrnorm."), // the spelling of all published files
            ("visual.ln_post.", "vision_model.post_layernorm."),
            ("transformer.resblocks.", "text_model.encoder.layers."),
            ("ln_final.", "text_model.final_layer_norm."),
            (".ln_1.", ".layer_norm1."),
            (".ln_2.", ".layer_norm2."),
            (".mlp.c_fc.", ".mlp.fc1."),
            (".mlp.c_proj.", ".mlp.fc2."),
            (".attn.out_proj.", ".self_attn.out_proj."),
        ];
        if let Some((_, file_name)) = WHOLE.iter().find(|(ours, _)| *ours == name) {
            return (*file_name).to_owned();
        }
        PARTS.iter().fold(name.to_owned(), |name, (ours, theirs)| name.replace(ours, theirs))
    }

    /// OpenAI's projections are `[width, embed_dim]`. Hugging Face's are weights of linear layers, `[embed_dim, width]`.
    fn is_transposed(self, name: &str) -> bool {
        self == Self::HuggingFace && matches!(name, "visual.proj" | "text_projection")
    }
}

/// Reads the sizes of a model from the shapes of its tensors.
struct Shapes<'t, 'a> {
    tensors: &'t Tensors<'a>,
    naming: Naming,
}

impl Shapes<'_, '_> {
    fn config(&self, activation: Activation) -> Result<ClipConfig> {
        let [width, _, patch_size, _] = self.shape("visual.conv1.weight", "[width, 3, patch, patch]")?;
        let [positions, _] = self.shape("visual.positional_embedding", "[grid² + 1, width]")?;
        let grid = positions.saturating_sub(1).isqrt();
        let [_, embed_dim] = self.matrix("visual.proj", "[width, embed_dim]")?;
        let [vocab_size, text_width] = self.shape("token_embedding.weight", "[vocabulary, width]")?;
        let [context_length, _] = self.shape("positional_embedding", "[context_length, width]")?;
        let [mlp_width, _] = self.shape("visual.transformer.resblocks.0.mlp.c_fc.weight", "[mlp_width, width]")?;
        let [text_mlp_width, _] = self.shape("transformer.resblocks.0.mlp.c_fc.weight", "[mlp_width, width]")?;
        Ok(ClipConfig {
            embed_dim,
            activation,
            vision: VisionConfig {
                image_size: grid * patch_size,
                patch_size,
                width,
                mlp_width,
                layers: self.layers("visual.transformer"),
            },
            text: Some(TextConfig {
                context_length,
                vocab_size,
                width: text_width,
                mlp_width: text_mlp_width,
                layers: self.layers("transformer"),
            }),
        })
    }

    fn shape<const D: usize>(&self, name: &str, expected: &str) -> Result<[usize; D]> {
        let name = self.naming.file_name(name);
        let tensor = self.tensors.get(&name).ok_or_else(|| Error::MissingTensor(name.clone()))?;
        let shape = tensor.shape.as_slice();
        shape.try_into().map_err(|_| Error::Shape { name, expected: expected.into(), found: shape.into() })
    }

    /// The shape of a matrix in OpenAI's layout.
    fn matrix(&self, name: &str, expected: &str) -> Result<[usize; 2]> {
        let [rows, columns] = self.shape(name, expected)?;
        Ok(if self.naming.is_transposed(name) { [columns, rows] } else { [rows, columns] })
    }

    fn layers(&self, prefix: &str) -> usize {
        let has = |layer: &usize| {
            self.tensors.contains_key(&self.naming.file_name(&format!("{prefix}.resblocks.{layer}.ln_1.weight")))
        };
        (0..).take_while(has).count()
    }
}

/// Checks that the towers and the preprocessing support the sizes.
fn check_sizes(config: &ClipConfig) -> Result<()> {
    let VisionConfig { image_size, patch_size, .. } = config.vision;
    if patch_size == 0 || image_size == 0 || image_size % patch_size != 0 {
        return Err(Error::Config(format!(
            "images of {image_size} pixels cannot be split into tokens of {patch_size}"
        )));
    }
    if image_size > SHORT_SIDE as usize {
        return Err(Error::Config(format!("views of {image_size} pixels, expected at most {SHORT_SIDE}")));
    }
    if config.embed_dim == 0 {
        return Err(Error::Config("an embedding of width 0".into()));
    }
    let vision = ("vision", config.vision.width, config.vision.mlp_width, config.vision.layers);
    let text = config.text.iter().map(|text| ("text", text.width, text.mlp_width, text.layers));
    for (tower, width, mlp_width, layers) in std::iter::once(vision).chain(text) {
        let is_possible = (1..=MAX_WIDTH).contains(&width)
            && (1..=MAX_WIDTH).contains(&mlp_width)
            && (1..=MAX_LAYERS).contains(&layers)
            && width.is_multiple_of(heads(width));
        if !is_possible {
            return Err(Error::Config(format!(
                "a {tower} tower of {layers} layers, width {width} and MLP width {mlp_width}"
            )));
        }
    }
    match &config.text {
        Some(text) if text.vocab_size == 0 => Err(Error::Config("a vocabulary of 0 tokens".into())),
        Some(text) if text.context_length < 3 => {
            Err(Error::Config(format!("a context of {} tokens", text.context_length)))
        }
        _ => Ok(()),
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
