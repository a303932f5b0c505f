//! From views and prompts to scores: encodes what is new, reuses what is known.
//!
//! Nothing is read back from the device here. [`Scorer::score_batch`] queues the work and gives a
//! tensor of numbers and a [`Layout`] that tells what they are; the caller reads the one, blocking
//! or asynchronously, and hands it to the other.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use lru::LruCache;
use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::clip::Clip;
use crate::error::{Error, Result};
use crate::options::{Options, Words};
use crate::preprocess::{ViewPlan, Views, Window};
use crate::prompts::Task;
use crate::quality::{Features, Quality, ViewQuality, WordFeatures, patch_levels, quality};
use crate::tokenizer::{Tokenizer, Tokens, VOCAB_SIZE};

/// What every result of a model without text tower must say.
pub const WITHOUT_TEXT: &str = "no text tower: scored without the words of the prompt";

/// Views that go through the image tower at once; more gain nothing on a CPU and cost memory.
const TOWER_BATCH: usize = 16;
/// Texts that are remembered: 2 kB each for ViT-B/32.
const SENTENCES: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");
/// Initial prompts whose words are remembered: up to 150 kB each for ViT-B/32.
const PROMPTS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// A model ready to score.
pub struct Scorer {
    clip: Clip,
    device: Device,
    tasks: Vec<Options>,
    plan: ViewPlan,
    context_length: usize,
    tokenizer: Option<Tokenizer>,
    /// Features that came with a model without text tower.
    fixed: BTreeMap<String, Tensor<1>>,
    sentences: LruCache<String, Sentence>,
    prompts: LruCache<String, Arc<Prompt>>,
}

/// One image to score.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Its views, made by the scorer's [`Scorer::view_plan`].
    pub views: &'a Views,
    /// Its initial prompt; `None` or blank when it has none.
    pub prompt: Option<&'a str>,
}

/// The scores of one image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageScore {
    /// How good it looks; `None` when the model does not score that.
    pub perception: Option<TaskScore>,
    /// How well it shows its prompt; `None` without a prompt or when the model does not score that.
    pub alignment: Option<TaskScore>,
    /// Whether the prompt was longer than CLIP reads and its end was ignored.
    pub prompt_truncated: bool,
}

/// A quality and its parts; SPEC §4 and §5.
#[derive(Clone, Debug, Serialize)]
pub struct TaskScore {
    /// `Q`, on the opinion scale of 0 to 5, not clipped; higher is better.
    pub score: f32,
    /// `α`, in [0, 1].
    pub alpha: f32,
    /// `Q_cg` of the resized image, in [0, 5].
    pub q_image: Option<f32>,
    /// `Q_cg` of the patches, in [0, 5].
    pub q_patches: Option<f32>,
    /// `Q_fg`; `None` when switched off.
    pub q_fine: Option<f32>,
    /// Names of the levels, worst first.
    pub levels: &'static [&'static str],
    /// Probability of each level, seen in the resized image.
    pub p_image: Option<Vec<f32>>,
    /// Probability of each level, seen in the mean patch.
    pub p_patches: Option<Vec<f32>>,
    /// Mean similarity of the prompt's words with the resized image, in [−1, 1].
    pub w_image: Option<f32>,
    /// Mean similarity of the prompt's words with the mean patch, in [−1, 1].
    pub w_patches: Option<f32>,
    /// Each word of the prompt.
    pub words: Vec<WordScore>,
    /// Each patch by itself.
    pub patches: Vec<PatchScore>,
}

/// How similar a word of the prompt is to what is seen.
#[derive(Clone, Debug, Serialize)]
pub struct WordScore {
    /// The word, or the part of one, as the prompt has it.
    pub text: String,
    /// Where it starts in the prompt, in characters.
    pub start: usize,
    /// Where it ends in the prompt, in characters.
    pub end: usize,
    /// Cosine with the resized image.
    pub w_image: Option<f32>,
    /// Cosine with the mean patch.
    pub w_patches: Option<f32>,
}

/// A patch and its own level probabilities.
#[derive(Clone, Debug, Serialize)]
pub struct PatchScore {
    /// Where it stands in the upright image.
    #[serde(flatten)]
    pub window: Window,
    /// Probability of each level.
    pub p: Vec<f32>,
}

