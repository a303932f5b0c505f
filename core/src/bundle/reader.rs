//! Reads a bundle.

use std::collections::BTreeMap;

use super::manifest::{Manifest, PROMPT_FEATURES, Shard, sha256};
use crate::checkpoint::{Checkpoint, Naming};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::prompts::{PromptFeatures, Task};
use crate::weights::{RawTensor, Tensors, read_safetensors};

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
        [options] if options.task == Task::Perception && !options.prompts.contain_prompt() => options.prompts,
        _ => {
            let expected =
                "a model without text tower scores only perception, by level texts that do not contain the prompt";
            return Err(Error::Bundle(expected.into()));
        }
    };
    let expected = [prompts.levels().len(), manifest.clip.embed_dim];
    let tensor = tensor.ok_or_else(|| Error::MissingTensor(PROMPT_FEATURES.into()))?;
    if tensor.shape != expected || !tensor.is_float() {
        let expected = format!("{expected:?} of floats");
        return Err(Error::Shape { name: PROMPT_FEATURES.into(), expected, found: tensor.shape });
    }
    Ok(PromptFeatures { prompts, values: tensor.to_f32() })
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
