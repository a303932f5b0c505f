//! From views and prompts to scores: encodes what is new, reuses what is known.
//!
//! Nothing is read back from the device here. [`Scorer::score_batch`] queues the work and gives a
//! tensor of numbers and a [`Layout`] that tells what they are; the caller reads the one, blocking
//! or asynchronously, and hands it to the other.

mod encoded;
mod image_tower;
#[cfg(feature = "gpu")]
mod prepare;
mod prompt_similarity;
mod texts;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::clip::Form;
use crate::config::ClipConfig;
use crate::encoder::ClipEncoder;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::{ViewPlan, Views, Window};
use crate::prompts::{PromptSet, Task};
use crate::result::{Layout, TaskLayout};
use crate::rows::Rows;
use crate::tokenizer::VOCAB_SIZE;
use crate::words::Prompt;
use texts::Texts;

pub use encoded::EncodedInput;
pub use image_tower::{ImageTower, Precision, TOWER_BATCH};

/// A model ready to score.
pub struct Scorer {
    clip: ClipEncoder,
    device: Device,
    tasks: Vec<Options>,
    plan: ViewPlan,
    tower_batch: usize,
    embed_dim: usize,
    texts: Texts,
}

/// Sentence features of a set of prompts, for a model that cannot compute them.
#[derive(Clone, Debug)]
pub struct PromptFeatures {
    /// The prompts; they do not depend on the image.
    pub prompts: PromptSet,
    /// Row-major `[levels, embed_dim]`, not unit length.
    pub values: Vec<f32>,
}

/// One image to score.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Its views, made by the scorer's [`Scorer::view_plan`].
    pub views: &'a Views,
    /// Its initial prompt; `None` or blank when it has none.
    pub prompt: Option<&'a str>,
}

impl Scorer {
    /// Uploads a model to `device`, to score one or both tasks with it.
    ///
    /// A model without text tower brings the features of its prompts along.
    ///
    /// # Errors
    /// [`Error::Options`] and [`Error::Crops`] for options that the model cannot follow; [`Error::Precision`] for another
    /// precision than float32 where the device is no processor.
    pub fn load(
        checkpoint: Checkpoint,
        prompt_features: Option<&PromptFeatures>,
        tasks: Vec<Options>,
        tower: ImageTower,
        device: Device,
    ) -> Result<Self> {
        let config = checkpoint.config().clone();
        let clip = |form| ClipEncoder::load(checkpoint, &device, form);
        Self::new(clip, &config, prompt_features, tasks, tower, device.clone())
    }

    /// As [`Scorer::load`], with a model of these sizes that is on the device already; it is asked for
    /// once the options were found to fit, and told how its image tower's weights are best kept.
    ///
    /// # Errors
    /// As [`Scorer::load`].
    pub fn new(
        clip: impl FnOnce(Form) -> ClipEncoder,
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
        let clip = clip(tower.form());
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

    /// The views that every input must have.
    pub fn view_plan(&self) -> ViewPlan {
        self.plan
    }

    /// Numbers of a feature.
    pub fn embed_dim(&self) -> usize {
        self.embed_dim
    }

    /// The options of each task.
    pub fn tasks(&self) -> &[Options] {
        &self.tasks
    }

    /// Sets how many patches each task looks at, from the next batch on. On an error nothing changes.
    ///
    /// # Errors
    /// [`Error::Crops`] when there are more than every image has, or none.
    pub fn set_crops(&mut self, crops: usize) -> Result<()> {
        let tasks: Vec<Options> = self.tasks.iter().map(|options| Options { crops, ..options.clone() }).collect();
        self.plan = Options::view_plan(&tasks, self.plan.side)?;
        self.tasks = tasks;
        Ok(())
    }

    /// Whether prompts can be read: without, no words and no alignment are scored.
    pub fn has_text_tower(&self) -> bool {
        self.clip.has_text_tower()
    }

    /// How many images at least fill the image tower: what a caller should hand over together.
    pub fn images_at_once(&self) -> usize {
        (self.tower_batch / self.plan.len()).max(1)
    }

    /// How many texts the text tower has encoded so far; known ones are not encoded again.
    pub fn texts_encoded(&self) -> usize {
        self.texts.encoded()
    }

    /// The sentence features of one task's prompts, `[levels, embed_dim]`, to be kept with a model
    /// that goes without its text tower.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    pub fn level_features(&mut self, options: &Options) -> Result<Tensor<2>> {
        let texts = options.prompts.texts("");
        let encoded = self.texts.encode(&self.clip, &texts, &[], &self.device)?;
        let features: Vec<Rows> = texts.iter().map(|text| encoded.sentence(text).feature.clone()).collect();
        Ok(self.clip.collect(&features))
    }

