//! Tests of the wasm interface in a browser, in a worker as on the page. They run once for each backend.

#![cfg(target_arch = "wasm32")]
#![recursion_limit = "256"]

#[path = "../../tests/suite/parity.rs"]
mod parity;

use std::collections::{BTreeMap, BTreeSet};

use js_sys::{Function, Reflect, Uint8Array, Uint8ClampedArray};
use parity::{Case, WARNING, every_choice, manifest, shards};
use serde_json::Value;
use tsp_mgs_core::bundle::MANIFEST;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::{BROWSER_DECODED, FLAT, TINY, decode};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::tokenizer::Tokenizer;
use tsp_mgs_web::Scorer;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::ImageData;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const TOKENS: &str = include_str!("../../tests/fixtures/tokens.json");
const ROCKET: &[u8] = include_bytes!("../../www/samples/rocket.png");

/// The number of calls. A kernel that is tuned in the first call can be wrong from the second call on.
const CALLS: usize = 3;
/// The tolerance on the scale of 0 to 5.
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
    /// The validation errors that WebGPU reported so far.
    #[wasm_bindgen(js_name = gpuErrors)]
    fn gpu_errors() -> Vec<String>;
}

/// The shards of a bundle with pseudorandom weights, made once for several manifests.
struct Bundle {
    shards: Vec<Vec<u8>>,
}

impl Bundle {
    fn new() -> Self {
        Self { shards: shards() }
    }

    /// The files of a bundle with these tasks.
    fn scoring(&self, tasks: &[Options]) -> Files {
        let manifest = manifest(&self.shards, tasks);
        let names = manifest.shards.iter().map(|shard| shard.name.clone());
        let mut files: Files = names.zip(self.shards.iter().cloned()).collect();
        files.insert(MANIFEST.to_owned(), manifest.to_json().into_bytes());
        files
    }
}

type Files = BTreeMap<String, Vec<u8>>;

/// The function that [`Scorer::load`] calls for each file.
fn reader(files: Files) -> JsValue {
    let read = move |name: String| files.get(&name).map(|bytes| Uint8Array::from(bytes.as_slice()));
    Closure::<dyn Fn(String) -> Option<Uint8Array>>::new(read).into_js_value()
}

/// A bundle that scores both tasks with the options of the paper's best models.
fn bundle() -> Files {
    Bundle::new().scoring(&[Task::Perception, Task::Alignment].map(Options::default_for))
}

fn image(case: &Case) -> &'static [u8] {
    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/fixtures/images/", $name))
        };
    }
    match case.image.as_str() {
        "kept_512x512.png" => fixture!("kept_512x512.png"),
        "rgba.png" => fixture!("rgba.png"),
        "upscaled_300x200.png" => fixture!("upscaled_300x200.png"),
        "wide_1100x520.png" => fixture!("wide_1100x520.png"),
        other => panic!("scores.json has a new image, {other}"),
    }
}

/// `CODE: MESSAGE` of an error with a code; the message of any other error.
fn message(error: impl Into<JsValue>) -> String {
    let error: JsValue = error.into();
    let code = Reflect::get(&error, &"code".into()).expect("an object").as_string();
    let message = error.unchecked_into::<js_sys::Error>().message();
    match code {
        Some(code) => format!("{code}: {message}"),
        None => message.into(),
    }
}

async fn load(files: Files) -> Scorer {
    Scorer::load(reader(files), None).await.map_err(message).expect("a scorer")
}

async fn score(scorer: &Scorer, image: &[u8], prompt: Option<&str>) -> Result<Value, String> {
    let score = scorer.score(image.to_vec(), prompt.map(str::to_owned), None).await.map_err(message)?;
    Ok(serde_wasm_bindgen::from_value(score).expect("a plain object"))
}

/// Scores a case and compares all parts of the score with the reference.
async fn assert_case(scorer: &Scorer, case: &Case) {
    let found = score(scorer, image(case), Some(&case.prompt)).await.expect("a score");
    case.assert(&found[task_name(case)], TOLERANCE);
}

fn task_name(case: &Case) -> &'static str {
    match case.task() {
        Task::Perception => "perception",
        Task::Alignment => "alignment",
    }
}

/// Removes cases whose options all appear in other cases. The most expensive ones are removed first.
fn few(mut cases: Vec<Case>) -> Vec<Case> {
    cases.sort_by_key(Case::views);
    for i in (0..cases.len()).rev() {
        let others = cases.iter().enumerate().filter(|&(other, _)| other != i);
        let shown: BTreeSet<_> = others.flat_map(|(_, case)| case.shows()).collect();
        if cases[i].shows().is_subset(&shown) {
            cases.remove(i);
        }
    }
    cases
}