#[derive(Clone)]
struct Sentence {
    /// `[embed_dim]`
    feature: Tensor<1>,
    is_truncated: bool,
}

/// The words of an initial prompt.
struct Prompt {
    text: String,
    tokens: Tokens,
    /// `[tokens between start and end, embed_dim]`; `None` when there are none.
    features: Option<Tensor<2>>,
}

impl Scorer {
    /// Uploads a model to `device`, to score one or both tasks with it.
    ///
    /// A model without text tower brings the features of its first task's prompts along, row-major
    /// `[levels, embed_dim]`.
    ///
    /// # Errors
    /// [`Error::Options`] and [`Error::Crops`] for options that the model cannot follow.
    pub fn load(
        checkpoint: &Checkpoint,
        prompt_features: Option<&[f32]>,
        tasks: Vec<Options>,
        device: Device,
    ) -> Result<Self> {
        let config = checkpoint.config();
        let plan = Options::view_plan(&tasks, config.vision.image_size as u32)?;
        let context_length = match &config.text {
            Some(text) if text.vocab_size != VOCAB_SIZE => {
                let found = text.vocab_size;
                return Err(Error::Config(format!("a vocabulary of {found} tokens, expected CLIP's {VOCAB_SIZE}")));
            }
            Some(text) => text.context_length,
            None => 0,
        };
        let texts = tasks[0].prompts.texts("");
        let features = prompt_features.unwrap_or_default().chunks_exact(config.embed_dim);
        let fixed = texts.into_iter().zip(features).map(|(text, feature)| {
            let data = TensorData::new(feature.to_vec(), [config.embed_dim]);
            (text, Tensor::from_data(data, &device))
        });
        Ok(Self {
            tokenizer: config.text.is_some().then(Tokenizer::new),
            clip: Clip::load(checkpoint, &device),
            fixed: fixed.collect(),
            device,
            tasks,
            plan,
            context_length,
            sentences: LruCache::new(SENTENCES),
            prompts: LruCache::new(PROMPTS),
        })
    }

    /// The views that every input must have.
    pub fn view_plan(&self) -> ViewPlan {
        self.plan
    }

    /// The options of each task.
    pub fn tasks(&self) -> &[Options] {
        &self.tasks
    }

