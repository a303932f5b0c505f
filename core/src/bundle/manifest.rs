//! The manifest of a bundle, `model.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::ClipConfig;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::PREPROCESS_ID;
use crate::prompts::Task;

/// The name of the file that describes a bundle.
pub const MANIFEST: &str = "model.json";
/// The name of the tensor with the features of prompts.
pub(super) const PROMPT_FEATURES: &str = "prompt_features";

const FORMAT: &str = "tsp-mgs";
const VERSION: u32 = 1;

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
    #[serde(with = "crate::options::stored")]
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
    /// [`Error::Bundle`] with the line of a syntax error, and for an unsupported version, preprocessing or file name.
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
        self.shards.iter().fold(0, |total: usize, shard| total.saturating_add(shard.size))
    }
}

/// The SHA-256 of some bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
