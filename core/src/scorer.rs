//! Scores images: encodes their views and texts, and computes quality from the features.
//!
//! Nothing is read back from the device here. [`Scorer::score_batch`] queues all work of a batch and returns
//! [`PendingScores`]. The caller reads its transaction, blocking or asynchronously, and gets the scores.

mod batch;
mod encoded;
mod image_tower;
mod input;
#[cfg(feature = "gpu")]
mod prepare;
mod prompt_similarity;
mod texts;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::clip::WeightFormat;
use crate::config::ClipConfig;
use crate::encoder::ClipEncoder;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::{Rect, ViewPlan, Views};
use crate::result::Run;
use crate::rows::Rows;
use crate::tokenizer::VOCAB_SIZE;
use crate::words::Prompt;
use batch::{TaskBatch, TaskImage, TextRows};
use texts::Texts;

pub use crate::prompts::PromptFeatures;
pub use batch::PendingScores;
pub use image_tower::{ImageTower, Precision, TOWER_BATCH};
pub use input::{EncodedInput, Input};

/// A model with the options of the tasks that it scores.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::Device;
/// use tsp_mgs_core::options::Options;
/// use tsp_mgs_core::preprocess::views;
/// use tsp_mgs_core::prompts::Task;
/// use tsp_mgs_core::scorer::{ImageTower, Input, Scorer};
/// use tsp_mgs_core::{seeded, selfcheck};
///
/// // A tiny model with random weights. Checkpoint::read and BundleReader load real ones.
/// let checkpoint = seeded::checkpoint(selfcheck::config(), 1);
/// let tasks = vec![Options { crops: 2, ..Options::default_for(Task::Alignment) }];
/// let mut scorer = Scorer::load(checkpoint, None, tasks, ImageTower::default(), Device::flex()).unwrap();
///
/// let views = views(&image::RgbImage::new(512, 512), scorer.view_plan()).unwrap();
/// let pending = scorer.score_batch(&[Input { views: &views, prompt: Some("a cat") }]).unwrap();
/// let data = pending.transaction().try_execute().unwrap();
/// let alignment = pending.scores(&data).unwrap().remove(0).alignment.unwrap();
/// let words: Vec<&str> = alignment.words.iter().map(|word| word.text.as_str()).collect();
/// assert_eq!(words, ["a", "cat"]);
/// assert!(alignment.score.is_finite());
/// # }
/// ```
pub struct Scorer {
    clip: ClipEncoder,
    device: Device,
    tasks: Vec<Options>,
    plan: ViewPlan,
    tower_batch: usize,
    embed_dim: usize,
    texts: Texts,
}

impl Scorer {
    /// Moves a model to `device`, to score the given tasks with it.
    ///
    /// A model without text tower needs `prompt_features`.
    ///
    /// # Errors
    /// - [`Error::Options`] and [`Error::Crops`] for options that contradict each other or the model
    /// - [`Error::Config`] for a vocabulary that differs from CLIP's
    /// - [`Error::Precision`] for a precision that the device does not support
    pub fn load(
        checkpoint: Checkpoint,
        prompt_features: Option<&PromptFeatures>,
        tasks: Vec<Options>,
        tower: ImageTower,
        device: Device,
    ) -> Result<Self> {
        let config = checkpoint.config().clone();
        let clip = |format| ClipEncoder::load(checkpoint, &device, format);
        Self::new(clip, &config, prompt_features, tasks, tower, device.clone())
    }

    /// As [`Scorer::load`], with a function that makes the model. It is called after all options are checked, with the weight
    /// format for the image tower.
    ///
    /// # Errors
    /// As [`Scorer::load`].
    pub fn new(
        clip: impl FnOnce(WeightFormat) -> ClipEncoder,
        config: &ClipConfig,
        prompt_features: Option<&PromptFeatures>,
        tasks: Vec<Options>,
        tower: ImageTower,
        device: Device,
    ) -> Result<Self> {
        let plan = Options::view_plan(&tasks, config.vision.image_size as u32)?;
        tower.check(&device)?;
        if let Some(text) = &config.text
            && text.vocab_size != VOCAB_SIZE
        {
            let found = text.vocab_size;
            return Err(Error::Config(format!("a vocabulary of {found} tokens, expected CLIP's {VOCAB_SIZE}")));
        }
        if config.text.is_none() {
            let known = prompt_features.map(|features| features.prompts);
            if tasks.iter().any(|options| options.fine || Some(options.prompts) != known) {
                return Err(Error::Options(
                    "this model has no text tower: it scores with the prompts that it was exported with, without words"
                        .into(),
                ));
            }
        }
        let clip = clip(tower.weight_format());
        Ok(Self {
            clip,
            tasks,
            plan,
            tower_batch: tower.batch.get(),
            embed_dim: config.embed_dim,
            texts: Texts::new(config, prompt_features, &device),
            device,
        })
    }

    /// The views that each input must have.
    pub fn view_plan(&self) -> ViewPlan {
        self.plan
    }

    /// The number of values of a feature.
    pub fn embed_dim(&self) -> usize {
        self.embed_dim
    }

    /// The options of each task.
    pub fn tasks(&self) -> &[Options] {
        &self.tasks
    }

    /// Sets the number of crops of each task, for the next batches. On an error nothing changes.
    ///
    /// # Errors
    /// [`Error::Crops`] if the number is 0 or greater than the number that every image has.
    pub fn set_crops(&mut self, crops: usize) -> Result<()> {
        let tasks: Vec<Options> = self.tasks.iter().map(|options| Options { crops, ..options.clone() }).collect();
        self.plan = Options::view_plan(&tasks, self.plan.side)?;
        self.tasks = tasks;
        Ok(())
    }

