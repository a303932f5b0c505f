//! Model bundles: a folder with `model.json` and safetensors shards, for native programs and browsers.
//!
//! A shard has at most [`MAX_SHARD_BYTES`]. Tensors have OpenAI's names. A tensor that does not fit into a shard is split along its
//! first axis into pieces `NAME@ROW`, where `ROW` is the first row of the piece. An int8 tensor `NAME` has scales in a float32
//! tensor `NAME:scale`, which broadcasts against it. In a bundle without text tower, `prompt_features`, `[levels, embed_dim]`, has
//! the features of its prompts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::checkpoint::{Checkpoint, Naming};
use crate::config::ClipConfig;
use crate::error::{Error, Result};
use crate::layout::parameter_shapes;
use crate::options::Options;
use crate::preprocess::PREPROCESS_ID;
use crate::prompts::{PromptFeatures, Task};
use crate::quantise::{dequantise, quantise, scale_name};
use crate::weights::{RawTensor, Tensors, read_safetensors};

/// The name of the file that describes a bundle.
pub const MANIFEST: &str = "model.json";
/// The largest size of a shard. A shard is downloaded again as a whole after a broken connection.
pub const MAX_SHARD_BYTES: usize = 16 << 20;

/// Space for the header of a shard.
const HEADER_BYTES: usize = 64 << 10;
const FORMAT: &str = "tsp-mgs";
const VERSION: u32 = 1;
const PROMPT_FEATURES: &str = "prompt_features";

/// The element type of a bundle's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightType {
    /// Float32: exact.
    F32,
    /// Float16: half of the size.
    F16,
    /// 8-bit integers with a scale for each output for the weights of layers and embeddings, float32 for all others: a quarter of
    /// the size.
    Q8,
}

/// The contents of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always "tsp-mgs".
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The display name of the model.
    pub name: String,
    /// A note for each result of this model, such as "demo weights, trained on synthetic images".
    pub warning: Option<String>,
    /// The options of each task that the model scores.
    pub tasks: BTreeMap<Task, Options>,
    /// The sizes and the activation of the model.
    pub clip: ClipConfig,
    /// The preprocessing of the model: [`PREPROCESS_ID`].
    pub preprocess: String,
    /// The element type of the weights.
    pub dtype: WeightType,
    /// The differences of scores between the bundle and its source, by task, measured at export.
    pub score_difference: BTreeMap<Task, ScoreDifference>,
    /// The origin of the weights.
    pub provenance: Provenance,
    /// The weight files.
    pub shards: Vec<Shard>,
}

/// A weight file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// The file name, in the folder of `model.json`.
    pub name: String,
    /// The length in bytes.
    pub size: usize,
    /// The SHA-256 of the file in hexadecimal.
    pub sha256: String,
}

/// The differences of scores between a bundle and its source, on the scale of 0 to 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreDifference {
    /// The number of images that were scored with both.
    pub images: usize,
    /// The mean absolute difference.
    pub mean: f64,
    /// The largest absolute difference.
    pub max: f64,
}

/// The origin of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The name of the source file or bundle.
    pub source: String,
    /// The SHA-256 of the source in hexadecimal.
    pub sha256: String,
    /// The program that wrote the bundle, and its version.
    pub exporter: String,
}

impl Manifest {
    /// [`Manifest::format`] and [`Manifest::version`] of bundles that this program writes.
    pub fn current_format() -> (String, u32) {
        (FORMAT.to_owned(), VERSION)
    }

    /// Parses and checks `model.json`.
    ///
    /// # Errors
    /// [`Error::Bundle`] with the line of a syntax error, and for an unsupported version, preprocessing, task or file name.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::bundle::Manifest;
    ///
    /// let error = Manifest::parse(br#"{"format": "tsp-mgs", "version": 2}"#).unwrap_err();
    /// assert!(error.to_string().contains("version 2"));
    /// ```
    pub fn parse(json: &[u8]) -> Result<Self> {
        // The version is checked first, since a newer format can have unknown fields.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let syntax = |error: serde_json::Error| Error::Bundle(format!("{MANIFEST}: {error}"));
        let head: Head = serde_json::from_slice(json).map_err(syntax)?;
        if head.format != FORMAT || head.version != VERSION {
            let Head { format, version } = head;
            return Err(Error::Bundle(format!(
                "{MANIFEST} is of format {format:?} version {version}, expected {FORMAT:?} version {VERSION}"
            )));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(syntax)?;
        if manifest.preprocess != PREPROCESS_ID {
            let found = &manifest.preprocess;
            return Err(Error::Bundle(format!("preprocessing {found:?} is unknown, expected {PREPROCESS_ID:?}")));
        }
        for (task, options) in &manifest.tasks {
            if options.task() != *task {
                return Err(Error::Bundle(format!("{task:?} has prompts of the other task: {:?}", options.prompts)));
            }
        }
        for shard in &manifest.shards {
            // A shard must be a file in the folder of the manifest.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if shard.name.is_empty() || shard.name.starts_with('.') || !shard.name.chars().all(is_plain) {
                return Err(Error::Bundle(format!("{:?} is no file name for a shard", shard.name)));
            }
        }
        Ok(manifest)
    }

