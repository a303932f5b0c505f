//! Results: what the numbers of a batch mean, and what one image's result says.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::Window;
use crate::prompts::Task;
use crate::quality::{Quality, ViewQuality};
use crate::scorer::Scorer;
use crate::words::{Prompt, token_groups};

/// What every result of a model without text tower must say.
pub const WITHOUT_TEXT: &str = "no text tower: scored without the words of the prompt";
/// What a result says when alignment was to be scored and there was no prompt.
pub const WITHOUT_PROMPT: &str = "no prompt: alignment is not scored";

/// What all results of one scorer share.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it is computed: kind and adapter.
    pub device: String,
    /// Name and hash of the weights.
    pub model: String,
    /// What every result must say, such as "demo weights, trained on synthetic images".
    pub warning: Option<String>,
    crops: usize,
    has_text_tower: bool,
    wants_alignment: bool,
}

/// One image's result, as JSON and JavaScript have it.
#[derive(Serialize)]
pub struct ImageResult<'a> {
    prompt: Option<&'a str>,
    prompt_source: Option<&'a str>,
    prompt_truncated: bool,
    width: u32,
    height: u32,
    crops: usize,
    device: &'a str,
    model: &'a str,
    warning: Option<&'a str>,
    notes: Vec<&'a str>,
    perception: Option<&'a TaskScore>,
    alignment: Option<&'a TaskScore>,
}

/// An image's prompt and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPrompt {
    /// The text.
    pub text: String,
    /// "argument", "sidecar", or the kind of metadata.
    pub source: &'static str,
}

impl Run {
    /// Describes a scorer.
    pub fn new(scorer: &Scorer, device: String, model: String, warning: Option<String>) -> Self {
        Self {
            device,
            model,
            warning,
            crops: scorer.view_plan().crops,
            has_text_tower: scorer.has_text_tower(),
            wants_alignment: scorer.tasks().iter().any(|options| options.task() == Task::Alignment),
        }
    }

    /// Number of patches of each image.
    pub fn crops(&self) -> usize {
        self.crops
    }

    /// What every result of this run must say.
    pub fn notes(&self) -> Vec<&str> {
        let without_text = (!self.has_text_tower).then_some(WITHOUT_TEXT);
        self.warning.as_deref().into_iter().chain(without_text).collect()
    }

    /// The result of an image of this size (width, height).
    pub fn result<'a>(
        &'a self,
        size: (u32, u32),
        prompt: Option<&'a FoundPrompt>,
        score: &'a ImageScore,
    ) -> ImageResult<'a> {
        let without_prompt = (self.wants_alignment && score.alignment.is_none()).then_some(WITHOUT_PROMPT);
        ImageResult {
            prompt: prompt.map(|prompt| prompt.text.as_str()),
            prompt_source: prompt.map(|prompt| prompt.source),
            prompt_truncated: score.prompt_truncated,
            width: size.0,
            height: size.1,
            crops: self.crops,
            device: &self.device,
            model: &self.model,
            warning: self.warning.as_deref(),
            notes: self.notes().into_iter().chain(without_prompt).collect(),
            perception: score.perception.as_ref(),
            alignment: score.alignment.as_ref(),
        }
    }
}

impl ImageResult<'_> {
    /// What this result must say beside its numbers.
    pub fn notes(&self) -> &[&str] {
        &self.notes
    }
}

/// The scores of one image.
#[derive(Clone, Debug)]
pub struct ImageScore {
    /// How good it looks; `None` when the model does not score that.
    pub perception: Option<TaskScore>,
    /// How well it shows its prompt; `None` without a prompt or when the model does not score that.
    pub alignment: Option<TaskScore>,
    /// Whether the prompt, or a text with the prompt in it, was longer than CLIP reads and lost its end.
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

/// All numbers of one task, image by image, in the order that [`Numbers`] reads them.
pub(crate) fn flatten(quality: Quality, each_patch: Option<Tensor<3>>) -> Tensor<1> {
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
    pub(crate) images: Vec<Vec<Window>>,
    pub(crate) tasks: Vec<TaskLayout>,
}

pub(crate) struct TaskLayout {
    pub options: Options,
    /// Which images of the batch.
    pub scored: Vec<usize>,
    /// Whether a text of each lost its end.
    pub truncated: Vec<bool>,
    pub prompts: Vec<Option<Arc<Prompt>>>,
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
