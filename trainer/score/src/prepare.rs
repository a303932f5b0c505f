//! Reads, decodes and cuts images on several threads, so that they are ready to be scored.

use std::num::NonZeroUsize;

use anyhow::Result;
use image::RgbImage;
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::preprocess::{ViewPlan, Views, decode, is_flat, views};
use tsp_mgs_core::result::{FoundPrompt, ImageScore};
use tsp_mgs_core::scorer::Scorer;
use tsp_mgs_data::parallel::catch_panic;
use tsp_mgs_data::prefetch::Prefetch;

use crate::features::{FeatureStore, ImageFeatures};
use crate::gallery::thumbnail::Thumbnail;
use crate::input::images;
use crate::input::record::{Image, Record, RecordName};
use crate::results::row::ScoredImage;

/// The minimum number of prepared images that may wait for the device. The actual number is at least two batches. An
/// image takes 3 MB with 16 views of 224 pixels.
const MIN_WAITING: usize = 4;

/// An image that is ready for the device, or the error that prevented it.
pub struct PreparedRecord {
    pub(crate) name: RecordName,
    pub(crate) result: Result<PreparedImage>,
}

/// An image that is ready for the device.
pub struct PreparedImage {
    pub(crate) content: Content,
    prompt: Option<FoundPrompt>,
    /// The SHA-256 of the image file, if features are stored.
    pub(crate) sha256: Option<String>,
    /// Whether all pixels have the same colour.
    pub(crate) is_flat: bool,
    /// The thumbnail, if a gallery is written.
    thumbnail: Option<Thumbnail>,
}

/// The input of the image tower, or its output.
pub(crate) enum Content {
    Views(Views),
    /// Features that an earlier run stored, or that are to be stored.
    Features(ImageFeatures),
}

/// Prepares images in order on `threads` threads. The number of prepared images in memory is bounded.
///
/// If `prompt` is given, it is the prompt of all images. If `thumbnail_side` is given, a thumbnail is made of each
/// image, whose longer side has at most this number of pixels. Otherwise, an image whose features are in `store` is not
/// decoded.
pub fn prepare_all(
    records: impl Iterator<Item = Record> + Send + 'static,
    scorer: &Scorer,
    threads: NonZeroUsize,
    prompt: Option<String>,
    store: Option<FeatureStore>,
    thumbnail_side: Option<u32>,
) -> Prefetch<PreparedRecord> {
    let plan = scorer.view_plan();
    let room = threads.saturating_add(MIN_WAITING.max(2 * scorer.images_at_once()));
    Prefetch::map(records, threads, room, move |Record { name, image, prompt: in_record }| {
        let argument = prompt.as_ref().map(|text| FoundPrompt { text: text.clone(), source: "argument" });
        let prompt = argument.or(in_record);
        // A panic of a decoder becomes the error of its image.
        let prepare = |image: Image| catch_panic(|| prepare_with(&image, prompt, plan, store.as_ref(), thumbnail_side));
        PreparedRecord { name, result: image.and_then(prepare) }
    })
}

/// Reads, decodes and cuts one image. If `prompt` is `None`, it also looks for the prompt beside and in the image file.
///
/// # Errors
/// Returns an error if the image or its prompt cannot be read.
pub fn prepare(
    image: &Image,
    prompt: Option<FoundPrompt>,
    plan: ViewPlan,
    store: Option<&FeatureStore>,
) -> Result<PreparedImage> {
    prepare_with(image, prompt, plan, store, None)
}

/// [`prepare`], with a thumbnail if its longer side is given.
fn prepare_with(
    image: &Image,
    prompt: Option<FoundPrompt>,
    plan: ViewPlan,
    store: Option<&FeatureStore>,
    thumbnail_side: Option<u32>,
) -> Result<PreparedImage> {
    let bytes = image.bytes()?;
    let prompt = match prompt {
        Some(prompt) => Some(prompt),
        None => images::prompt(image.file(), &bytes)?,
    };
    let sha256 = store.map(|_| sha256(&bytes));
    let known = store.zip(sha256.as_ref()).and_then(|(store, sha256)| store.find(sha256));
    let thumbnail = |pixels: &RgbImage| thumbnail_side.map(|side| Thumbnail::new(&bytes, pixels, side)).transpose();
    let (content, is_flat, thumbnail) = match known {
        Some(features) => {
            let is_flat = features.is_flat;
            let thumbnail = if thumbnail_side.is_some() { thumbnail(&decode(&bytes)?)? } else { None };
            (Content::Features(features), is_flat, thumbnail)
        }
        None => {
            let pixels = decode(&bytes)?;
            (Content::Views(views(&pixels, plan)?), is_flat(&pixels), thumbnail(&pixels)?)
        }
    };
    Ok(PreparedImage { content, prompt, sha256, is_flat, thumbnail })
}

/// Returns a black image with a prompt. A server scores it at start, so that the device compiles its kernels.
///
/// # Errors
/// Returns an error in the cases of [`views`].
pub fn blank(plan: ViewPlan) -> Result<PreparedImage> {
    let prompt = Some(FoundPrompt { text: "a photo".into(), source: "argument" });
    let content = Content::Views(views(&RgbImage::new(512, 512), plan)?);
    Ok(PreparedImage { content, prompt, sha256: None, is_flat: true, thumbnail: None })
}

impl PreparedImage {
    /// Combines the image with its scores, and frees its views or features.
    pub fn scored(self, score: ImageScore) -> ScoredImage {
        let (width, height) = self.content.size();
        ScoredImage { width, height, is_flat: self.is_flat, prompt: self.prompt, score, thumbnail: self.thumbnail }
    }

    /// Returns the prompt of the image, if it has one.
    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_ref().map(|prompt| prompt.text.as_str())
    }
}

impl Content {
    pub(crate) fn views(&self) -> Option<&Views> {
        match self {
            Self::Views(views) => Some(views),
            Self::Features(_) => None,
        }
    }

    fn size(&self) -> (u32, u32) {
        match self {
            Self::Views(views) => (views.width, views.height),
            Self::Features(features) => (features.width, features.height),
        }
    }
}
