//! Options in JSON: in a list of tasks, and by task in `model.json`.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Alpha, Inputs, Options, PatchMean, Temperature, Words};
use crate::prompts::{PromptSet, Task};

/// The JSON of [`Options`].
///
/// Files from before tasks and prompts were independent have no `task`. Options that such files can hold are still written
/// without it, so that older versions read them and runs of older versions can be resumed.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Options", deny_unknown_fields)]
pub(super) struct StoredOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<Task>,
    prompts: PromptSet,
    alpha: Alpha,
    inputs: Inputs,
    fine: bool,
    temperature: Temperature,
    words: Words,
    patch_mean: PatchMean,
    crops: usize,
}

impl StoredOptions {
    fn with_default_task(self, default: Task) -> Options {
        let Self { task, prompts, alpha, inputs, fine, temperature, words, patch_mean, crops } = self;
        let task = task.unwrap_or(default);
        Options { task, prompts, alpha, inputs, fine, temperature, words, patch_mean, crops }
    }
}

impl From<StoredOptions> for Options {
    fn from(stored: StoredOptions) -> Self {
        let described = stored.prompts.described_task();
        stored.with_default_task(described)
    }
}

impl From<Options> for StoredOptions {
    fn from(options: Options) -> Self {
        let Options { task, prompts, alpha, inputs, fine, temperature, words, patch_mean, crops } = options;
        let task = (task != prompts.described_task()).then_some(task);
        Self { task, prompts, alpha, inputs, fine, temperature, words, patch_mean, crops }
    }
}

/// Writes options by task. The key is the task, so the options do not repeat it.
pub(crate) fn serialize<S: Serializer>(tasks: &BTreeMap<Task, Options>, serializer: S) -> Result<S::Ok, S::Error> {
    let stored = |options: &Options| StoredOptions { task: None, ..options.clone().into() };
    serializer.collect_map(tasks.iter().map(|(task, options)| (task, stored(options))))
}

/// Reads options by task.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Task, Options>, D::Error> {
    let stored = BTreeMap::<Task, StoredOptions>::deserialize(deserializer)?;
    let options = stored.into_iter().map(|(task, stored)| {
        let options = stored.with_default_task(task);
        let (key, found) = (task.name(), options.task.name());
        if options.task == task {
            Ok((task, options))
        } else {
            Err(D::Error::custom(format!("{key} has the task {found}")))
        }
    });
    options.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn options(task: Task, prompts: PromptSet) -> Options {
        Options { prompts, ..Options::default_for(task) }
    }

    fn json_of(options: &Options) -> Value {
        serde_json::to_value(options).expect("options are plain data")
    }

    #[test]
    fn each_combination_of_task_and_prompts_is_read_back() {
        for task in [Task::Perception, Task::Alignment] {
            for prompts in [PromptSet::Adj, PromptSet::Ant, PromptSet::Adv] {
                let options = options(task, prompts);
                let json = json_of(&options);
                let is_written = json.get("task").is_some();
                assert_eq!(is_written, task != prompts.described_task(), "{json}");
                assert_eq!(serde_json::from_value::<Options>(json).expect("it reads"), options);
            }
        }
    }

    #[test]
    fn tasks_with_the_same_prompts_differ_in_json() {
        let [a, b] = [Task::Perception, Task::Alignment].map(|task| Options { task, ..options(task, PromptSet::Adv) });
        let b = Options { alpha: a.alpha, ..b };
        assert_ne!(json_of(&a), json_of(&b));
    }

    #[test]
    fn the_key_in_a_bundle_is_the_task() {
        let read = |json: Value| deserialize(json).map_err(|error: serde_json::Error| error.to_string());
        let mut options = json_of(&Options::default_for(Task::Alignment));
        let tasks =
            read(json!({"perception": options.clone(), "alignment": options.clone()})).expect("options by task");
        let found: Vec<Task> = tasks.values().map(|options| options.task).collect();
        assert_eq!(found, [Task::Perception, Task::Alignment]);
        let written = serialize(&tasks, serde_json::value::Serializer).expect("options are plain data");
        assert_eq!(written, json!({"perception": options.clone(), "alignment": options.clone()}));

        options["task"] = "alignment".into();
        assert_eq!(read(json!({"perception": options})), Err("perception has the task alignment".into()));
    }

    #[test]
    fn options_without_a_task_have_that_of_their_prompts() {
        let json = json!({"prompts": "adv", "alpha": 1.0, "inputs": "both", "fine": true, "temperature": "clip",
            "words": "tokens", "patch_mean": "raw", "crops": 15});
        let read: Options = serde_json::from_value(json).expect("options of an older version");
        assert_eq!(read, Options::default_for(Task::Alignment));
    }
}
