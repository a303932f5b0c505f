//! Images that are read, decoded and cut on several threads, ready to be scored.

use std::num::NonZeroUsize;

use anyhow::Result;
use image::RgbImage;
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::preprocess::{ViewPlan, Views, decode, is_flat, views};
use tsp_mgs_core::result::{FoundPrompt, ImageScore};
use tsp_mgs_core::scorer::Scorer;
use tsp_mgs_data::parallel::caught;
use tsp_mgs_data::prefetch::Prefetch;

use crate::features::{FeatureStore, ImageFeatures};
use crate::images;
use crate::record::{Image, Name, Record};
use crate::row::Scored;

/// Images that wait for the device beside those in the hands of the threads: two batches, and not fewer than
/// this. 3 MB each with 16 views.
const WAITING: usize = 4;

/// An image ready for the device, or why not.
pub struct Prepared {
    pub(crate) name: Name,
    pub(crate) result: Result<Ready>,
}

/// An image ready for the device.
pub struct Ready {
    pub(crate) content: Content,
    prompt: Option<FoundPrompt>,
    /// Of the image file, when features are kept.
    pub(crate) sha256: Option<String>,
    /// Whether the image has but one colour.
    pub(crate) is_flat: bool,
}

/// What is scored.
pub(crate) enum Content {
    Views(Views),
    /// From an earlier run, or just encoded to be kept.
    Features(ImageFeatures),
}

/// Prepares images on `threads` threads, in bounded memory.
///
/// `prompt` is every image's, if it is given; an image whose features are in `store` is not decoded.
pub fn prepare_all(
    records: impl Iterator<Item = Record> + Send + 'static,
    scorer: &Scorer,
    threads: NonZeroUsize,
    prompt: Option<String>,
    store: Option<FeatureStore>,
) -> Prefetch<Prepared> {
    let plan = scorer.view_plan();
    let room = threads.saturating_add(WAITING.max(2 * scorer.images_at_once()));
    Prefetch::map(records, threads, room, move |Record { name, image, prompt: own }| {
        let given = prompt.as_ref().map(|text| FoundPrompt { text: text.clone(), source: "argument" }).or(own);
        // A decoder that panics costs its image and nothing else.
        let prepare = |image: Image| caught(|| prepare(&image, given, plan, store.as_ref()));
        Prepared { name, result: image.and_then(prepare) }
    })
}

/// Reads, decodes and cuts one image, and finds its prompt if none is given.
///
/// # Errors
/// When it cannot be read or decoded.
pub fn prepare(
    image: &Image,
    prompt: Option<FoundPrompt>,
    plan: ViewPlan,
    store: Option<&FeatureStore>,
) -> Result<Ready> {
    let bytes = image.bytes()?;
    let prompt = match prompt {
        Some(prompt) => Some(prompt),
        None => images::prompt(image.file(), &bytes)?,
    };
    let sha256 = store.map(|_| sha256(&bytes));
    let known = store.zip(sha256.as_ref()).and_then(|(store, sha256)| store.find(sha256));
    let (content, is_flat) = match known {
        Some(features) => {
            let is_flat = features.is_flat;
            (Content::Features(features), is_flat)
        }
        None => {
            let pixels = decode(&bytes)?;
            (Content::Views(views(&pixels, plan)?), is_flat(&pixels))
        }
    };
    Ok(Ready { content, prompt, sha256, is_flat })
}

/// A black image with a prompt. Its score has a device prepare what all scores need.
///
/// # Errors
/// As [`views`].
pub fn blank(plan: ViewPlan) -> Result<Ready> {
    let prompt = Some(FoundPrompt { text: "a photo".into(), source: "argument" });
    let content = Content::Views(views(&RgbImage::new(512, 512), plan)?);
    Ok(Ready { content, prompt, sha256: None, is_flat: true })
}

impl Ready {
    /// With its scores; what the device saw is let go.
    pub fn scored(self, score: ImageScore) -> Scored {
        let (width, height) = self.content.size();
        Scored { width, height, is_flat: self.is_flat, prompt: self.prompt, score }
    }

    /// Its prompt, if it has one.
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