    /// The contents of `model.json`.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        json.push('\n');
        json
    }

    /// The size of all shards in bytes.
    pub fn total_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.size).sum()
    }
}

/// The SHA-256 of some bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a bundle shard by shard. Only one shard has to be in memory at a time.
pub struct BundleReader {
    manifest: Manifest,
    next: usize,
    pieces: BTreeMap<String, BTreeMap<usize, RawTensor<'static>>>,
}

/// The model of a bundle.
pub struct LoadedBundle {
    /// The contents of `model.json`.
    pub manifest: Manifest,
    /// The weights.
    pub checkpoint: Checkpoint<'static>,
    /// The features of the prompts, if the model has no text tower.
    pub prompt_features: Option<PromptFeatures>,
}

impl BundleReader {
    /// Makes a reader for the shards of `manifest`, which must be added in order.
    pub fn new(manifest: Manifest) -> Self {
        Self { manifest, next: 0, pieces: BTreeMap::new() }
    }

    /// The contents of `model.json`.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The next shard to [add](BundleReader::add); `None` after the last one.
    pub fn next_shard(&self) -> Option<&Shard> {
        self.manifest.shards.get(self.next)
    }

    /// Checks the next shard and adds its tensors.
    ///
    /// # Errors
    /// [`Error::Bundle`] if length or SHA-256 differ from the manifest, or a tensor is not valid.
    ///
    /// # Panics
    /// If there is no next shard.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let shard = self.next_shard().expect("there is a next shard");
        if bytes.len() == shard.size {
            let found = sha256(bytes);
            if found != shard.sha256 {
                return Err(Error::Bundle(format!("{} has SHA-256 {found}, expected {}", shard.name, shard.sha256)));
            }
        }
        self.add_hashed(bytes)
    }

    /// As [`BundleReader::add`], without a check of the SHA-256. The caller must have checked it.
    ///
    /// # Errors
    /// As [`BundleReader::add`].
    ///
    /// # Panics
    /// As [`BundleReader::add`].
    pub fn add_hashed(&mut self, bytes: &[u8]) -> Result<()> {
        let shard = self.next_shard().expect("there is a next shard");
        if bytes.len() != shard.size {
            return Err(Error::Bundle(format!("{} has {} bytes, expected {}", shard.name, bytes.len(), shard.size)));
        }
        for (name, tensor) in read_safetensors(bytes)? {
            let (name, row) = match name.split_once('@') {
                Some((name, row)) => {
                    let row =
                        row.parse().map_err(|_| Error::Bundle(format!("tensor `{name}@{row}` has no row number")))?;
                    (name.to_owned(), row)
                }
                None => (name, 0),
            };
            let earlier = self.pieces.entry(name.clone()).or_default().insert(row, tensor.into_owned());
            if earlier.is_some() {
                return Err(Error::Bundle(format!("tensor `{name}` stands in two shards")));
            }
        }
        self.next += 1;
        Ok(())
    }

    /// Assembles the model after all shards were added.
    ///
    /// # Errors
    /// [`Error::Bundle`] for missing shards or pieces, and the errors of [`Checkpoint::read_as`].
    pub fn finish(self) -> Result<LoadedBundle> {
        if let Some(shard) = self.next_shard() {
            return Err(Error::Bundle(format!("{} is missing", shard.name)));
        }
        let mut tensors = Tensors::new();
        for (name, pieces) in self.pieces {
            tensors.insert(name.clone(), join(&name, pieces)?);
        }
        let names: Vec<String> =
            tensors.keys().filter(|name| tensors.contains_key(&scale_name(name))).cloned().collect();
        for name in names {
            let scale = tensors.remove(&scale_name(&name)).expect("it was just found");
            let quantised = tensors.remove(&name).expect("it was just found");
            tensors.insert(name.clone(), dequantise(&name, &quantised, &scale)?);
        }
        let features = tensors.remove(PROMPT_FEATURES);
        let checkpoint = Checkpoint::read_as(tensors, Naming::OpenAi, self.manifest.clip.clone())?;
        let prompt_features = match checkpoint.config().text {
            Some(_) => None,
            None => Some(prompt_features(&self.manifest, features)?),
        };
        Ok(LoadedBundle { manifest: self.manifest, checkpoint, prompt_features })
    }
}

