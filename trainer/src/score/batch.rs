//! From records to rows: read, decoded and cut on several threads, scored in full batches.

use std::iter;
use std::num::NonZeroUsize;
use std::sync::Once;

use anyhow::{Result, ensure};
use image::RgbImage;
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::preprocess::{ViewPlan, Views, decode, is_flat, views};
use tsp_mgs_core::result::{FoundPrompt, ImageScore};
use tsp_mgs_core::scorer::{EncodedInput, Input, Scorer};

use super::features::{FeatureStore, ImageFeatures};
use super::line::Line;
use super::record::{Image, Name, Record};
use super::row::{Row, Scored};
use super::{read_back, score_batch};
use crate::ahead::caught;
use crate::images;

/// Images that wait for the device beside those in the hands of the threads: two batches, and not fewer than
/// this. 3 MB each with 16 views.
const WAITING: usize = 4;

/// Rows of one batch, most of them errors: more are not waited for.
const MAX_ROWS: usize = 256;

/// An image ready for the device, or why not.
pub struct Prepared {
    name: Name,
    result: Result<Ready>,
}

/// An image ready for the device.
pub struct Ready {
    seen: Seen,
    prompt: Option<FoundPrompt>,
    /// Of the image file, when features are kept.
    sha256: Option<String>,
    /// Whether the image has but one colour.
    is_flat: bool,
}

