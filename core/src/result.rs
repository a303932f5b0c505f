//! Results: what the numbers of a batch mean, and what one image's result says.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::preprocess::Window;
use crate::prompts::Task;
use crate::quality::{PlainFeatures, PlainQuality, PlainView, plain_quality};
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

impl<'a> ImageResult<'a> {
    /// With further notes behind its own.
    pub fn with_notes(mut self, notes: impl Iterator<Item = &'a str>) -> Self {
        self.notes.extend(notes);
        self
    }

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

/// What the numbers of a batch mean: features, row by row. First comes the scale of similarities, then the views of each image;
/// then, task by task and image by image, the levels' sentences and the prompt's tokens.
pub struct Layout {
    /// The windows of each image.
    pub(crate) images: Vec<Vec<Window>>,
    /// Whether an image's first view is the resized one.
    pub(crate) has_image: bool,
    pub(crate) embed_dim: usize,
    pub(crate) tasks: Vec<TaskLayout>,
}

/// The features of an image's resized view and of its patches.
type Seen<'a> = (Option<&'a [f32]>, Vec<&'a [f32]>);

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
        let mut rows = numbers.chunks_exact(self.embed_dim);
        let logit_scale = f64::from(rows.next().expect("a row for the scale")[0]);
        let views: Vec<Seen> = self
            .images
            .iter()
            .map(|windows| {
                (rows.by_ref().take(usize::from(self.has_image)).next(), rows.by_ref().take(windows.len()).collect())
            })
            .collect();
        for task in &self.tasks {
            for (row, &image) in task.scored.iter().enumerate() {
                let prompt = task.prompts[row].as_deref();
                let tokens = prompt.map_or(0, |prompt| prompt.tokens.spans.len());
                let levels = rows.by_ref().take(task.options.prompts.levels().len()).collect();
                let tokens = rows.by_ref().take(tokens).collect();
                let (resized, patches) = &views[image];
                let features = PlainFeatures {
                    image: resized.filter(|_| task.options.needs_image()),
                    patches: if task.options.needs_patches() { patches.clone() } else { Vec::new() },
                    levels,
                    tokens,
                    words: task.groups(prompt),
                    logit_scale,
                };
                let score = task.score(plain_quality(&features, &task.options), prompt, &self.images[image]);
                scores[image].prompt_truncated |= task.truncated[row];
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

    fn score(&self, quality: PlainQuality, prompt: Option<&Prompt>, windows: &[Window]) -> TaskScore {
        let PlainQuality { score, q_fine, image, patches, each_patch } = quality;
        let view = |view: Option<PlainView>| match view {
            Some(PlainView { p, q, words, w }) => (Some(q), Some(p), w, words),
            None => (None, None, None, Vec::new()),
        };
        let (q_image, p_image, w_image, words_image) = view(image);
        let (q_patches, p_patches, w_patches, words_patches) = view(patches);
        let patches = windows.iter().zip(each_patch).map(|(&window, p)| PatchScore { window, p }).collect();
        let words = self.groups(prompt).into_iter().enumerate().filter_map(|(i, group)| {
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
            levels: self.options.prompts.levels(),
            p_image,
            p_patches,
            w_image,
            w_patches,
            words: words.collect(),
            patches,
        }
    }
}