    /// Compiles the kernels of a GPU before the first score, and computes nothing. Later batches and prompts need no others. On
    /// a processor it does nothing.
    ///
    /// Nothing else may use a GPU in this process meanwhile: it would not be computed either.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    pub fn prepare(&mut self) -> Result<()> {
        #[cfg(feature = "gpu")]
        self.compile_kernels()?;
        Ok(())
    }

    /// Queues the scoring of a batch; an image scores in it as it does alone.
    ///
    /// Gives `[numbers]` on the device and what they mean.
    ///
    /// # Errors
    /// [`Error::Options`] when the model has neither a text tower nor features of a text it needs.
    ///
    /// # Panics
    /// If an input's views were made by another plan, or there is none.
    pub fn score_batch(&mut self, inputs: &[Input]) -> Result<(Tensor<1>, Layout)> {
        let views: Vec<&Views> = inputs.iter().map(|input| input.views).collect();
        let features = self.view_features(&views);
        let windows = views.into_iter().map(|views| views.windows.clone()).collect();
        let prompts: Vec<Option<&str>> = inputs.iter().map(|input| input.prompt).collect();
        self.score_encoded(features, windows, &prompts)
    }

    /// From features of views, `[inputs, views, embed_dim]`, to numbers.
    fn score_encoded(
        &mut self,
        features: Tensor<3>,
        windows: Vec<Vec<Window>>,
        prompts: &[Option<&str>],
    ) -> Result<(Tensor<1>, Layout)> {
        let prompts: Vec<Option<&str>> =
            prompts.iter().map(|prompt| prompt.filter(|prompt| !prompt.trim().is_empty())).collect();
        let mut scored_tasks = Vec::new();
        for options in &self.tasks {
            let is_scored = |&image: &usize| options.task() == Task::Perception || prompts[image].is_some();
            let scored: Vec<usize> = (0..prompts.len()).filter(is_scored).collect();
            if !scored.is_empty() {
                let texts = |&image: &usize| options.prompts.texts(prompts[image].unwrap_or_default());
                let levels: Vec<Vec<String>> = scored.iter().map(texts).collect();
                scored_tasks.push((options.clone(), scored, levels));
            }
        }
        let has_words = self.has_text_tower() && self.tasks.iter().any(|options| options.fine);
        let sentences: Vec<String> = scored_tasks.iter().flat_map(|(_, _, levels)| levels.concat()).collect();
        let readable: Vec<&str> = prompts.iter().copied().flatten().filter(|_| has_words).collect();
        let encoded = self.texts.encode(&self.clip, &sentences, &readable, &self.device)?;
        let words: Vec<Option<Arc<Prompt>>> =
            prompts.iter().map(|prompt| prompt.filter(|_| has_words).map(|prompt| encoded.prompt(prompt))).collect();

        let [images, views, embed_dim] = features.dims();
        let mut layout = Layout { images: windows, has_image: self.plan.has_image, embed_dim, tasks: Vec::new() };
        // In the order in which the layout reads them.
        let mut rows = vec![self.clip.scale_row(), Rows::all(features.reshape([images * views, embed_dim]))];
        for (options, scored, texts) in scored_tasks {
            let prompts: Vec<Option<Arc<Prompt>>> =
                scored.iter().map(|&image| words[image].clone().filter(|_| options.fine)).collect();
            for (levels, prompt) in texts.iter().zip(&prompts) {
                rows.extend(levels.iter().map(|text| encoded.sentence(text).feature.clone()));
                rows.extend(prompt.iter().filter_map(|prompt| prompt.features.clone()));
            }
            let is_cut = |levels: &Vec<String>| levels.iter().any(|text| encoded.sentence(text).is_truncated);
            let truncated = scored.iter().zip(&texts).map(|(&image, levels)| {
                is_cut(levels) || words[image].as_ref().is_some_and(|prompt| prompt.tokens.is_truncated)
            });
            let truncated = truncated.collect();
            layout.tasks.push(TaskLayout { options, scored, truncated, prompts });
        }
        Ok((self.clip.collect(&rows).flatten(0, 1), layout))
    }
}
