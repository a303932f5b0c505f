//! Subcommands and flags, nothing else.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::de::DeserializeOwned;
use tsp_mgs_core::bundle::WeightType;
use tsp_mgs_core::config::{Activation, ClipConfig};
use tsp_mgs_core::options::{Alpha, Inputs, Options, PatchMean, Temperature, Words};
use tsp_mgs_core::preprocess::ViewPlan;
use tsp_mgs_core::prompts::{PromptSet, Task};

use crate::evaluate::EvaluateArgs;
use crate::hub::ModelsArgs;
use crate::probe::DeviceArgs;
use crate::reproduce::ReproduceArgs;
use crate::score::ScoreArgs;
use crate::serve::ServeArgs;
use crate::splits::SplitsArgs;
use crate::synth::SynthArgs;
use crate::train::TrainArgs;

/// Scores AI-generated images, how good they look and how well they show their prompt; trains what scores them
#[derive(Debug, Parser)]
#[command(name = "trainer", version, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score images and folders of images
    Score(Box<ScoreArgs>),
    /// Serve the gallery, and scores over HTTP
    Serve(Box<ServeArgs>),
    /// Write a model as a bundle, for `score --model` and for the browser
    Export(ExportArgs),
    /// List models that are fetched by name, and those on this machine
    Models(ModelsArgs),
    /// Draw or check splits of a data set into training and testing images
    Splits(SplitsArgs),
    /// Train on opinion scores, as the paper does; goes on where it was interrupted
    Train(Box<TrainArgs>),
    /// Judge a model, or a method it is compared with, by people's opinions
    Evaluate(Box<EvaluateArgs>),
    /// Train and test what the paper's tables and figures show, beside its numbers
    Reproduce(Box<ReproduceArgs>),
    /// Say what a device is, whether it computes right, and how fast
    Device(DeviceArgs),
    /// Draw a synthetic data set, for demonstrations and tests
    Synth(SynthArgs),
}

/// Flags of `trainer export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Element type of the weights
    ///
    /// f16 halves the download, q8 quarters it; the score difference is measured and printed.
    #[arg(long, value_name = "TYPE", value_parser = named::<WeightType>(&["f32", "f16", "q8"]), default_value = "f16")]
    pub dtype: WeightType,

    /// Leave the text tower out: perception only, without the words of the prompt
    #[arg(long)]
    pub vision_only: bool,

    /// The model's name; default: the name of its file or bundle
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Folder to write; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Replace the bundle that stands in the folder, and its model card
    #[arg(long)]
    pub overwrite: bool,

    /// Also write a model card, so that the folder can be uploaded to the Hugging Face Hub as it is
    ///
    /// The card is README.md: what the model scores, how, where its weights come from, and how to use it.
    #[arg(long)]
    pub push_ready: bool,

    /// Licence of the weights in the model card, as the hub spells it: mit, apache-2.0, cc-by-nc-4.0
    ///
    /// Default: that of the weights, where `trainer models` knows it.
    #[arg(long, value_name = "ID", requires = "push_ready", value_parser = parse_license)]
    pub license: Option<String>,

    /// Which weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// How to score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// Which weights; without a flag, the built-in demonstration, trained on synthetic images.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// CLIP weights: a file, a folder, or a model's name, such as openai/clip-vit-base-patch32
    ///
    /// Scores zero-shot, with CLIP as it is. Files are .safetensors, .bin or .pt with Hugging Face's or OpenAI's names, or the
    /// index of several (.index.json). A name is ORG/NAME or ORG/NAME@REVISION on the Hugging Face Hub: a model that is not on
    /// this machine yet is downloaded into HF_HUB_CACHE. What stands at a path goes before a name. HF_ENDPOINT, HF_TOKEN and
    /// HF_HUB_OFFLINE are followed; `trainer models` lists names.
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "model")]
    pub clip: Option<PathBuf>,

    /// A model bundle, as `trainer export` writes it: a folder, or its name on the Hugging Face Hub
    #[arg(long, value_name = "DIR|NAME")]
    pub model: Option<PathBuf>,

    /// Activation of --clip, if it is a file: quick_gelu (OpenAI; the default) or gelu (most of LAION's)
    ///
    /// A name's, and a folder's with a config.json or open_clip_config.json, is taken from there; a flag that contradicts it is
    /// an error.
    #[arg(long, value_name = "NAME", value_parser = named::<Activation>(&["quick_gelu", "gelu"]), requires = "clip")]
    pub activation: Option<Activation>,
}

/// The options of SPEC §2 to §5; what is not given stays as the model has it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Scoring (as the model has it where not given)")]
pub struct OptionArgs {
    /// What to score: perception, alignment or both; default: all that the model can
    #[arg(long, value_name = "TASK", value_enum)]
    pub task: Option<TaskChoice>,

    /// Task-specific prompts: adj or ant for perception, adv for alignment
    #[arg(long, value_name = "SET", value_parser = named::<PromptSet>(&["adj", "ant", "adv"]))]
    pub prompts: Option<PromptSet>,

