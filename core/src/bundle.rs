//! Model bundles: a folder with `model.json` and safetensors shards, for native programs and browsers.
//!
//! A shard has at most [`MAX_SHARD_BYTES`]. Tensors have OpenAI's names. A tensor that does not fit into a shard is split along its
//! first axis into pieces `NAME@ROW`, where `ROW` is the first row of the piece. An int8 tensor `NAME` has scales in a float32
//! tensor `NAME:scale`, which broadcasts against it. In a bundle without text tower, `prompt_features`, `[levels, embed_dim]`, has
//! the features of its prompts.

mod manifest;
mod reader;
mod writer;

pub use manifest::{MANIFEST, Manifest, Provenance, ScoreDifference, Shard, WeightType, sha256};
pub use reader::{BundleReader, LoadedBundle};
pub use writer::{MAX_SHARD_BYTES, write_shards};