/// What is scored.
enum Seen {
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
) -> Line<Prepared> {
    let plan = scorer.view_plan();
    let room = threads.saturating_add(WAITING.max(2 * scorer.images_at_once()));
    Line::start(records, threads, room, move |Record { name, image, prompt: own }| {
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
    let (seen, is_flat) = match known {
        Some(features) => {
            let is_flat = features.is_flat;
            (Seen::Features(features), is_flat)
        }
        None => {
            let pixels = decode(&bytes)?;
            (Seen::Views(views(&pixels, plan)?), is_flat(&pixels))
        }
    };
    Ok(Ready { seen, prompt, sha256, is_flat })
}

/// A black image with a prompt. Its score has a device prepare what all scores need.
///
/// # Errors
/// As [`views`].
pub fn blank(plan: ViewPlan) -> Result<Ready> {
    let prompt = Some(FoundPrompt { text: "a photo".into(), source: "argument" });
    let seen = Seen::Views(views(&RgbImage::new(512, 512), plan)?);
    Ok(Ready { seen, prompt, sha256: None, is_flat: true })
}

/// Scores what is prepared, in order, a full batch at a time; an image that fails does not touch the others.
///
/// Where a batch starts and ends follows from the images alone, and not from how fast they come. With a `store`, the
/// features of each image are kept.
pub fn score_all(
    scorer: &mut Scorer,
    mut prepared: impl Iterator<Item = Prepared>,
    store: Option<&FeatureStore>,
) -> impl Iterator<Item = Vec<Row>> {
    iter::from_fn(move || {
        let mut batch = next_batch(&mut prepared, scorer.images_at_once());
        if let Some(store) = store {
            encode(scorer, &mut batch, store);
        }
        (!batch.is_empty()).then(|| score_rows(scorer, batch))
    })
}

/// Takes images until there are `images` that can be scored.
fn next_batch(prepared: &mut impl Iterator<Item = Prepared>, images: usize) -> Vec<Prepared> {
    let (mut batch, mut readable) = (Vec::new(), 0);
    while readable < images && batch.len() < MAX_ROWS {
        let Some(next) = prepared.next() else { break };
        readable += usize::from(next.result.is_ok());
        batch.push(next);
    }
    batch
}

/// Puts features in the place of views, and keeps them.
fn encode(scorer: &Scorer, batch: &mut [Prepared], store: &FeatureStore) {
    let new: Vec<&mut Ready> = batch.iter_mut().filter_map(|image| image.result.as_mut().ok()).collect();
    let new: Vec<&mut Ready> = new.into_iter().filter(|ready| matches!(ready.seen, Seen::Views(_))).collect();
    let views: Vec<&Views> = new.iter().filter_map(|ready| ready.seen.views()).collect();
    if views.is_empty() {
        return;
    }
    // What the device cannot encode together, it is asked to score one by one.
    let features = scorer.view_features(&views).try_into_data().ok().and_then(|data| data.try_to_vec::<f32>().ok());
    let Some(features) = features else { return };
    let length = features.len() / new.len();
    for (ready, values) in new.into_iter().zip(features.chunks_exact(length)) {
        let Some(views) = ready.seen.views() else { continue };
        let (width, height) = (views.width, views.height);
        let (windows, is_flat) = (views.windows.clone(), ready.is_flat);
        let features = ImageFeatures { values: values.to_vec(), windows, width, height, is_flat };
        let is_finite = values.iter().all(|value| value.is_finite());
        if let Some(sha256) = ready.sha256.as_ref().filter(|_| is_finite)
            && let Err(error) = store.keep(sha256, &features)
        {
            // Scores do not depend on it; the first of what may be millions is told.
            static TOLD: Once = Once::new();
            TOLD.call_once(|| eprintln!("note: {error:#}"));
        }
        ready.seen = Seen::Features(features);
    }
}

fn score_rows(scorer: &mut Scorer, batch: Vec<Prepared>) -> Vec<Row> {
    let ready: Vec<&Ready> = batch.iter().filter_map(|image| image.result.as_ref().ok()).collect();
    let mut scores = score_each(scorer, &ready).into_iter();
    let row = |Prepared { name, result }| {
        let result = result.and_then(|ready| {
            let score = scores.next().expect("one score for each readable image")?;
            Ok(ready.scored(score))
        });
        Row { name, result }
    };
    batch.into_iter().map(row).collect()
}

/// Scores images together, one result each; one that fails does not touch the others.
pub fn score_each(scorer: &mut Scorer, ready: &[&Ready]) -> Vec<Result<ImageScore>> {
    if ready.is_empty() {
        return Vec::new();
    }
    // A batch that fails as a whole is tried image by image, so that the guilty one is found.
    match score_ready(scorer, ready) {
        Ok(scores) => scores.into_iter().map(Ok).collect(),
        Err(error) if ready.len() == 1 => vec![Err(error)],
        Err(_) => ready.iter().map(|&ready| Ok(score_ready(scorer, &[ready])?.remove(0))).collect(),
    }
}

/// Scores of some images, of all of which there are views, or of all features.
fn score_ready(scorer: &mut Scorer, ready: &[&Ready]) -> Result<Vec<ImageScore>> {
    let inputs: Vec<Input> =
        ready.iter().filter_map(|ready| Some(Input { views: ready.seen.views()?, prompt: ready.prompt() })).collect();
    if inputs.len() == ready.len() {
        return score_batch(scorer, &inputs);
    }
    let encoded = ready.iter().filter_map(|ready| match &ready.seen {
        Seen::Views(_) => None,
        Seen::Features(ImageFeatures { values, windows, .. }) => {
            Some(EncodedInput { features: values, windows, prompt: ready.prompt() })
        }
    });
    let encoded: Vec<EncodedInput> = encoded.collect();
    ensure!(encoded.len() == ready.len(), "the device could not encode the views of some images");
    read_back(scorer.score_features(&encoded)?)
}

impl Ready {
    /// With its scores; what the device saw is let go.
    pub fn scored(self, score: ImageScore) -> Scored {
        let (width, height) = self.seen.size();
        Scored { width, height, is_flat: self.is_flat, prompt: self.prompt, score }
    }

    /// Its prompt, if it has one.
    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_ref().map(|prompt| prompt.text.as_str())
    }
}

impl Seen {
    fn views(&self) -> Option<&Views> {
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