    /// Whether prompts can be read: without, no words and no alignment are scored.
    pub fn has_text_tower(&self) -> bool {
        self.clip.has_text_tower()
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
        assert!(!inputs.is_empty() && inputs.iter().all(|input| input.views.plan == self.plan));
        let prompts: Vec<Option<&str>> =
            inputs.iter().map(|input| input.prompt.filter(|prompt| !prompt.trim().is_empty())).collect();
        let words = self.encode_prompts(&prompts)?;
        let (image, patches) = self.encode_views(inputs);

        let mut numbers = Vec::new();
        let mut layout =
            Layout { images: inputs.iter().map(|input| input.views.windows.clone()).collect(), tasks: Vec::new() };
        for options in self.tasks.clone() {
            let is_scored = |&image: &usize| options.task() == Task::Perception || prompts[image].is_some();
            let scored: Vec<usize> = (0..inputs.len()).filter(is_scored).collect();
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
    fn encode_views(&self, inputs: &[Input]) -> (Option<Tensor<2>>, Option<Tensor<3>>) {
        let (views, side) = (self.plan.len(), self.plan.side as usize);
        let images_at_once = (TOWER_BATCH / views).max(1);
        let chunks = inputs.chunks(images_at_once).map(|chunk| {
            let pixels: Vec<f32> = chunk.iter().flat_map(|input| &input.views.pixels).copied().collect();
            let shape = [chunk.len() * views, 3, side, side];
            self.clip.image_features(Tensor::from_data(TensorData::new(pixels, shape), &self.device))
        });
        let features = Tensor::cat(chunks.collect(), 0); // [batch · views, embed_dim]
        let [_, embed_dim] = features.dims();
        let features = features.reshape([inputs.len(), views, embed_dim]);
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
        let new: Vec<&String> =
            texts.iter().filter(|text| !self.fixed.contains_key(*text) && !self.sentences.contains(*text)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let (tokens, features) = self.encode_texts(&new)?;
        for (row, (text, tokens)) in new.into_iter().zip(tokens).enumerate() {
            let feature = features.clone().narrow(0, row, 1).narrow(1, tokens.sentence_position(), 1);
            let sentence = Sentence { feature: feature.flatten(0, 2), is_truncated: tokens.is_truncated };
            self.sentences.put(text.clone(), sentence);
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

    fn encode_texts<T: AsRef<str>>(&self, texts: &[T]) -> Result<(Vec<Tokens>, Tensor<3>)> {
        let without =
            || Error::Options("this model has no text tower: it scores perception only, with its own prompts".into());
        let tokenizer = self.tokenizer.as_ref().ok_or_else(without)?;
        let tokens: Vec<Tokens> =
            texts.iter().map(|text| tokenizer.encode(text.as_ref(), self.context_length)).collect();
        let ids: Vec<&[u32]> = tokens.iter().map(|tokens| tokens.ids.as_slice()).collect();
        let features = self.clip.token_features(&ids, &self.device).ok_or_else(without)?;
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

/// The words of a batch of prompts; `None` when no prompt has one.
fn pad_words(prompts: &[Option<Arc<Prompt>>], words: Words, device: &Device) -> Option<WordFeatures> {
    let each: Vec<Option<Tensor<2>>> =
        prompts.iter().map(|prompt| Some(word_features(prompt.as_ref()?, words)).flatten()).collect();
    let longest = each.iter().flatten().map(|words| words.dims()[0]).max()?;
    let embed_dim = each.iter().flatten().next()?.dims()[1];
    let mut weights = Vec::with_capacity(prompts.len() * longest);
    let padded = each.into_iter().map(|words| {
        let count = words.as_ref().map_or(0, |words| words.dims()[0]);
        weights.extend((0..longest).map(|word| if word < count { 1.0 / count as f32 } else { 0.0 }));
        let padding = (count < longest).then(|| Tensor::zeros([longest - count, embed_dim], device));
        Tensor::cat(words.into_iter().chain(padding).collect(), 0)
    });
    let features = Tensor::stack(padded.collect(), 0);
    let weights = Tensor::from_data(TensorData::new(weights, [prompts.len(), longest]), device);
    Some(WordFeatures { features, weights })
}

/// `[words, embed_dim]` of one prompt.
fn word_features(prompt: &Prompt, words: Words) -> Option<Tensor<2>> {
    let features = prompt.features.clone()?;
    if words == Words::Tokens {
        return Some(features);
    }
    // Each row of this matrix averages the tokens of one word.
    let groups = token_groups(&prompt.tokens, words);
    let tokens = prompt.tokens.spans.len();
    let mut mean = vec![0.0f32; groups.len() * tokens];
    for (row, group) in mean.chunks_mut(tokens).zip(&groups) {
        row[group.clone()].fill(1.0 / group.len() as f32);
    }
    let mean = Tensor::<2>::from_data(TensorData::new(mean, [groups.len(), tokens]), &features.device());
    Some(mean.matmul(features))
}

/// The tokens, counted from the start token, that make up each word.
fn token_groups(tokens: &Tokens, words: Words) -> Vec<std::ops::Range<usize>> {
    match words {
        Words::Tokens => (0..tokens.words.len()).map(|i| i..i + 1).collect(),
        Words::Merged => {
            let mut start = 0;
            let groups = tokens.words.chunk_by(|a, b| a == b);
            groups
                .map(|group| {
                    start += group.len();
                    start - group.len()..start
                })
                .collect()
        }
    }
}

/// All numbers of one task, image by image, in the order that [`Numbers`] reads them.
fn flatten(quality: Quality, each_patch: Option<Tensor<3>>) -> Tensor<1> {
    let Quality { score, q_fine, image, patches } = quality;
    let view =
        |view: Option<ViewQuality>| view.into_iter().flat_map(|v| [Some(v.q), Some(v.p), v.w, v.words]).flatten();
    let patch_levels = each_patch.map(|p| p.flatten::<2>(1, 2));
    let parts: Vec<Tensor<2>> =
        std::iter::once(score).chain(q_fine).chain(view(image)).chain(view(patches)).chain(patch_levels).collect();
    Tensor::cat(parts, 1).flatten(0, 1)
}

/// What the numbers of a batch mean.
pub struct Layout {
    /// The windows of each image.
    images: Vec<Vec<Window>>,
    tasks: Vec<TaskLayout>,
}

struct TaskLayout {
    options: Options,
    /// Which images of the batch.
    scored: Vec<usize>,
    truncated: Vec<bool>,
    prompts: Vec<Option<Arc<Prompt>>>,
}

impl Layout {
    /// Sorts the numbers that [`Scorer::score_batch`] computed into one result an image.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a number is none.
    pub fn scores(&self, numbers: &[f32]) -> Result<Vec<ImageScore>> {
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(Error::NotFinite);
        }
        let none = ImageScore { perception: None, alignment: None, prompt_truncated: false };
        let mut scores = vec![none; self.images.len()];
        let mut numbers = Numbers { rest: numbers };
        for task in &self.tasks {
            let longest = task.longest_prompt();
            for (row, &image) in task.scored.iter().enumerate() {
                let score = task.score(&mut numbers, task.prompts[row].as_deref(), longest, &self.images[image]);
                let is_cut = task.prompts[row].as_ref().is_some_and(|prompt| prompt.tokens.is_truncated);
                scores[image].prompt_truncated |= task.truncated[row] || is_cut;
                match task.options.task() {
                    Task::Perception => scores[image].perception = Some(score),
                    Task::Alignment => scores[image].alignment = Some(score),
                }
            }
        }
        Ok(scores)
    }
}

impl TaskLayout {
    fn groups(&self, prompt: Option<&Prompt>) -> Vec<std::ops::Range<usize>> {
        let prompt = prompt.filter(|_| self.options.fine);
        prompt.map(|prompt| token_groups(&prompt.tokens, self.options.words)).unwrap_or_default()
    }

    fn longest_prompt(&self) -> usize {
        self.prompts.iter().map(|prompt| self.groups(prompt.as_deref()).len()).max().unwrap_or(0)
    }

    fn score(&self, numbers: &mut Numbers, prompt: Option<&Prompt>, longest: usize, windows: &[Window]) -> TaskScore {
        let levels = self.options.prompts.levels();
        let groups = self.groups(prompt);
        let has_words = !groups.is_empty();
        let score = numbers.one();
        // An empty prompt has no fine-grained term: Q_fg = 0 (SPEC §3).
        let q_fine = if longest > 0 { Some(numbers.one()) } else { self.options.fine.then_some(0.0) };
        let mut view = |is_seen: bool| {
            if !is_seen {
                return (None, None, None, Vec::new());
            }
            let (q, p) = (numbers.one(), numbers.take(levels.len()).to_vec());
            if longest == 0 {
                return (Some(q), Some(p), None, Vec::new());
            }
            let (w, words) = (numbers.one(), numbers.take(longest).to_vec());
            (Some(q), Some(p), has_words.then_some(w), words)
        };
        let (q_image, p_image, w_image, words_image) = view(self.options.needs_image());
        let (q_patches, p_patches, w_patches, words_patches) = view(self.options.needs_patches());
        let patches = windows.iter().filter(|_| self.options.needs_patches());
        let patches = patches.map(|&window| PatchScore { window, p: numbers.take(levels.len()).to_vec() }).collect();
        let words = groups.into_iter().enumerate().filter_map(|(i, group)| {
            let prompt = prompt?;
            let bytes = prompt.tokens.spans[group.start].start..prompt.tokens.spans[group.end - 1].end;
            let start = prompt.text[..bytes.start].chars().count();
            let text = prompt.text[bytes].to_owned();
            let end = start + text.chars().count();
            Some(WordScore {
                text,
                start,
                end,
                w_image: words_image.get(i).copied(),
                w_patches: words_patches.get(i).copied(),
            })
        });
        TaskScore {
            score,
            alpha: self.options.alpha.value() as f32,
            q_image,
            q_patches,
            q_fine,
            levels,
            p_image,
            p_patches,
            w_image,
            w_patches,
            words: words.collect(),
            patches,
        }
    }
}

/// Reads numbers in the order in which [`flatten`] wrote them.
struct Numbers<'a> {
    rest: &'a [f32],
}

impl<'a> Numbers<'a> {
    fn take(&mut self, count: usize) -> &'a [f32] {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    fn one(&mut self) -> f32 {
        self.take(1)[0]
    }
}
