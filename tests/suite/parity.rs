//! Complete scores from an implementation in PyTorch, and the weights that they were computed with. `web/tests/browser.rs`
//! includes this file, too, so that native code and the browser are compared with the same references.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};
use tsp_mgs_core::bundle::{Manifest, Provenance, Shard, WeightType, sha256, write_shards};
use tsp_mgs_core::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::options::{Inputs, Options};
use tsp_mgs_core::preprocess::{PREPROCESS_ID, ViewPlan};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::seeded;
use tsp_mgs_core::tokenizer::VOCAB_SIZE;

/// The warning in every result of these weights.
pub const WARNING: &str = "weights drawn from a seed";

const SEED: u64 = 1;
/// The fields of each case in `scores.json`. Base cases also have words and patches.
const PARTS: [&str; 8] = ["score", "q_image", "q_patches", "q_fine", "p_image", "p_patches", "w_image", "w_patches"];
/// Every value of the options that both tasks share. Each task has its own prompts.
const VALUES: [(&str, &[&str]); 7] = [
    ("alpha", &["0", "between", "1", "learned"]),
    ("inputs", &["image", "patches", "both"]),
    ("fine", &["true", "false"]),
    ("temperature", &["clip", "none"]),
    ("words", &["tokens", "merged"]),
    ("patch_mean", &["raw", "normalised"]),
    ("crops", &["1", "5", "15"]),
];