#[wasm_bindgen_test]
async fn the_self_check_passes() {
    Scorer::self_check().await.map_err(message).expect("this device computes right");
    assert_eq!(gpu_errors(), Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn three_calls_in_a_row_equal_the_reference() {
    let scorer = load(bundle()).await;
    let mut cases = Case::base();
    cases.retain(|case| case.image == "kept_512x512.png" && !case.prompt.is_empty());
    let tasks: BTreeSet<Task> = cases.iter().map(Case::task).collect();
    assert_eq!(tasks.len(), 2, "both tasks");
    for _ in 1..=CALLS {
        for case in &cases {
            assert_case(&scorer, case).await;
        }
    }
    assert_eq!(gpu_errors(), Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn every_value_of_every_option_equals_the_reference() {
    // An emulated GPU would take minutes for all cases.
    let cases = if cfg!(feature = "webgpu") { few(Case::all()) } else { Case::all() };
    let shown: BTreeSet<_> = cases.iter().flat_map(Case::shows).collect();
    assert_eq!(shown, every_choice());

    let bundle = Bundle::new();
    for case in &cases {
        let scorer = load(bundle.scoring(&[case.options()])).await;
        for _ in 1..=CALLS {
            assert_case(&scorer, case).await;
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
    let scorer = load(bundle()).await;
    let found = score(&scorer, ROCKET, None).await.expect("a score");
    assert_eq!(found["prompt_source"], "parameters");
    assert!(found["prompt"].as_str().expect("a prompt").contains("rocket"));
    assert_eq!(found["warning"], WARNING);

    let prompt = "\u{1f600} cat";
    let found = score(&scorer, ROCKET, Some(prompt)).await.expect("a score");
    let cat = found["perception"]["words"].as_array().expect("words").last().expect("a word").clone();
    assert_eq!((&cat["text"], &cat["start"], &cat["end"]), (&"cat".into(), &3.into(), &6.into()));

    let without = score(&scorer, ROCKET, Some(" ")).await.expect("a score");
    assert!(without["alignment"].is_null() && without["perception"]["score"].is_number());
}

#[wasm_bindgen_test]
async fn a_call_has_its_own_number_of_crops() {
    let scorer = load(bundle()).await;
    let crops = async |crops: Option<f64>| {
        let score = scorer.score(ROCKET.to_vec(), None, crops).await.map_err(message)?;
        let score: Value = serde_wasm_bindgen::from_value(score).expect("a plain object");
        assert_eq!(
            score["perception"]["patches"].as_array().map(Vec::len),
            score["crops"].as_u64().map(|n| n as usize)
        );
        Ok::<Value, String>(score["crops"].clone())
    };
    let default = crops(None).await.expect("a score");
    assert_eq!(crops(Some(2.0)).await.expect("a score"), 2);
    let error = crops(Some(1e9)).await.expect_err("too many");
    assert!(error.starts_with("argument: ") && error.contains("crops were asked for"), "{error}");
    assert_eq!(crops(None).await.expect("a score"), default);
}

#[wasm_bindgen_test]
async fn an_image_of_one_pixel_is_scored_with_notes() {
    // A BMP file: 54 bytes of header, one black pixel and its padding.
    let mut pixel = vec![0; 58];
    for (place, value) in [(0, b'B'), (1, b'M'), (2, 58), (10, 54), (14, 40), (18, 1), (22, 1), (26, 1), (28, 24)] {
        pixel[place] = value;
    }
    let scorer = load(bundle()).await;
    let found = score(&scorer, &pixel, Some("a cat")).await.expect("a score");
    assert!(found["perception"]["score"].is_number());
    assert_eq!(found["notes"], serde_json::json!([WARNING, FLAT, TINY]));
    let other = score(&scorer, ROCKET, Some("a rocket")).await.expect("a score");
    assert_eq!(other["notes"], serde_json::json!([WARNING]));
}

#[wasm_bindgen_test]
async fn pixels_of_the_browser_are_scored_as_those_of_a_file_with_a_note() {
    let image = decode(ROCKET).expect("an image");
    let (width, height) = image.dimensions();
    let rgba: Vec<u8> = image.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    // A copy: a view of the memory of this module would be detached when the memory grows.
    let rgba = Uint8ClampedArray::from(rgba.as_slice());
    let image = ImageData::new_with_js_u8_clamped_array_and_sh(&rgba, width, height).expect("pixels");
    let scorer = load(bundle()).await;
    let found = scorer.score_pixels(image, Some("a rocket".to_owned()), None).await.map_err(message).expect("a score");
    let found: Value = serde_wasm_bindgen::from_value(found).expect("a result");
    let expected = score(&scorer, ROCKET, Some("a rocket")).await.expect("a score");
    assert_eq!(found["perception"], expected["perception"]);
    assert_eq!(found["alignment"], expected["alignment"]);
    assert_eq!(found["notes"], serde_json::json!([WARNING, BROWSER_DECODED]));
}

#[wasm_bindgen_test]
async fn wrong_input_rejects_with_a_code_and_a_sentence_and_the_next_call_works() {
    let scorer = load(bundle()).await;
    let error = score(&scorer, b"a text", None).await.expect_err("no image");
    assert!(error.starts_with("image: not an image that can be decoded"), "{error}");
    assert!(score(&scorer, ROCKET, Some("a rocket")).await.is_ok());

    let rejected = async |source: JsValue| match Scorer::load(source, None).await {
        Ok(_) => panic!("it loads"),
        Err(error) => message(error),
    };
    assert_eq!(rejected(JsValue::from(1)).await, "argument: expected a function that returns a bundle's files by name");
    assert_eq!(rejected(reader(Files::new())).await, "argument: expected the bytes of model.json as a Uint8Array");
    let throws = Function::new_with_args("name", "throw new Error(`${name} is gone`)");
    assert_eq!(rejected(throws.into()).await, "model.json is gone");
    let mut files = bundle();
    files.insert("weights-0.safetensors".into(), b"damaged".into());
    let error = rejected(reader(files)).await;
    assert!(error.starts_with("model: ") && error.contains("weights-0.safetensors has 7 bytes, expected"), "{error}");
    let error = rejected(reader(Files::from([(MANIFEST.to_owned(), b"{}".into())]))).await;
    assert!(error.starts_with("model: ") && error.contains("missing field `format`"), "{error}");
}
