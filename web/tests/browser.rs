//! The wasm interface in a real browser, in a worker as on the page; once for each backend.

#![cfg(target_arch = "wasm32")]
#![recursion_limit = "256"]

use std::collections::BTreeMap;

use js_sys::{Object, Reflect, Uint8Array};
use serde_json::Value;
use tsp_mgs_core::bundle::{MANIFEST, Manifest, Provenance, Shard, WeightType, sha256, write_shards};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::PREPROCESS_ID;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::tokenizer::Tokenizer;
use tsp_mgs_core::weights::read_safetensors;
use tsp_mgs_web::Scorer;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const TINY_CLIP: &[u8] = include_bytes!("../../trainer/assets/tiny-clip/model.safetensors");
const SCORES: &str = include_str!("../../tests/fixtures/scores.json");
const TOKENS: &str = include_str!("../../tests/fixtures/tokens.json");
const IMAGE: (&str, &[u8]) = ("kept_512x512.png", include_bytes!("../../tests/fixtures/images/kept_512x512.png"));
const ROCKET: &[u8] = include_bytes!("../../www/samples/rocket.png");

/// On the 0 to 5 scale.
const TOLERANCE: f64 = if cfg!(feature = "webgpu") { 2e-3 } else { 1e-3 };

#[wasm_bindgen(inline_js = r#"
const errors = [];
if (self.GPUAdapter) {
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    device.addEventListener("uncapturederror", (event) => errors.push(event.error.message));
    return device;
  };
}
export function gpuErrors() { return errors; }
"#)]
extern "C" {
    /// What WebGPU found invalid so far.
    #[wasm_bindgen(js_name = gpuErrors)]
    fn gpu_errors() -> Vec<String>;
}

/// The demonstration weights as the files of a bundle.
fn bundle() -> Object {
    let tensors = read_safetensors(TINY_CLIP).expect("the built-in weights");
    let checkpoint = Checkpoint::read(tensors, Activation::QuickGelu).expect("a CLIP model");
    let clip = checkpoint.config().clone();
    let shards = write_shards(&checkpoint, &clip, WeightType::F16, None);
    let (format, version) = Manifest::current_format();
    let named = shards.iter().enumerate().map(|(i, bytes)| Shard {
        name: format!("weights-{i}.safetensors"),
        size: bytes.len(),
        sha256: sha256(bytes),
    });
    let manifest = Manifest {
        format,
        version,
        name: "tiny-clip".into(),
        warning: Some("untrained demo weights".into()),
        tasks: [Task::Perception, Task::Alignment].map(|task| (task, Options::default_for(task))).into(),
        clip,
        preprocess: PREPROCESS_ID.into(),
        dtype: WeightType::F16,
        score_difference: BTreeMap::new(),
        provenance: Provenance { source: "test".into(), sha256: String::new(), exporter: "test".into() },
        shards: named.collect(),
    };
    let files = Object::new();
    set(&files, MANIFEST, manifest.to_json().as_bytes());
    for (shard, bytes) in manifest.shards.iter().zip(&shards) {
        set(&files, &shard.name, bytes);
    }
    files
}

fn set(files: &Object, name: &str, bytes: &[u8]) {
    Reflect::set(files, &name.into(), &Uint8Array::from(bytes)).expect("an object takes fields");
}

fn message(error: JsError) -> String {
    let error: JsValue = error.into();
    error.unchecked_into::<js_sys::Error>().message().into()
}

async fn loaded() -> Scorer {
    Scorer::load(bundle().into(), None).await.map_err(message).expect("a scorer")
}

async fn score(scorer: &Scorer, image: &[u8], prompt: Option<&str>) -> Result<Value, String> {
    let score = scorer.score(image.to_vec(), prompt.map(str::to_owned)).await.map_err(message)?;
    Ok(serde_wasm_bindgen::from_value(score).expect("a plain object"))
}

/// The reference's scores of [`IMAGE`] with default options: one for each prompt and task.
fn references() -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(SCORES).expect("scores.json");
    let defaults = [Task::Perception, Task::Alignment].map(|task| {
        let mut options = serde_json::to_value(Options::default_for(task)).expect("plain data");
        options["task"] = serde_json::to_value(task).expect("plain data");
        options
    });
    let is_wanted =
        |case: &Value| case["image"] == IMAGE.0 && case["prompt"] != "" && defaults.contains(&case["options"]);
    all.into_iter().filter(is_wanted).collect()
}