/// The prompt features of a model without text tower. Such a model scores only perception.
fn prompt_features(manifest: &Manifest, tensor: Option<RawTensor>) -> Result<PromptFeatures> {
    let tasks: Vec<&Options> = manifest.tasks.values().collect();
    let prompts = match tasks.as_slice() {
        [options] if options.task() == Task::Perception => options.prompts,
        _ => return Err(Error::Bundle("a model without text tower scores perception and nothing else".into())),
    };
    let expected = [prompts.levels().len(), manifest.clip.embed_dim];
    let tensor = tensor.ok_or_else(|| Error::MissingTensor(PROMPT_FEATURES.into()))?;
    if tensor.shape != expected || !tensor.is_float() {
        let expected = format!("{expected:?} of floats");
        return Err(Error::Shape { name: PROMPT_FEATURES.into(), expected, found: tensor.shape });
    }
    Ok(PromptFeatures { prompts, values: tensor.to_f32() })
}

/// Writes the parameters of a model as shards of at most [`MAX_SHARD_BYTES`]. `clip` has the sizes of the checkpoint, with or
/// without its text tower.
pub fn write_shards(
    checkpoint: &Checkpoint,
    clip: &ClipConfig,
    dtype: WeightType,
    prompt_features: Option<&PromptFeatures>,
) -> Vec<Vec<u8>> {
    let mut shards = vec![Vec::new()];
    let mut room = MAX_SHARD_BYTES - HEADER_BYTES;
    let parameters = parameter_shapes(clip)
        .into_iter()
        .flat_map(|(name, shape)| encode(&name, &shape, &checkpoint.values(&name), dtype));
    let prompt_features = prompt_features.map(|features| {
        let shape = vec![features.values.len() / clip.embed_dim, clip.embed_dim];
        (PROMPT_FEATURES.to_owned(), RawTensor::from_f32(shape, &features.values))
    });
    for (name, tensor) in parameters.chain(prompt_features) {
        let rows = tensor.shape.first().copied().unwrap_or(1);
        let row_bytes = tensor.bytes.len() / rows;
        let mut start = 0;
        while start < rows {
            let count = (room / row_bytes).min(rows - start);
            if count == 0 {
                shards.push(Vec::new());
                room = MAX_SHARD_BYTES - HEADER_BYTES;
                continue;
            }
            let mut shape = tensor.shape.clone();
            if let Some(first) = shape.first_mut() {
                *first = count;
            }
            let piece_name = if count == rows { name.clone() } else { format!("{name}@{start}") };
            let bytes = tensor.bytes[start * row_bytes..(start + count) * row_bytes].to_vec();
            room -= bytes.len();
            let piece = RawTensor { dtype: tensor.dtype, shape, bytes: Cow::Owned(bytes) };
            shards.last_mut().expect("there is a shard from the start").push((piece_name, piece));
            start += count;
        }
    }
    shards.iter().map(|pieces| serialize(pieces)).collect()
}

fn serialize(pieces: &[(String, RawTensor)]) -> Vec<u8> {
    let views = pieces.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        (name, view.expect("shape and bytes belong together"))
    });
    safetensors::serialize(views, None).expect("the tensors are well formed")
}

/// Converts a parameter to the tensors that are stored: one tensor, or 8-bit integers and their scales.
fn encode(name: &str, shape: &[usize], values: &[f32], dtype: WeightType) -> Vec<(String, RawTensor<'static>)> {
    let is_matrix = shape.len() >= 2 && !name.contains("positional_embedding");
    match dtype {
        WeightType::Q8 if is_matrix => quantise(name, shape, values).into(),
        WeightType::F16 => {
            let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
            vec![(name.to_owned(), RawTensor { dtype: Dtype::F16, shape: shape.into(), bytes: Cow::Owned(bytes) })]
        }
        WeightType::F32 | WeightType::Q8 => vec![(name.to_owned(), RawTensor::from_f32(shape.into(), values))],
    }
}

/// Joins the pieces of a tensor.
fn join(name: &str, pieces: BTreeMap<usize, RawTensor<'static>>) -> Result<RawTensor<'static>> {
    let mut pieces = pieces.into_iter();
    let (first_row, mut whole) = pieces.next().expect("each name has a piece");
    let broken = || Error::Bundle(format!("the pieces of tensor `{name}` do not follow each other"));
    if first_row != 0 {
        return Err(broken());
    }
    for (row, piece) in pieces {
        let follows = whole.shape.first() == Some(&row)
            && piece.dtype == whole.dtype
            && piece.shape.len() == whole.shape.len()
            && piece.shape[1..] == whole.shape[1..];
        if !follows {
            return Err(broken());
        }
        whole.shape[0] += piece.shape[0];
        whole.bytes.to_mut().extend_from_slice(&piece.bytes);
    }
    Ok(whole)
}
