//! Flags for the options of a score, and their application to the tasks of a model.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::options::{Alpha, Inputs, Options, PatchMean, Temperature, Words};
use tsp_mgs_core::preprocess::ViewPlan;
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_data::flags::UsageError;

/// Flags for the options of a score. An option without a flag keeps the value of the model.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Scoring (default: the options of the model)")]
pub struct OptionArgs {
    /// Tasks to score: perception, alignment or both; default: all tasks of the model
    #[arg(long, value_name = "TASK", value_enum)]
    pub task: Option<TaskChoice>,

    /// Task-specific prompts: adj or ant for perception, adv for alignment
    ///
    /// adj has an adjective for each of five levels, ant has a pair of antonyms, adv has an adverb for each level.
    #[arg(long, value_name = "SET", value_parser = named::<PromptSet>(&["adj", "ant", "adv"]))]
    pub prompts: Option<PromptSet>,

    /// Weight of the whole image against its crops, in [0, 1]
    ///
    /// The paper reports the best results with 0 for perception and 1 for alignment.
    #[arg(long, value_name = "A", value_parser = parse_alpha)]
    pub alpha: Option<f64>,

    /// Number of crops; fewer are faster and less accurate
    #[arg(long, value_name = "N", value_parser = parse_crops)]
    pub crops: Option<usize>,

    /// Views to score: the whole image, its crops (patches), or both
    #[arg(long, value_name = "INPUTS", value_parser = named::<Inputs>(&["image", "patches", "both"]))]
    pub inputs: Option<Inputs>,

    /// Omit the similarity with the words of the prompt: for both tasks, or for one
    #[arg(long, value_name = "TASK", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "both")]
    pub no_fine: Option<TaskChoice>,

    /// Factor of the softmax: clip (the learned scale) or none (1, as in the paper's Eq. 3)
    #[arg(long, value_name = "NAME", value_parser = named::<Temperature>(&["clip", "none"]))]
    pub temperature: Option<Temperature>,

    /// Words of a prompt: tokens (byte pairs) or merged (the mean of the tokens of a word)
    #[arg(long, value_name = "NAME", value_parser = named::<Words>(&["tokens", "merged"]))]
    pub words: Option<Words>,

    /// Mean of the crops' features: raw, or normalised to unit length first
    #[arg(long, value_name = "NAME", value_parser = named::<PatchMean>(&["raw", "normalised"]))]
    pub patch_mean: Option<PatchMean>,
}

/// The tasks to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskChoice {
    /// How good the image looks
    Perception,
    /// How well the image shows its prompt
    Alignment,
    /// Both tasks
    Both,
}

impl TaskChoice {
    /// Returns whether `task` is one of the tasks.
    pub fn includes(self, task: Task) -> bool {
        match self {
            Self::Perception => task == Task::Perception,
            Self::Alignment => task == Task::Alignment,
            Self::Both => true,
        }
    }
}

impl OptionArgs {
    /// Applies the flags to the tasks of a model.
    ///
    /// # Errors
    /// Returns an error if the model does not have a requested task, or if `--prompts` is for a task that is not
    /// scored.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::options::Options;
    /// use tsp_mgs_core::prompts::Task;
    /// use tsp_mgs_score::options::{OptionArgs, TaskChoice};
    ///
    /// let tasks = [Task::Perception, Task::Alignment].map(Options::default_for).to_vec();
    /// let flags = OptionArgs { task: Some(TaskChoice::Alignment), crops: Some(5), ..OptionArgs::default() };
    /// let tasks = flags.apply(tasks)?;
    /// assert_eq!((tasks.len(), tasks[0].task(), tasks[0].crops), (1, Task::Alignment, 5));
    /// # Ok::<(), tsp_mgs_data::flags::UsageError>(())
    /// ```
    pub fn apply(&self, mut tasks: Vec<Options>) -> Result<Vec<Options>, UsageError> {
        if let Some(choice) = self.task {
            for task in [Task::Perception, Task::Alignment].into_iter().filter(|&task| choice.includes(task)) {
                if !tasks.iter().any(|options| options.task() == task) {
                    let task = task.name();
                    return Err(UsageError::new(format!(
                        "the model does not score {task}; omit --task to score all tasks of the model"
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
    crops.ok_or_else(|| format!("expected 1 to {max} crops"))
}

/// Returns a parser for a flag whose values have names in `core`. The help shows `names`, and serde parses them.
pub(crate) fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names)
        .map(|name| serde_json::from_value(name.into()).expect("core reads the names that are listed here"))
}