    /// Whether the model can encode prompts. Without a text tower it scores neither words nor alignment.
    pub fn has_text_tower(&self) -> bool {
        self.clip.has_text_tower()
    }

    /// The number of images that fill a batch of the image tower. Callers should pass at least this many images together.
    pub fn images_at_once(&self) -> usize {
        (self.tower_batch / self.plan.len()).max(1)
    }

    /// The number of texts that were encoded. Cached texts do not count.
    pub fn texts_encoded(&self) -> usize {
        self.texts.encoded()
    }

    /// What all results of this scorer have in common. `device`, `model` and `warning` are those of [`Run`].
    pub fn run(&self, device: String, model: String, warning: Option<String>) -> Run {
        let need_prompt =
            self.tasks.iter().filter(|options| options.needs_prompt()).map(|options| options.task).collect();
        let (crops, has_text_tower) = (self.plan.crops, self.has_text_tower());
        Run { device, model, warning, crops, has_text_tower, need_prompt }
    }

    /// The sentence features of the prompts of one task, `[levels, embed_dim]`, for an export without text tower.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    pub fn level_features(&mut self, options: &Options) -> Result<Tensor<2>> {
        let texts = options.prompts.texts("");
        let encoded = self.texts.encode(&self.clip, &texts, &[], &self.device)?;
        let features: Vec<Rows> = texts.iter().map(|text| encoded.sentence(text).feature.clone()).collect();
        Ok(self.clip.gather(&features))
    }

    /// Compiles all kernels of a GPU before the first score, without computing anything. On a processor it does nothing.
    ///
    /// No other thread may use a GPU during this call: its kernels would not be run either.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    pub fn prepare(&mut self) -> Result<()> {
        #[cfg(feature = "gpu")]
        self.compile_kernels()?;
        Ok(())
    }

    /// Queues the scoring of a batch. The score of an image does not depend on the other images of its batch.
    ///
    /// # Errors
    /// [`Error::Options`] if the model has no text tower and a text is not among its prompt features.
    ///
    /// # Panics
    /// If the views of an input were made by another plan, or `inputs` is empty.
    pub fn score_batch(&mut self, inputs: &[Input]) -> Result<PendingScores> {
        let views: Vec<&Views> = inputs.iter().map(|input| input.views).collect();
        let features = self.view_features(&views);
        let crop_rects = views.into_iter().map(|views| views.crop_rects.clone()).collect();
        let prompts: Vec<Option<&str>> = inputs.iter().map(|input| input.prompt).collect();
        self.score_encoded(features, crop_rects, &prompts)
    }

    /// Encodes the texts of a batch whose views are encoded, `[images, views, embed_dim]`.
    fn score_encoded(
        &mut self,
        views: Tensor<3>,
        crop_rects: Vec<Vec<Rect>>,
        prompts: &[Option<&str>],
    ) -> Result<PendingScores> {
        let prompts: Vec<Option<&str>> =
            prompts.iter().map(|prompt| prompt.filter(|prompt| !prompt.trim().is_empty())).collect();
        // The level texts of each image that a task scores.
        let levels_of = |options: &Options| -> Vec<(usize, Vec<String>)> {
            let is_scored = |&image: &usize| !options.needs_prompt() || prompts[image].is_some();
            let levels = |image: usize| (image, options.prompts.texts(prompts[image].unwrap_or_default()));
            (0..prompts.len()).filter(is_scored).map(levels).collect()
        };
        let levels: Vec<Vec<(usize, Vec<String>)>> = self.tasks.iter().map(levels_of).collect();
        let sentences: Vec<String> = levels.iter().flatten().flat_map(|(_, texts)| texts).cloned().collect();
        let has_words = self.has_text_tower() && self.tasks.iter().any(|options| options.fine);
        let with_words: Vec<&str> = prompts.iter().copied().flatten().filter(|_| has_words).collect();
        let encoded = self.texts.encode(&self.clip, &sentences, &with_words, &self.device)?;

        let mut rows = TextRows::default();
        let mut tasks = Vec::new();
        for (options, levels) in self.tasks.iter().zip(levels) {
            let mut images = Vec::with_capacity(levels.len());
            for (image, levels) in levels {
                let sentences: Vec<_> = levels.iter().map(|text| encoded.sentence(text)).collect();
                let prompt: Option<Arc<Prompt>> = prompts[image].filter(|_| has_words).map(|text| encoded.prompt(text));
                let is_truncated = sentences.iter().any(|sentence| sentence.is_truncated)
                    || prompt.as_ref().is_some_and(|prompt| prompt.tokens.is_truncated);
                let levels = sentences.iter().map(|sentence| rows.add(&sentence.feature).start).collect();
                let prompt = prompt.filter(|_| options.fine).map(|prompt| {
                    let tokens = prompt.features.as_ref().map_or(0..0, |features| rows.add(features));
                    (prompt, tokens)
                });
                images.push(TaskImage { image, levels, prompt, is_truncated });
            }
            tasks.push(TaskBatch { options: options.clone(), images });
        }
        let texts = (!rows.parts().is_empty()).then(|| self.clip.gather(rows.parts()));
        Ok(PendingScores { logit_scale: self.clip.logit_scale(), views, texts, plan: self.plan, crop_rects, tasks })
    }
}