    /// Weight of the whole image against its patches, in [0, 1]
    ///
    /// The paper's best: 0 for perception, 1 for alignment.
    #[arg(long, value_name = "A", value_parser = parse_alpha)]
    pub alpha: Option<f64>,

    /// Number of patches: fewer are faster and less exact
    #[arg(long, value_name = "N", value_parser = parse_crops)]
    pub crops: Option<usize>,

    /// What to look at: image, patches or both
    #[arg(long, value_name = "INPUTS", value_parser = named::<Inputs>(&["image", "patches", "both"]))]
    pub inputs: Option<Inputs>,

    /// Leave out the similarity of the prompt's words: of both tasks, or of one
    #[arg(long, value_name = "TASK", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "both")]
    pub no_fine: Option<TaskChoice>,

    /// Factor before the softmax: clip (its learned scale) or none (the paper's Eq. 3 as printed)
    #[arg(long, value_name = "NAME", value_parser = named::<Temperature>(&["clip", "none"]))]
    pub temperature: Option<Temperature>,

    /// What counts as a word: tokens (byte pairs) or merged (their mean over each word)
    #[arg(long, value_name = "NAME", value_parser = named::<Words>(&["tokens", "merged"]))]
    pub words: Option<Words>,

    /// How patch features are averaged: raw or normalised
    #[arg(long, value_name = "NAME", value_parser = named::<PatchMean>(&["raw", "normalised"]))]
    pub patch_mean: Option<PatchMean>,
}

/// Reads a whole number that is not 0; the standard library's own complaint speaks of types.
pub(crate) fn positive<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "expected a whole number, 1 or more")
}

/// Flags that do not fit the model, or each other: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    /// With what is wrong and what to do.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Tasks to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskChoice {
    /// How good it looks
    Perception,
    /// How well it shows its prompt
    Alignment,
    /// Both
    Both,
}

impl TaskChoice {
    pub(crate) fn includes(self, task: Task) -> bool {
        match self {
            Self::Perception => task == Task::Perception,
            Self::Alignment => task == Task::Alignment,
            Self::Both => true,
        }
    }
}

impl OptionArgs {
    /// Applies the flags to the tasks that a model has.
    ///
    /// # Errors
    /// When the model lacks a task that was asked for, or prompts were given for another task.
    pub fn apply(&self, mut tasks: Vec<Options>) -> Result<Vec<Options>, UsageError> {
        if let Some(choice) = self.task {
            for task in [Task::Perception, Task::Alignment].into_iter().filter(|&task| choice.includes(task)) {
                if !tasks.iter().any(|options| options.task() == task) {
                    let task = task_name(task);
                    return Err(UsageError(format!(
                        "the model does not score {task}; leave --task out to score what it can"
                    )));
                }
            }
            tasks.retain(|options| choice.includes(options.task()));
        }
        if let Some(prompts) = self.prompts {
            let Some(options) = tasks.iter_mut().find(|options| options.task() == prompts.task()) else {
                let (levels, task) = (prompts.levels().join("/"), task_name(prompts.task()));
                return Err(UsageError(format!("the prompts {levels} are for {task}, which is not scored here")));
            };
            options.prompts = prompts;
        }
        for options in &mut tasks {
            options.alpha = self.alpha.map_or(options.alpha, Alpha::Fixed);
            options.crops = self.crops.unwrap_or(options.crops);
            options.inputs = self.inputs.unwrap_or(options.inputs);
            options.fine &= !self.no_fine.is_some_and(|choice| choice.includes(options.task()));
            options.temperature = self.temperature.unwrap_or(options.temperature);
            options.words = self.words.unwrap_or(options.words);
            options.patch_mean = self.patch_mean.unwrap_or(options.patch_mean);
        }
        Ok(tasks)
    }
}

/// A task's name in messages and in JSON.
pub fn task_name(task: Task) -> &'static str {
    match task {
        Task::Perception => "perception",
        Task::Alignment => "alignment",
    }
}

fn parse_license(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let is_id = !text.is_empty() && text.chars().all(is_plain);
    if is_id { Ok(text.to_owned()) } else { Err("expected an identifier such as mit, apache-2.0 or cc-by-nc-4.0") }
}

fn parse_alpha(text: &str) -> Result<f64, String> {
    let alpha: f64 = text.parse().map_err(|_| "expected a number in [0, 1]".to_owned())?;
    (0.0..=1.0).contains(&alpha).then_some(alpha).ok_or_else(|| "expected a number in [0, 1]".to_owned())
}

fn parse_crops(text: &str) -> Result<usize, String> {
    let max = ViewPlan::max_crops(ClipConfig::vit_b_32().vision.image_size as u32);
    let crops = text.parse().ok().filter(|crops| (1..=max).contains(crops));
    crops.ok_or_else(|| format!("expected 1 to {max}, which every image has"))
}

/// A flag whose value core names: the names are shown in the help, and core reads them.
fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names)
        .map(|name| serde_json::from_value(name.into()).expect("core reads the names that are listed here"))
}
