//! A store of image features on disk (`--features`).
//!
//! With stored features, an image is scored again with another prompt, prompt set or α without decoding it and without
//! the image tower. The store has one folder for each combination of model, preprocessing and number of crops. A folder
//! has one safetensors file for each image, whose name is the SHA-256 of the image file. A file is written under a
//! temporary name, and never changed afterwards. A damaged file is replaced.

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
/// The metadata entry of an image whose pixels all have the same colour. Other images do not have this entry.
const FLAT: &str = "flat";

/// The folder of the features of one model, one preprocessing and one number of crops.
#[derive(Clone)]
pub struct FeatureStore {
    folder: PathBuf,
    plan: ViewPlan,
    embed_dim: usize,
}

/// The features of the views of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeatures {
    /// `[views, embed_dim]`, row-major. The first view is the resized image, if the plan has it.
    pub values: Vec<f32>,
    /// The area of each crop in the upscaled image.
    pub crop_rects: Vec<Rect>,
    /// The width of the upright image in pixels.
    pub width: u32,
    /// The height of the upright image in pixels.
    pub height: u32,
    /// Whether all pixels have the same colour.
    pub is_flat: bool,
}

impl FeatureStore {
    /// Opens the folder for a scorer, or creates it. `model` is
    /// [`Model::features_key`](crate::model::Model::features_key).
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn open(folder: &Path, model: &str, scorer: &Scorer, precision: TowerPrecision) -> Result<Self> {
        let plan = scorer.view_plan();
        // Other options of a score are not part of the name, because features do not depend on them.
        let mut name = format!("{model}.{PREPROCESS_ID}.crops-{}", plan.crops);
        if precision != TowerPrecision::F32 {
            name = format!("{name}.{}", precision.name());
        }
        let folder = folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("creating the folder of features {}", folder.display()))?;
        Ok(Self { folder, plan, embed_dim: scorer.embed_dim() })
    }

    /// Returns the stored features of the image file with this hash, or `None` if there are none that fit the view
    /// plan.
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
        let expected = self.plan.len() * self.embed_dim;
        // The features may have been stored with the resized image, which this plan does not use.
        if values.len() == expected + self.embed_dim && !self.plan.has_image {
            values.drain(..self.embed_dim);
        }
        let crop_rects: Vec<Rect> = serde_json::from_str(metadata.get("windows")?).ok()?;
        (values.len() == expected && crop_rects.len() == self.plan.crops).then_some(ImageFeatures {
            values,
            crop_rects,
            width: number("width")?,
            height: number("height")?,
            // Files from before this entry existed do not have it.
            is_flat: metadata.contains_key(FLAT),
        })
    }

    /// Stores the features of an image.
    ///
    /// # Errors
    /// Returns an error if they cannot be written.
    pub fn store(&self, sha256: &str, features: &ImageFeatures) -> Result<()> {
        let path = self.path(sha256);
        let store = || -> Result<()> {
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder)?;
            let data: Vec<u8> = features.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let shape = vec![self.plan.len(), self.embed_dim];
            let mut metadata = HashMap::from([
                ("width".to_owned(), features.width.to_string()),
                ("height".to_owned(), features.height.to_string()),
                ("windows".to_owned(), serde_json::to_string(&features.crop_rects)?),
            ]);
            if features.is_flat {
                metadata.insert(FLAT.to_owned(), "true".to_owned());
            }
            let bytes = serialize([(TENSOR, TensorView::new(Dtype::F32, shape, &data)?)], Some(metadata))?;
            write_whole(&path, &bytes)
        };
        store().with_context(|| format!("storing features in {}: free disk space, or omit --features", path.display()))
    }

    /// Returns the path of an image's features. Subfolders keep folders small, because some file systems are slow with
    /// millions of names in one folder.
    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(&sha256[..2]).join(format!("{sha256}.safetensors"))
    }
}