#[wasm_bindgen_test]
async fn the_self_check_passes() {
    Scorer::self_check().await.map_err(message).expect("this device computes right");
    assert_eq!(gpu_errors(), Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn three_calls_in_a_row_equal_the_reference() {
    let scorer = loaded().await;
    let references = references();
    assert!(references.len() >= 2, "both tasks");
    for call in 1..=3 {
        for expected in &references {
            let task = expected["options"]["task"].as_str().expect("a task");
            let found = score(&scorer, IMAGE.1, expected["prompt"].as_str()).await.expect("a score");
            for part in ["score", "q_image", "q_patches", "q_fine", "w_image", "w_patches"] {
                let [found, expected] =
                    [&found[task][part], &expected[part]].map(|value| value.as_f64().expect("a number"));
                let off = (found - expected).abs();
                assert!(off <= TOLERANCE, "call {call}, {task}.{part}: {found}, expected {expected}");
            }
            for part in ["p_image", "p_patches"] {
                let lists = [&found[task][part], &expected[part]].map(|value| value.as_array().expect("a list"));
                for (found, expected) in lists[0].iter().zip(lists[1]) {
                    let off = (found.as_f64().expect("a number") - expected.as_f64().expect("a number")).abs();
                    assert!(off <= TOLERANCE, "call {call}, {task}.{part}: {found}, expected {expected}");
                }
            }
        }
    }
    assert_eq!(gpu_errors(), Vec::<String>::new());
}

#[wasm_bindgen_test]
fn token_ids_equal_open_clips_here_too() {
    let cases: Vec<Value> = serde_json::from_str(TOKENS).expect("tokens.json");
    let tokenizer = Tokenizer::new();
    for case in &cases {
        let text = case["text"].as_str().expect("a text");
        assert_eq!(serde_json::json!(tokenizer.encode(text, 77).ids), case["ids"], "{text:?}");
    }
    assert!(cases.len() >= 300);
}

#[wasm_bindgen_test]
async fn the_prompt_is_read_from_the_image_and_words_count_utf_16() {
    let scorer = loaded().await;
    let found = score(&scorer, ROCKET, None).await.expect("a score");
    assert_eq!(found["prompt_source"], "parameters");
    assert!(found["prompt"].as_str().expect("a prompt").contains("rocket"));
    assert_eq!(found["warning"], "untrained demo weights");

    let prompt = "\u{1f600} cat";
    let found = score(&scorer, ROCKET, Some(prompt)).await.expect("a score");
    let cat = found["perception"]["words"].as_array().expect("words").last().expect("a word").clone();
    assert_eq!((&cat["text"], &cat["start"], &cat["end"]), (&"cat".into(), &3.into(), &6.into()));

    let without = score(&scorer, ROCKET, Some(" ")).await.expect("a score");
    assert!(without["alignment"].is_null() && without["perception"]["score"].is_number());
}

#[wasm_bindgen_test]
async fn wrong_input_rejects_with_a_sentence_and_the_next_call_works() {
    let scorer = loaded().await;
    let error = score(&scorer, b"a text", None).await.expect_err("no image");
    assert!(error.contains("not an image that can be decoded"), "{error}");
    assert!(score(&scorer, ROCKET, Some("a rocket")).await.is_ok());

    let rejected = async |source: JsValue| match Scorer::load(source, None).await {
        Ok(_) => panic!("it loads"),
        Err(error) => message(error),
    };
    assert!(rejected(JsValue::from(1)).await.contains("expected the URL of model.json"));
    assert!(rejected(Object::new().into()).await.contains("the bundle has no file model.json"));
    let files = bundle();
    set(&files, "weights-0.safetensors", b"damaged");
    assert!(rejected(files.into()).await.contains("weights-0.safetensors has 7 bytes, expected"));
    assert!(rejected("data:application/json,{}".into()).await.contains("missing field `format`"));
    assert!(
        rejected("http://localhost:1/model.json".into())
            .await
            .contains("could not download http://localhost:1/model.json")
    );
}
