//! A model bundle: `model.json` and safetensors shards, read natively and in the browser alike.
//!
//! A shard holds at most [`MAX_SHARD_BYTES`]. Tensors carry OpenAI's names; one that does not fit
//! is cut between rows of its first axis into `NAME@ROW` pieces, `ROW` the first row of a piece.
//! An int8 tensor `NAME` has a float32 companion `NAME:scale` that broadcasts against it.
//! `prompt_features` holds a bundle's own prompts, `[levels, embed_dim]`, where it has no text tower.

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
use crate::prompts::Task;
use crate::quantise::{dequantise, quantise, scale_name};
use crate::scorer::PromptFeatures;
use crate::weights::{RawTensor, Tensors, read_safetensors};

/// Name of the file that describes a bundle.
pub const MANIFEST: &str = "model.json";
/// Longest shard: small enough to fetch again after a broken connection.
pub const MAX_SHARD_BYTES: usize = 16 << 20;

/// Left free in a shard for its header.
const HEADER_BYTES: usize = 64 << 10;
const FORMAT: &str = "tsp-mgs";
const VERSION: u32 = 1;
const PROMPT_FEATURES: &str = "prompt_features";

/// Element type of a bundle's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightType {
    /// 32-bit floats: exact.
    F32,
    /// 16-bit floats: half the size.
    F16,
    /// Linear and embedding weights as 8-bit integers with a scale for each output, the rest as
    /// 32-bit floats: a quarter of the size.
    Q8,
}

/// The contents of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always "tsp-mgs".
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// The model's name for people.
    pub name: String,
    /// What every result made with this model must say, such as "demo weights, trained on synthetic images".
    pub warning: Option<String>,
    /// The options of each task that the model scores.
    pub tasks: BTreeMap<Task, Options>,
    /// The model's sizes and activation.
    pub clip: ClipConfig,
    /// The preprocessing that it was made for: [`PREPROCESS_ID`].
    pub preprocess: String,
    /// Element type of the weights.
    pub dtype: WeightType,
    /// How far scores moved from those of the source, by task; measured at export.
    pub score_difference: BTreeMap<Task, ScoreDifference>,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// The weight files.
    pub shards: Vec<Shard>,
}

/// A weight file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// File name beside `model.json`.
    pub name: String,
    /// Length in bytes.
    pub size: usize,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
}

/// How far the scores of a bundle are from those of its source, in points of the 0 to 5 scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreDifference {
    /// Images that were scored both ways.
    pub images: usize,
    /// Mean of the absolute differences.
    pub mean: f64,
    /// Largest absolute difference.
    pub max: f64,
}

/// Where weights come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Name of the source file or bundle.
    pub source: String,
    /// SHA-256 of the source in hexadecimal.
    pub sha256: String,
    /// Program and version that wrote the bundle.
    pub exporter: String,
}

impl Manifest {
    /// The format that this program writes: for [`Manifest::format`] and [`Manifest::version`].
    pub fn current_format() -> (String, u32) {
        (FORMAT.to_owned(), VERSION)
    }

    /// Parses and checks `model.json`.
    ///
    /// # Errors
    /// [`Error::Bundle`] with the line for text that is no manifest, and for versions, preprocessing
    /// or file names that this program cannot follow.
    pub fn parse(json: &[u8]) -> Result<Self> {
        // The version first: a newer format may have fields that this one does not know.
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
            // A name leads to a file beside the manifest, never elsewhere.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if shard.name.is_empty() || shard.name.starts_with('.') || !shard.name.chars().all(is_plain) {
                return Err(Error::Bundle(format!("{:?} is no file name for a shard", shard.name)));
            }
        }
        Ok(manifest)
    }

    /// What `model.json` holds.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        json.push('\n');
        json
    }

    /// Bytes of all shards together.
    pub fn total_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.size).sum()
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a bundle's tensors together, one shard at a time, so that no two shards are held at once.
pub struct BundleReader {
    manifest: Manifest,
    next: usize,
    pieces: BTreeMap<String, BTreeMap<usize, RawTensor<'static>>>,
}

/// A bundle's model.
pub struct LoadedBundle {
    /// What `model.json` says.
    pub manifest: Manifest,
    /// The weights.
    pub checkpoint: Checkpoint<'static>,
    /// Features of the prompts of a model without text tower.
    pub prompt_features: Option<PromptFeatures>,
}

impl BundleReader {
    /// A reader that expects the shards of `manifest` in order.
    pub fn new(manifest: Manifest) -> Self {
        Self { manifest, next: 0, pieces: BTreeMap::new() }
    }

    /// What `model.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The shard that [`BundleReader::add`] expects next.
    pub fn next_shard(&self) -> Option<&Shard> {
        self.manifest.shards.get(self.next)
    }

    /// Checks the next shard and takes its tensors.
    ///
    /// # Errors
    /// [`Error::Bundle`] when the bytes are not the ones that the manifest names.
    ///
    /// # Panics
    /// If no shard is expected.
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

    /// As [`BundleReader::add`], of a shard whose SHA-256 the caller has compared with the manifest's.
    ///
    /// # Errors
    /// As [`BundleReader::add`], but for the hash.
    ///
    /// # Panics
    /// If no shard is expected.
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

    /// The model, once every shard is there.
    ///
    /// # Errors
    /// [`Error::Bundle`] for missing shards or pieces, and as [`Checkpoint::read_as`].
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

/// A model without text tower scores perception with the prompts whose features it brings along.
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

/// The parameters of `clip`, which may leave out the checkpoint's text tower, as shards of at most
/// [`MAX_SHARD_BYTES`].
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
            shards.last_mut().expect("there is one from the start").push((piece_name, piece));
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

/// One parameter as it is stored: itself, or 8-bit integers and their scales.
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

fn join(name: &str, pieces: BTreeMap<usize, RawTensor<'static>>) -> Result<RawTensor<'static>> {
    let mut pieces = pieces.into_iter();
    let (first_row, mut whole) = pieces.next().expect("a name has a piece");
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
