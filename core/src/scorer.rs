//! From views and prompts to scores: encodes what is new, reuses what is known.
//!
//! Nothing is read back from the device here. [`Scorer::score_batch`] queues the work and gives a
//! tensor of numbers and a [`Layout`] that tells what they are; the caller reads the one, blocking
//! or asynchronously, and hands it to the other.

mod encoded;
mod image_tower;
mod prompt_similarity;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use lru::LruCache;

use crate::checkpoint::Checkpoint;
use crate::clip::{Clip, Form};
use crate::config::ClipConfig;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::{ViewPlan, Views, Window};
use crate::prompts::{PromptSet, Task};
use crate::quality::{Features, patch_levels, quality};
use crate::result::{Layout, TaskLayout, flatten};
use crate::tokenizer::{Tokenizer, Tokens, VOCAB_SIZE};
use crate::words::{Prompt, pad_words};

pub use encoded::EncodedInput;
pub use image_tower::{ImageTower, Precision, TOWER_BATCH};

/// Texts that are remembered, five for each prompt that is scored for alignment: 2 kB each for ViT-B/32.
const SENTENCES: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// Initial prompts whose words are remembered: up to 150 kB each for ViT-B/32.
const PROMPTS: NonZeroUsize = NonZeroUsize::new(512).expect("not zero");

/// A model ready to score.
pub struct Scorer {
    clip: Clip,
    device: Device,
    tasks: Vec<Options>,
    plan: ViewPlan,
    tower_batch: usize,
    context_length: usize,
    embed_dim: usize,
    tokenizer: Option<Tokenizer>,
    /// Features that came with a model without text tower.
    fixed: BTreeMap<String, Tensor<1>>,
    sentences: LruCache<String, Sentence>,
    prompts: LruCache<String, Arc<Prompt>>,
    texts_encoded: usize,
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

#[derive(Clone)]
struct Sentence {
    /// `[embed_dim]`
    feature: Tensor<1>,
    is_truncated: bool,
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
        let clip = |form| Clip::load_for_scoring(checkpoint, &device, form);
        Self::new(clip, &config, prompt_features, tasks, tower, device.clone())
    }

