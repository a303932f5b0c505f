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

    /// Task-specific prompts: adj, ant (both describe perception) or adv (describes alignment)
    ///
    /// adj has an adjective for each of five levels, ant has a pair of antonyms, adv has an adverb for each level. With
    /// one --task, that task is scored with these prompts, even if they describe the other task. Without --task, they
    /// are for the task that they describe.
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

    /// Returns whether `task` is the only task.
    fn is(self, task: Task) -> bool {
        self != Self::Both && self.includes(task)
    }
}

impl OptionArgs {
    /// Applies the flags to the tasks of a model.
    ///
    /// # Errors
    /// Returns an error if the model does not have a requested task, or if `--prompts` describes a task that is not
    /// scored and `--task` does not name the task to score with them.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::options::Options;
    /// use tsp_mgs_core::prompts::{PromptSet, Task};
    /// use tsp_mgs_score::options::{OptionArgs, TaskChoice};
    ///
    /// let tasks = [Task::Perception, Task::Alignment].map(Options::default_for).to_vec();
    /// let (task, prompts) = (Some(TaskChoice::Perception), Some(PromptSet::Adv));
    /// let tasks = OptionArgs { task, prompts, ..OptionArgs::default() }.apply(tasks)?;
    /// assert_eq!((tasks.len(), tasks[0].task, tasks[0].prompts), (1, Task::Perception, PromptSet::Adv));
    /// # Ok::<(), tsp_mgs_data::flags::UsageError>(())
    /// ```
    pub fn apply(&self, mut tasks: Vec<Options>) -> Result<Vec<Options>, UsageError> {
        if let Some(choice) = self.task {
            for task in [Task::Perception, Task::Alignment].into_iter().filter(|&task| choice.includes(task)) {
                if !tasks.iter().any(|options| options.task == task) {
                    let task = task.name();
                    return Err(UsageError::new(format!(
                        "the model does not score {task}; omit --task to score all tasks of the model"
                    )));
                }
            }
            tasks.retain(|options| choice.includes(options.task));
        }
        if let Some(prompts) = self.prompts {
            let described = prompts.described_task();
            let is_chosen = |options: &&mut Options| {
                self.task.is_some_and(|choice| choice.is(options.task)) || options.task == described
            };
            let Some(options) = tasks.iter_mut().find(is_chosen) else {
                let (levels, described) = (prompts.levels().join("/"), described.name());
                return Err(UsageError::new(format!(
                    "the prompts {levels} describe {described}, which is not scored here; pass --task to score another \
                     task with them"
                )));
            };
            options.prompts = prompts;
        }
        for options in &mut tasks {
            options.alpha = self.alpha.map_or(options.alpha, Alpha::Fixed);
            options.crops = self.crops.unwrap_or(options.crops);
            options.inputs = self.inputs.unwrap_or(options.inputs);
            options.fine &= !self.no_fine.is_some_and(|choice| choice.includes(options.task));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts_of(task: Option<TaskChoice>, prompts: PromptSet) -> Vec<(Task, PromptSet)> {
        let tasks = [Task::Perception, Task::Alignment].map(Options::default_for).to_vec();
        let flags = OptionArgs { task, prompts: Some(prompts), ..OptionArgs::default() };
        let tasks = flags.apply(tasks).expect("the model has both tasks");
        tasks.into_iter().map(|options| (options.task, options.prompts)).collect()
    }

    #[test]
    fn one_task_is_scored_with_any_prompts() {
        for prompts in [PromptSet::Adj, PromptSet::Ant, PromptSet::Adv] {
            assert_eq!(prompts_of(Some(TaskChoice::Perception), prompts), [(Task::Perception, prompts)]);
            assert_eq!(prompts_of(Some(TaskChoice::Alignment), prompts), [(Task::Alignment, prompts)]);
        }
    }

    #[test]
    fn prompts_are_for_the_task_that_they_describe_if_two_are_scored() {
        for task in [None, Some(TaskChoice::Both)] {
            let with_ant = [(Task::Perception, PromptSet::Ant), (Task::Alignment, PromptSet::Adv)];
            assert_eq!(prompts_of(task, PromptSet::Ant), with_ant);
            let defaults = [(Task::Perception, PromptSet::Adj), (Task::Alignment, PromptSet::Adv)];
            assert_eq!(prompts_of(task, PromptSet::Adv), defaults);
        }
    }

    #[test]
    fn prompts_for_another_task_than_the_model_scores_need_the_name_of_the_task() {
        let flags = OptionArgs { prompts: Some(PromptSet::Adv), ..OptionArgs::default() };
        let error = flags.apply(vec![Options::default_for(Task::Perception)]).expect_err("alignment is not scored");
        assert!(error.to_string().contains("describe alignment"), "{error}");
        assert!(error.to_string().contains("pass --task"), "{error}");
    }
}
