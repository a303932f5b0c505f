//! Image features on disk, so that a new prompt, prompt set or α scores again without decoding and without the image
//! tower.
//!
//! A folder for each model, preprocessing and number of crops; in it a safetensors file for each image, called by
//! the SHA-256 of the image file's bytes. Files are written under another name first and never changed; one that is
//! damaged is made anew.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
use tsp_mgs_core::preprocess::{PREPROCESS_ID, Rect, ViewPlan};
use tsp_mgs_core::scorer::Scorer;
use tsp_mgs_data::files::write_whole;

use crate::scorer_args::TowerPrecision;

const TENSOR: &str = "features";
/// The entry of an image of one colour; others have none.
const FLAT: &str = "flat";

/// A folder of features of one model's views.
#[derive(Clone)]
pub struct FeatureStore {
    folder: PathBuf,
    plan: ViewPlan,
    embed_dim: usize,
}

/// What the model sees in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeatures {
    /// `[views, embed_dim]`, row-major, the resized image first, if the plan has it.
    pub values: Vec<f32>,
    /// The area of each crop.
    pub windows: Vec<Rect>,
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// Whether it has but one colour.
    pub is_flat: bool,
}

impl FeatureStore {
    /// Opens the folder; makes it if there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path, model: &str, scorer: &Scorer, precision: TowerPrecision) -> Result<Self> {
        let plan = scorer.view_plan();
        // The image tower stays the same whatever the options: the bundle that they stand in is what is known of it.
        let mut name = format!("{model}.{PREPROCESS_ID}.crops-{}", plan.crops);
        if precision != TowerPrecision::F32 {
            name = format!("{name}.{}", precision.name());
        }
        let folder = folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("making the folder of features {}", folder.display()))?;
        Ok(Self { folder, plan, embed_dim: scorer.embed_dim() })
    }

    /// The features of the image file with this hash, if they are there.
    pub fn find(&self, sha256: &str) -> Option<ImageFeatures> {
        let bytes = fs::read(self.path(sha256)).ok()?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
        let metadata = metadata.metadata().as_ref()?;
        let number = |name: &str| metadata.get(name)?.parse().ok();
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let tensor = tensors.tensor(TENSOR).ok().filter(|tensor| tensor.dtype() == Dtype::F32)?;
        let mut values: Vec<f32> = tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        let kept = self.plan.len() * self.embed_dim;
        // The resized image may have been looked at and is not now; the other way round, it is missing.
        if values.len() == kept + self.embed_dim && !self.plan.has_image {
            values.drain(..self.embed_dim);
        }
        let windows: Vec<Rect> = serde_json::from_str(metadata.get("windows")?).ok()?;
        (values.len() == kept && windows.len() == self.plan.crops).then_some(ImageFeatures {
            values,
            windows,
            width: number("width")?,
            height: number("height")?,
            // Files that were written before this entry existed lack it.
            is_flat: metadata.contains_key(FLAT),
        })
    }

    /// Keeps an image's features.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self, sha256: &str, features: &ImageFeatures) -> Result<()> {
        let path = self.path(sha256);
        let keep = || -> Result<()> {
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder)?;
            let data: Vec<u8> = features.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let shape = vec![self.plan.len(), self.embed_dim];
            let mut metadata = HashMap::from([
                ("width".to_owned(), features.width.to_string()),
                ("height".to_owned(), features.height.to_string()),
                ("windows".to_owned(), serde_json::to_string(&features.windows)?),
            ]);
            if features.is_flat {
                metadata.insert(FLAT.to_owned(), "true".to_owned());
            }
            let bytes = serialize([(TENSOR, TensorView::new(Dtype::F32, shape, &data)?)], Some(metadata))?;
            write_whole(&path, &bytes)
        };
        keep().with_context(|| format!("keeping features in {}: make room, or leave --features out", path.display()))
    }

    /// Not all in one folder: millions of names make some file systems slow.
    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(&sha256[..2]).join(format!("{sha256}.safetensors"))
    }
}