    /// As [`Scorer::load`], with a model of these sizes that is on the device already; it is asked for
    /// once the options were found to fit, and told how its image tower's weights are best kept.
    ///
    /// # Errors
    /// As [`Scorer::load`].
    pub fn new(
        clip: impl FnOnce(Form) -> Clip,
        config: &ClipConfig,
        prompt_features: Option<&PromptFeatures>,
        tasks: Vec<Options>,
        tower: ImageTower,
        device: Device,
    ) -> Result<Self> {
        let plan = Options::view_plan(&tasks, config.vision.image_size as u32)?;
        tower.check(&device)?;
        let context_length = match &config.text {
            Some(text) if text.vocab_size != VOCAB_SIZE => {
                let found = text.vocab_size;
                return Err(Error::Config(format!("a vocabulary of {found} tokens, expected CLIP's {VOCAB_SIZE}")));
            }
            Some(text) => text.context_length,
            None => 0,
        };
        let mut fixed = BTreeMap::new();
        if config.text.is_none() {
            let known = prompt_features.map(|features| features.prompts);
            if tasks.iter().any(|options| options.fine || Some(options.prompts) != known) {
                return Err(Error::Options(
                    "this model has no text tower: it scores with the prompts that it was exported with, without words"
                        .into(),
                ));
            }
        }
        if let Some(PromptFeatures { prompts, values }) = prompt_features {
            for (text, feature) in prompts.texts("").into_iter().zip(values.chunks_exact(config.embed_dim)) {
                let data = TensorData::new(feature.to_vec(), [config.embed_dim]);
                fixed.insert(text, Tensor::from_data(data, &device));
            }
        }
        let clip = clip(tower.form());
        Ok(Self {
            tokenizer: config.text.is_some().then(Tokenizer::new),
            clip,
            fixed,
            device,
            tasks,
            plan,
            tower_batch: tower.batch.get(),
            context_length,
            embed_dim: config.embed_dim,
            sentences: LruCache::new(SENTENCES),
            prompts: LruCache::new(PROMPTS),
            texts_encoded: 0,
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
        self.texts_encoded
    }

    /// The sentence features of one task's prompts, `[levels, embed_dim]`, to be kept with a model
    /// that goes without its text tower.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    pub fn level_features(&mut self, options: &Options) -> Result<Tensor<2>> {
        let texts = options.prompts.texts("");
        self.encode_sentences(&texts)?;
        Ok(Tensor::stack(texts.iter().map(|text| self.sentence(text).feature).collect(), 0))
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
        let words = self.encode_prompts(&prompts)?;
        let (image, patches) = self.split_views(features);

        let mut numbers = Vec::new();
        let mut layout = Layout { images: windows, tasks: Vec::new() };
        for options in self.tasks.clone() {
            let is_scored = |&image: &usize| options.task() == Task::Perception || prompts[image].is_some();
            let scored: Vec<usize> = (0..prompts.len()).filter(is_scored).collect();
            if scored.is_empty() {
                continue;
            }
            let (levels, truncated) = self.encode_levels(&options, &scored, &prompts)?;
            let words: Vec<Option<Arc<Prompt>>> = scored.iter().map(|&image| words[image].clone()).collect();
            let features = Features {
                image: image.as_ref().filter(|_| options.needs_image()).map(|image| rows(image, &scored)),
                patches: patches.as_ref().filter(|_| options.needs_patches()).map(|patches| rows(patches, &scored)),
                levels,
                words: options.fine.then(|| pad_words(&words, options.words, &self.device)).flatten(),
            };
            let alpha = Tensor::from_floats([options.alpha.value() as f32], &self.device);
            let parts = quality(&features, alpha, self.clip.logit_scale(), &options);
            let each_patch = features
                .patches
                .map(|patches| patch_levels(patches, features.levels, &self.clip.logit_scale(), options.temperature));
            numbers.push(flatten(parts, each_patch));
            layout.tasks.push(TaskLayout { options, scored, truncated, prompts: words });
        }
        let numbers = match numbers.len() {
            0 => Tensor::zeros([1], &self.device), // alignment alone, of images without prompts
            _ => Tensor::cat(numbers, 0),
        };
        Ok((numbers, layout))
    }

    /// `[batch, embed_dim]` of the resized images and `[batch, crops, embed_dim]` of the patches.
    fn split_views(&self, features: Tensor<3>) -> (Option<Tensor<2>>, Option<Tensor<3>>) {
        let first_patch = usize::from(self.plan.has_image);
        let image = self.plan.has_image.then(|| features.clone().narrow(1, 0, 1).squeeze_dim::<2>(1));
        let patches = (self.plan.crops > 0).then(|| features.narrow(1, first_patch, self.plan.crops));
        (image, patches)
    }

    /// `[scored, levels, embed_dim]`, and of each image whether a text was cut.
    fn encode_levels(
        &mut self,
        options: &Options,
        scored: &[usize],
        prompts: &[Option<&str>],
    ) -> Result<(Tensor<3>, Vec<bool>)> {
        let texts: Vec<Vec<String>> =
            scored.iter().map(|&image| options.prompts.texts(prompts[image].unwrap_or_default())).collect();
        let mut levels = Vec::new();
        let mut truncated = Vec::new();
        for texts in texts {
            self.encode_sentences(&texts)?;
            let sentences: Vec<Sentence> = texts.iter().map(|text| self.sentence(text)).collect();
            truncated.push(sentences.iter().any(|sentence| sentence.is_truncated));
            levels.push(Tensor::stack::<2>(sentences.into_iter().map(|s| s.feature).collect(), 0));
        }
        Ok((Tensor::stack(levels, 0), truncated))
    }

    /// Encodes those of `texts` that are not remembered.
    fn encode_sentences(&mut self, texts: &[String]) -> Result<()> {
        // `get` marks the known ones as used, so that the new ones push out others and not them.
        let is_new = |text: &&String| !self.fixed.contains_key(*text) && self.sentences.get(*text).is_none();
        let new: Vec<&String> = texts.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let (tokens, features) = self.encode_texts(&new)?;
        let [texts, longest, embed_dim] = features.dims();
        let ends = tokens.iter().enumerate().map(|(text, tokens)| (text * longest + tokens.sentence_position()) as i32);
        let ends: Vec<i32> = ends.collect();
        // A copy of the few rows that are kept: a view would keep every token's feature alive.
        let ends = Tensor::<1, Int>::from_ints(ends.as_slice(), &self.device);
        let sentences = features.reshape([texts * longest, embed_dim]).select(0, ends); // [texts, embed_dim]
        for (row, (text, tokens)) in new.into_iter().zip(tokens).enumerate() {
            let feature = sentences.clone().narrow(0, row, 1).flatten(0, 1);
            self.sentences.put(text.clone(), Sentence { feature, is_truncated: tokens.is_truncated });
        }
        Ok(())
    }

    /// A text that [`Scorer::encode_sentences`] was just given: at most five at a time, so still there.
    fn sentence(&mut self, text: &str) -> Sentence {
        match self.fixed.get(text) {
            Some(feature) => Sentence { feature: feature.clone(), is_truncated: false },
            None => self.sentences.get(text).expect("encoded before it is asked for").clone(),
        }
    }

    /// The words of each prompt; `None` where there is no prompt or none can be read.
    fn encode_prompts(&mut self, prompts: &[Option<&str>]) -> Result<Vec<Option<Arc<Prompt>>>> {
        if !self.has_text_tower() || self.tasks.iter().all(|options| !options.fine) {
            return Ok(vec![None; prompts.len()]);
        }
        prompts.iter().map(|prompt| prompt.map(|prompt| self.encode_prompt(prompt)).transpose()).collect()
    }

    fn encode_prompt(&mut self, text: &str) -> Result<Arc<Prompt>> {
        if let Some(known) = self.prompts.get(text) {
            return Ok(known.clone());
        }
        let (mut tokens, features) = self.encode_texts(&[text])?;
        let tokens = tokens.pop().expect("one text was given");
        let words = tokens.spans.len();
        let features = (words > 0).then(|| features.narrow(1, 1, words).squeeze_dim::<2>(0));
        let prompt = Arc::new(Prompt { text: text.to_owned(), tokens, features });
        self.prompts.put(text.to_owned(), prompt.clone());
        Ok(prompt)
    }

    fn encode_texts<T: AsRef<str>>(&mut self, texts: &[T]) -> Result<(Vec<Tokens>, Tensor<3>)> {
        let without = || Error::Options("this model has no text tower and cannot read texts".into());
        let tokenizer = self.tokenizer.as_ref().ok_or_else(without)?;
        let tokens: Vec<Tokens> =
            texts.iter().map(|text| tokenizer.encode(text.as_ref(), self.context_length)).collect();
        let ids: Vec<&[u32]> = tokens.iter().map(|tokens| tokens.ids.as_slice()).collect();
        let features = self.clip.token_features(&ids, &self.device).ok_or_else(without)?;
        self.texts_encoded += texts.len();
        Ok((tokens, features))
    }
}

/// Keeps some rows of a batch.
fn rows<const D: usize>(batch: &Tensor<D>, kept: &[usize]) -> Tensor<D> {
    if kept.len() == batch.dims()[0] {
        return batch.clone();
    }
    let kept: Vec<i32> = kept.iter().map(|&row| row as i32).collect();
    batch.clone().select(0, Tensor::<1, Int>::from_ints(kept.as_slice(), &batch.device()))
}