/// A task, one of its options, and a value of this option.
pub type Choice = (Task, &'static str, String);

/// An image, a prompt and options, with the numbers of the reference.
#[derive(Deserialize)]
pub struct Case {
    pub image: String,
    pub prompt: String,
    options: Value,
    #[serde(flatten)]
    parts: Map<String, Value>,
}

/// `seeded.TINY_CLIP` in `tests/fixtures/seeded.py`.
fn config() -> ClipConfig {
    ClipConfig {
        embed_dim: 64,
        activation: Activation::QuickGelu,
        vision: VisionConfig { image_size: 224, patch_size: 32, width: 64, mlp_width: 256, layers: 2 },
        text: Some(TextConfig { context_length: 77, vocab_size: VOCAB_SIZE, width: 64, mlp_width: 256, layers: 2 }),
    }
}

/// The weights, rounded to float16 as `generate.py` rounds them.
pub fn shards() -> Vec<Vec<u8>> {
    write_shards(&seeded::checkpoint(config(), SEED), &config(), WeightType::F16, None)
}

/// The manifest of `shards`, for a model that scores with these options.
pub fn manifest(shards: &[Vec<u8>], tasks: &[Options]) -> Manifest {
    let (format, version) = Manifest::current_format();
    let named = shards.iter().enumerate().map(|(i, bytes)| Shard {
        name: format!("weights-{i}.safetensors"),
        size: bytes.len(),
        sha256: sha256(bytes),
    });
    Manifest {
        format,
        version,
        name: "seeded".into(),
        warning: Some(WARNING.into()),
        tasks: tasks.iter().map(|options| (options.task, options.clone())).collect(),
        clip: config(),
        preprocess: PREPROCESS_ID.into(),
        dtype: WeightType::F16,
        score_difference: Default::default(),
        provenance: Provenance { source: "test".into(), sha256: String::new(), exporter: "test".into() },
        shards: named.collect(),
    }
}

/// Every value of every option of each task.
pub fn every_choice() -> BTreeSet<Choice> {
    let prompts = [(Task::Perception, "adj"), (Task::Perception, "ant"), (Task::Alignment, "adv")];
    let prompts = prompts.map(|(task, set)| (task, "prompts", set.to_owned()));
    let shared = [Task::Perception, Task::Alignment].into_iter().flat_map(|task| {
        VALUES
            .into_iter()
            .flat_map(move |(option, values)| values.iter().map(move |&value| (task, option, value.into())))
    });
    prompts.into_iter().chain(shared).collect()
}

impl Case {
    pub fn all() -> Vec<Self> {
        let cases: Vec<Self> = serde_json::from_str(include_str!("../fixtures/scores.json")).expect("scores.json");
        assert!(cases.iter().all(|case| PARTS.iter().all(|part| case.parts.contains_key(*part))), "no part is missing");
        cases
    }

    /// Cases with the default options of a task. They have all parts.
    pub fn base() -> Vec<Self> {
        let defaults = [Task::Perception, Task::Alignment].map(Options::default_for);
        let cases: Vec<Self> = Self::all().into_iter().filter(|case| case.parts.contains_key("patches")).collect();
        assert!(cases.iter().all(|case| defaults.contains(&case.options())));
        cases
    }

    pub fn options(&self) -> Options {
        serde_json::from_value(self.options.clone()).expect("options are spelt as in the settings of a run")
    }

    pub fn task(&self) -> Task {
        self.options().task
    }

    /// The options that affect the score of this case, with their values.
    pub fn shows(&self) -> BTreeSet<Choice> {
        let options = self.options();
        let has_words = !self.prompt.is_empty();
        let counts = |option: &str| match option {
            "alpha" => options.inputs == Inputs::Both,
            "fine" => has_words,
            "words" => has_words && options.fine,
            "patch_mean" => options.needs_crops() && options.crops > 1,
            "crops" => options.needs_crops(),
            _ => true,
        };
        let names = VALUES.iter().map(|&(option, _)| option).chain(["prompts"]).filter(|option| counts(option));
        names.map(|option| (options.task, option, value(option, &self.options[option]))).collect()
    }

    /// The number of views of the score, which determines its cost.
    pub fn views(&self) -> usize {
        let side = config().vision.image_size as u32;
        Options::view_plan(&[self.options()], side).as_ref().map(ViewPlan::len).expect("options of the fixtures")
    }

    /// Compares a task in a result, in JSON or JavaScript, with the reference.
    #[track_caller]
    pub fn assert(&self, found: &Value, tolerance: f64) {
        let what = format!("{} with {:?} and {}", self.image, self.prompt, self.options);
        for (part, expected) in &self.parts {
            assert_close(&found[part], expected, tolerance, &format!("{part} of {what}"));
        }
    }
}

/// The name of a value. All α between 0 and 1 have the same name.
fn value(option: &str, value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Object(_) => "learned".into(),
        Value::Number(number) if option == "alpha" => match number.as_f64() {
            Some(0.0) => "0".into(),
            Some(1.0) => "1".into(),
            _ => "between".into(),
        },
        other => other.to_string(),
    }
}

/// Checks that numbers differ by at most `tolerance`, lists have the same length, and all expected fields exist.
/// Texts are compared in lower case, in which the reference stores tokens.
#[track_caller]
fn assert_close(found: &Value, expected: &Value, tolerance: f64, what: &str) {
    match expected {
        Value::Number(number) => {
            let off = found.as_f64().zip(number.as_f64()).map(|(found, expected)| (found - expected).abs());
            // A missing or infinite number fails.
            assert!(
                off.is_some_and(|off| off <= tolerance),
                "{what} is {found}, expected {expected} within {tolerance}"
            );
        }
        Value::Array(list) => {
            let found = found.as_array().unwrap_or_else(|| panic!("{what} is {found}, expected a list"));
            assert_eq!(found.len(), list.len(), "{what}: number of elements");
            for (i, (found, expected)) in found.iter().zip(list).enumerate() {
                assert_close(found, expected, tolerance, &format!("element {i} of {what}"));
            }
        }
        Value::Object(fields) => {
            for (name, expected) in fields {
                assert_close(&found[name], expected, tolerance, &format!("{name} of {what}"));
            }
        }
        Value::String(text) => assert_eq!(found.as_str().map(str::to_lowercase).as_ref(), Some(text), "{what}"),
        Value::Null | Value::Bool(_) => assert_eq!(found, expected, "{what}"),
    }
}
