//! Subcommands and flags, nothing else.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tsp_mgs_core::bundle::WeightType;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::{Alpha, Inputs, Options, PatchMean, Temperature, Words};
use tsp_mgs_core::prompts::{PromptSet, Task};

use crate::device::DeviceChoice;

/// Scores AI-generated images: how good they look, how well they show their prompt
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
    Score(ScoreArgs),
    /// Write a model as a bundle, for `score --model` and for the browser
    Export(ExportArgs),
}

/// Flags of `trainer score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Images, and folders that are searched for images
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub options: OptionArgs,

    /// The prompt of every image
    ///
    /// Without it, a prompt is read from the file NAME.txt beside NAME.png, then from the image's own
    /// metadata (Stable Diffusion WebUI, ComfyUI, InvokeAI). An image without a prompt gets no
    /// alignment score.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,

    /// Where to compute: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    ///
    /// auto takes CUDA if it is built in and there, then a GPU through wgpu, then the CPU.
    /// wgpu:software takes a driver that emulates a GPU, such as lavapipe; nothing else does.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// How results are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Flags of `trainer export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub options: OptionArgs,

    /// Element type of the weights
    ///
    /// f16 halves the download, q8 quarters it; the score difference is measured and printed.
    #[arg(long, value_name = "TYPE", value_parser = parse_weight_type, default_value = "f16")]
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

    /// Replace the bundle that stands in the folder
    #[arg(long)]
    pub overwrite: bool,
}

/// Which weights; without a flag, the built-in untrained demonstration.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// CLIP weights: .safetensors, .bin or .pt with Hugging Face's or OpenAI's names
    ///
    /// Scores zero-shot, with CLIP as it is.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub clip: Option<PathBuf>,

    /// A model bundle, as `trainer export` writes it
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// Activation of --clip: quick-gelu (OpenAI) or gelu (most of LAION's weights)
    #[arg(long, value_name = "NAME", value_parser = parse_activation, default_value = "quick-gelu")]
    pub activation: Activation,
}

/// The options of SPEC §2 to §5; what is not given stays as the model has it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options")]
pub struct OptionArgs {
    /// What to score: perception, alignment or both; default: all that the model can
    #[arg(long, value_name = "TASK", value_enum)]
    pub task: Option<TaskChoice>,

    /// Task-specific prompts: adj or ant for perception, adv for alignment
    #[arg(long, value_name = "SET", value_parser = parse_prompt_set)]
    pub prompts: Option<PromptSet>,

    /// Weight of the whole image against its patches, in [0, 1]
    ///
    /// The paper's best: 0 for perception, 1 for alignment.
    #[arg(long, value_name = "A", value_parser = parse_alpha)]
    pub alpha: Option<f64>,

    /// Number of patches: fewer are faster and less exact
    #[arg(long, value_name = "N")]
    pub crops: Option<usize>,

    /// What to look at: image, patches or both
    #[arg(long, value_name = "INPUTS", value_parser = parse_inputs)]
    pub inputs: Option<Inputs>,

    /// Leave out the similarity of the prompt's words
    #[arg(long)]
    pub no_fine: bool,

    /// Factor before the softmax: clip (its learned scale) or none (the paper's Eq. 3 as printed)
    #[arg(long, value_name = "NAME", value_parser = parse_temperature)]
    pub temperature: Option<Temperature>,

    /// What counts as a word: tokens (byte pairs) or merged (their mean over each word)
    #[arg(long, value_name = "NAME", value_parser = parse_words)]
    pub words: Option<Words>,

    /// How patch features are averaged: raw or normalised
    #[arg(long, value_name = "NAME", value_parser = parse_patch_mean)]
    pub patch_mean: Option<PatchMean>,
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

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One aligned line an image, for people
    Table,
    /// One JSON object a line, with all parts
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

impl TaskChoice {
    fn includes(self, task: Task) -> bool {
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
    pub fn apply(&self, mut tasks: Vec<Options>) -> Result<Vec<Options>> {
        if let Some(choice) = self.task {
            for task in [Task::Perception, Task::Alignment].into_iter().filter(|&task| choice.includes(task)) {
                if !tasks.iter().any(|options| options.task() == task) {
                    bail!("the model does not score {}; leave --task out to score what it can", task_name(task));
                }
            }
            tasks.retain(|options| choice.includes(options.task()));
        }
        if let Some(prompts) = self.prompts {
            let Some(options) = tasks.iter_mut().find(|options| options.task() == prompts.task()) else {
                bail!(
                    "--prompts {} are for {}, which is not scored here",
                    prompts.levels().join("/"),
                    task_name(prompts.task())
                );
            };
            options.prompts = prompts;
        }
        for options in &mut tasks {
            options.alpha = self.alpha.map_or(options.alpha, Alpha::Fixed);
            options.crops = self.crops.unwrap_or(options.crops);
            options.inputs = self.inputs.unwrap_or(options.inputs);
            options.fine &= !self.no_fine;
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

fn parse_alpha(text: &str) -> Result<f64, String> {
    let alpha: f64 = text.parse().map_err(|_| "expected a number in [0, 1]".to_owned())?;
    (0.0..=1.0).contains(&alpha).then_some(alpha).ok_or_else(|| "expected a number in [0, 1]".to_owned())
}

/// One parser for each option that core names, so that clap lists the values.
macro_rules! named_values {
    ($parser:ident -> $type:ty { $($name:literal => $value:expr),+ $(,)? }) => {
        fn $parser(text: &str) -> Result<$type, String> {
            match text {
                $($name => Ok($value),)+
                _ => Err(format!("expected one of {}", [$($name),+].join(", "))),
            }
        }
    };
}

named_values!(parse_prompt_set -> PromptSet { "adj" => PromptSet::Adj, "ant" => PromptSet::Ant, "adv" => PromptSet::Adv });
named_values!(parse_inputs -> Inputs { "image" => Inputs::Image, "patches" => Inputs::Patches, "both" => Inputs::Both });
named_values!(parse_temperature -> Temperature { "clip" => Temperature::Clip, "none" => Temperature::None });
named_values!(parse_words -> Words { "tokens" => Words::Tokens, "merged" => Words::Merged });
named_values!(parse_patch_mean -> PatchMean { "raw" => PatchMean::Raw, "normalised" => PatchMean::Normalised });
named_values!(parse_activation -> Activation { "quick-gelu" => Activation::QuickGelu, "gelu" => Activation::Gelu });
named_values!(parse_weight_type -> WeightType { "f32" => WeightType::F32, "f16" => WeightType::F16, "q8" => WeightType::Q8 });
