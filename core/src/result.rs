//! The result of an image: its scores, and what JSON and JavaScript show of them.
//!
//! In results, options and flags, `patches` are the crops of an image, as in the paper.

use serde::Serialize;

use crate::preprocess::Rect;
use crate::prompts::Task;

/// The note in each result of a model without text tower.
pub const WITHOUT_TEXT: &str = "no text tower: scored without the words of the prompt";

/// What all results of a scorer have in common. [`Scorer::run`](crate::scorer::Scorer::run) makes it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The kind of device, and its adapter.
    pub device: String,
    /// Name and hash of the weights.
    pub model: String,
    /// A note for each result, such as "demo weights, trained on synthetic images".
    pub warning: Option<String>,
    pub(crate) crops: usize,
    pub(crate) has_text_tower: bool,
    /// The tasks that score only images with a prompt.
    pub(crate) need_prompt: Vec<Task>,
}

/// The result of an image, in the form of JSON and JavaScript.
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

/// The prompt of an image, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPrompt {
    /// The text of the prompt.
    pub text: String,
    /// "argument", "sidecar", or the kind of metadata.
    pub source: &'static str,
}

impl Run {
    /// The number of crops of each image.
    pub fn crops(&self) -> usize {
        self.crops
    }

    /// The same run with another number of crops ([`Scorer::set_crops`](crate::scorer::Scorer::set_crops)).
    pub fn with_crops(&self, crops: usize) -> Self {
        Self { crops, ..self.clone() }
    }

    /// The notes in each result of this run.
    pub fn notes(&self) -> Vec<&str> {
        let without_text = (!self.has_text_tower).then_some(WITHOUT_TEXT);
        self.warning.as_deref().into_iter().chain(without_text).collect()
    }

    /// The note in the results of images that lack a score because they have no prompt; `None` if no task needs a prompt.
    pub fn note_without_prompt(&self) -> Option<&'static str> {
        match self.need_prompt[..] {
            [] => None,
            [Task::Alignment] => Some("no prompt: alignment is not scored"),
            [Task::Perception] => Some("no prompt: perception is not scored"),
            _ => Some("no prompt: neither perception nor alignment is scored"),
        }
    }

    /// Whether an image lacks a score because it has no prompt.
    pub fn lacks_prompt(&self, score: &ImageScore) -> bool {
        self.need_prompt.iter().any(|&task| score.of_task(task).is_none())
    }

    /// Assembles the result of an image. `size` is its width and height.
    pub fn result<'a>(
        &'a self,
        size: (u32, u32),
        prompt: Option<&'a FoundPrompt>,
        score: &'a ImageScore,
    ) -> ImageResult<'a> {
        let without_prompt = self.note_without_prompt().filter(|_| self.lacks_prompt(score));
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
    /// Adds notes.
    pub fn with_notes(mut self, notes: impl Iterator<Item = &'a str>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// The notes in this result.
    pub fn notes(&self) -> &[&str] {
        &self.notes
    }
}

/// The scores of an image.
#[derive(Clone, Debug)]
pub struct ImageScore {
    /// Perception quality; `None` if the model does not score it, or its level texts contain the prompt and the image has none.
    pub perception: Option<TaskScore>,
    /// Alignment quality; `None` if the image has no prompt, or the model does not score it.
    pub alignment: Option<TaskScore>,
    /// Whether the prompt, or a level text with the prompt, exceeded the model's context and was truncated.
    pub prompt_truncated: bool,
}

impl ImageScore {
    /// The score of a task.
    pub fn of_task(&self, task: Task) -> Option<&TaskScore> {
        match task {
            Task::Perception => self.perception.as_ref(),
            Task::Alignment => self.alignment.as_ref(),
        }
    }
}

/// The score of a task and its parts (SPEC §4 and §5).
#[derive(Clone, Debug, Serialize)]
pub struct TaskScore {
    /// The score `Q` (Eq. 7), on the opinion scale of 0 to 5, not clipped; higher is better.
    pub score: f32,
    /// The weight `α` of the resized image, in [0, 1].
    pub alpha: f32,
    /// Coarse quality `Q_cg` of the resized image (Eq. 5), in [0, 5].
    pub q_image: Option<f32>,
    /// Coarse quality `Q_cg` of the mean crop (Eq. 5), in [0, 5].
    pub q_patches: Option<f32>,
    /// Fine quality `Q_fg` (Eq. 6); `None` if it is switched off.
    pub q_fine: Option<f32>,
    /// Names of the levels, worst first.
    pub levels: &'static [&'static str],
    /// Level probabilities of the resized image (Eq. 3).
    pub p_image: Option<Vec<f32>>,
    /// Level probabilities of the mean crop (Eq. 3).
    pub p_patches: Option<Vec<f32>>,
    /// Mean similarity of the prompt's words and the resized image (Eq. 4), in [−1, 1].
    pub w_image: Option<f32>,
    /// Mean similarity of the prompt's words and the mean crop (Eq. 4), in [−1, 1].
    pub w_patches: Option<f32>,
    /// The words of the prompt.
    pub words: Vec<WordScore>,
    /// The crops.
    pub patches: Vec<CropScore>,
}

/// A word of the prompt and its similarities.
#[derive(Clone, Debug, Serialize)]
pub struct WordScore {
    /// The word, or a part of a word, as in the prompt.
    pub text: String,
    /// Its start in the prompt, in characters.
    pub start: usize,
    /// Its end in the prompt, in characters.
    pub end: usize,
    /// Cosine similarity with the resized image, in [−1, 1].
    pub w_image: Option<f32>,
    /// Cosine similarity with the mean crop, in [−1, 1].
    pub w_patches: Option<f32>,
}

/// A crop and its level probabilities.
#[derive(Clone, Debug, Serialize)]
pub struct CropScore {
    /// Its area in the upright image.
    #[serde(flatten)]
    pub rect: Rect,
    /// Level probabilities (Eq. 3).
    pub p: Vec<f32>,
}
