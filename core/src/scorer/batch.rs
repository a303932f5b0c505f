//! A batch whose features are queued on the device, and the scores that follow from them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData, Transaction};

use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::{Rect, ViewPlan};
use crate::prompts::Task;
use crate::quality::{PlainFeatures, PlainQuality, PlainView, plain_quality};
use crate::result::{CropScore, ImageScore, TaskScore, WordScore};
use crate::rows::Rows;
use crate::words::{Prompt, token_groups};

/// A batch whose features are queued on the device. All of them are read in one [transaction](Self::transaction), blocking or
/// asynchronously; then [`Self::scores`] computes the scores.
pub struct PendingScores {
    /// The learned logarithm, `[1]`.
    pub(super) logit_scale: Tensor<1>,
    /// `[images, views, embed_dim]`
    pub(super) views: Tensor<3>,
    /// Sentences and tokens, `[texts, embed_dim]`; `None` if no task is scored.
    pub(super) texts: Option<Tensor<2>>,
    pub(super) plan: ViewPlan,
    /// The area of each crop of each image.
    pub(super) crop_rects: Vec<Vec<Rect>>,
    pub(super) tasks: Vec<TaskBatch>,
}

/// A task, and the images that it scores.
pub(super) struct TaskBatch {
    pub(super) options: Options,
    pub(super) images: Vec<TaskImage>,
}

/// An image that a task scores. Texts are rows of [`PendingScores::texts`].
pub(super) struct TaskImage {
    /// The place of the image in the batch.
    pub(super) image: usize,
    /// The sentence of each level, worst first.
    pub(super) levels: Vec<usize>,
    /// The prompt and its tokens; `None` if its words do not count.
    pub(super) prompt: Option<(Arc<Prompt>, Range<usize>)>,
    /// Whether the prompt, or a sentence with the prompt, was truncated.
    pub(super) is_truncated: bool,
}

/// Collects rows of text features for one matrix. Equal rows are collected once.
#[derive(Default)]
pub(super) struct TextRows {
    parts: Vec<Rows>,
    places: HashMap<(*const Tensor<2>, Range<usize>), Range<usize>>,
    len: usize,
}

impl TextRows {
    /// The places of `rows` in the collected matrix.
    pub(super) fn add(&mut self, rows: &Rows) -> Range<usize> {
        let place = self.places.entry((Arc::as_ptr(&rows.matrix), rows.range.clone())).or_insert_with(|| {
            let start = self.len;
            self.len += rows.range.len();
            self.parts.push(rows.clone());
            start..self.len
        });
        place.clone()
    }

    /// The collected rows, in order.
    pub(super) fn parts(&self) -> &[Rows] {
        &self.parts
    }
}

impl PendingScores {
    /// One read-back of all features of the batch: `try_execute` blocks, `execute_async` does not.
    pub fn transaction(&self) -> Transaction {
        let transaction = Transaction::default().register(self.logit_scale.clone()).register(self.views.clone());
        match &self.texts {
            Some(texts) => transaction.register(texts.clone()),
            None => transaction,
        }
    }

    /// The scores of each image, computed from the data that [`Self::transaction`] read.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if a feature is infinite or not a number.
    ///
    /// # Panics
    /// If `data` comes from another transaction.
    pub fn scores(&self, data: &[TensorData]) -> Result<Vec<ImageScore>> {
        let mut tensors = data.iter().map(|data| data.as_slice::<f32>().expect("features are float32"));
        let [logit_scale, views, texts] = [(); 3].map(|()| tensors.next().unwrap_or_default());
        let [images, views_each, embed_dim] = self.views.dims();
        let length = [images, views_each, embed_dim].iter().product::<usize>();
        assert!(logit_scale.len() == 1 && views.len() == length, "data of this batch's transaction");
        if [logit_scale, views, texts].into_iter().flatten().any(|value| !value.is_finite()) {
            return Err(Error::NotFinite);
        }
        let logit_scale = f64::from(logit_scale[0]);
        let views: Vec<&[f32]> = views.chunks_exact(embed_dim).collect();
        let texts: Vec<&[f32]> = texts.chunks_exact(embed_dim).collect();

        let none = ImageScore { perception: None, alignment: None, prompt_truncated: false };
        let mut scores = vec![none; images];
        for TaskBatch { options, images } in &self.tasks {
            for TaskImage { image, levels, prompt, is_truncated } in images {
                let views = &views[image * views_each..][..views_each];
                let prompt = prompt.as_ref();
                let features = PlainFeatures {
                    image: views.first().copied().filter(|_| self.plan.has_image && options.needs_image()),
                    crops: if options.needs_crops() { &views[self.plan.crop_range()] } else { &[] },
                    levels: levels.iter().map(|&row| texts[row]).collect(),
                    tokens: &texts[prompt.map_or(0..0, |(_, rows)| rows.clone())],
                    words: prompt.map(|(prompt, _)| token_groups(&prompt.tokens, options.words)).unwrap_or_default(),
                    logit_scale,
                };
                let words = prompt.map(|(prompt, _)| words(prompt, &features.words)).unwrap_or_default();
                let score = task_score(plain_quality(&features, options), options, words, &self.crop_rects[*image]);
                let image = &mut scores[*image];
                image.prompt_truncated |= is_truncated;
                match options.task {
                    Task::Perception => image.perception = Some(score),
                    Task::Alignment => image.alignment = Some(score),
                }
            }
        }
        Ok(scores)
    }
}

/// The words of a prompt, without similarities.
fn words(prompt: &Prompt, groups: &[Range<usize>]) -> Vec<WordScore> {
    let word = |group: &Range<usize>| {
        let bytes = prompt.tokens.spans[group.start].start..prompt.tokens.spans[group.end - 1].end;
        let start = prompt.text[..bytes.start].chars().count();
        let text = prompt.text[bytes].to_owned();
        let end = start + text.chars().count();
        WordScore { text, start, end, w_image: None, w_patches: None }
    };
    groups.iter().map(word).collect()
}

/// Assembles a task's score from its parts.
fn task_score(quality: PlainQuality, options: &Options, mut words: Vec<WordScore>, crop_rects: &[Rect]) -> TaskScore {
    let PlainQuality { score, q_fine, image, crops, each_crop } = quality;
    let view = |view: Option<PlainView>| match view {
        Some(PlainView { p, q, words, w }) => (Some(q), Some(p), w, words),
        None => (None, None, None, Vec::new()),
    };
    let (q_image, p_image, w_image, words_image) = view(image);
    let (q_patches, p_patches, w_patches, words_patches) = view(crops);
    for (i, word) in words.iter_mut().enumerate() {
        (word.w_image, word.w_patches) = (words_image.get(i).copied(), words_patches.get(i).copied());
    }
    let patches = crop_rects.iter().zip(each_crop).map(|(&rect, p)| CropScore { rect, p }).collect();
    TaskScore {
        score,
        alpha: options.alpha.value() as f32,
        q_image,
        q_patches,
        q_fine,
        levels: options.prompts.levels(),
        p_image,
        p_patches,
        w_image,
        w_patches,
        words,
        patches,
    }
}
