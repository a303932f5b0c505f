//! Flags for the options of a score, applied to the tasks that a model has.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::options::{Alpha, Inputs, Options, PatchMean, Temperature, Words};
use tsp_mgs_core::preprocess::ViewPlan;
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_data::flags::UsageError;

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

    /// Weight of the whole image against its crops, in [0, 1]
    ///
    /// The paper's best: 0 for perception, 1 for alignment.
    #[arg(long, value_name = "A", value_parser = parse_alpha)]
    pub alpha: Option<f64>,

    /// Number of crops: fewer are faster and less exact
    #[arg(long, value_name = "N", value_parser = parse_crops)]
    pub crops: Option<usize>,

    /// What to look at: the image, its crops, or both
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

    /// How the crops' features are averaged: raw or normalised
    #[arg(long, value_name = "NAME", value_parser = named::<PatchMean>(&["raw", "normalised"]))]
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

impl TaskChoice {
    /// Whether a task is among them.
    pub fn includes(self, task: Task) -> bool {
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
                    let task = task.name();
                    return Err(UsageError::new(format!(
                        "the model does not score {task}; leave --task out to score what it can"
                    )));
                }
            }
            tasks.retain(|options| choice.includes(options.task()));
        }
        if let Some(prompts) = self.prompts {
            let Some(options) = tasks.iter_mut().find(|options| options.task() == prompts.task()) else {
                let (levels, task) = (prompts.levels().join("/"), prompts.task().name());
                return Err(UsageError::new(format!("the prompts {levels} are for {task}, which is not scored here")));
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
pub(crate) fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names)
        .map(|name| serde_json::from_value(name.into()).expect("core reads the names that are listed here"))
}
