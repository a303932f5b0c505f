use std::collections::BTreeMap;

use burn::tensor::Device;
use serde::Deserialize;
use tsp_mgs_core::options::{Inputs, Options};
use tsp_mgs_core::preprocess::{Views, decode, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{ImageScore, TaskScore};
use tsp_mgs_core::scorer::{Input, Scorer};
use tsp_mgs_trainer::cli::ModelArgs;
use tsp_mgs_trainer::model::Model;
use tsp_mgs_trainer::score::score_batch;

use crate::support::{assert_close, fixture, json, read, software_gpu};

/// On the 0 to 5 scale.
const CPU: f32 = 1e-3;
const GPU: f32 = 2e-3;

#[derive(Deserialize)]
struct Case {
    image: String,
    prompt: String,
    options: serde_json::Value,
    score: f32,
    q_image: Option<f32>,
    q_patches: Option<f32>,
    q_fine: Option<f32>,
    p_image: Option<Vec<f32>>,
    p_patches: Option<Vec<f32>>,
    w_image: Option<f32>,
    w_patches: Option<f32>,
    words: Option<Vec<Word>>,
    patches: Option<Vec<Patch>>,
}

#[derive(Deserialize)]
struct Word {
    text: String,
    w_image: Option<f32>,
    w_patches: Option<f32>,
}

#[derive(Deserialize)]
struct Patch {
    p: Vec<f32>,
}

impl Case {
    fn all() -> Vec<Self> {
        serde_json::from_value(json("scores.json")).expect("scores.json")
    }

    fn options(&self) -> Options {
        let mut options = self.options.clone();
        options.as_object_mut().expect("an object").remove("task"); // the prompts tell
        serde_json::from_value(options).expect("options are spelt as in model.json")
    }

    fn image(&self) -> image::RgbImage {
        decode(&read(&fixture("images").join(&self.image))).expect("the fixture is an image")
    }

    fn assert(&self, found: &TaskScore, tolerance: f32) {
        let what = |part: &str| format!("{part} of {} with {}", self.image, self.options);
        let part = |name: &str, found: Option<f32>, expected: Option<f32>| {
            assert_eq!(found.is_some(), expected.is_some(), "{}", what(name));
            assert_close(found.as_slice(), expected.as_slice(), tolerance, &what(name));
        };
        let list = |name: &str, found: &Option<Vec<f32>>, expected: &Option<Vec<f32>>| {
            assert_eq!(found.is_some(), expected.is_some(), "{}", what(name));
            let (found, expected) = (found.as_deref().unwrap_or_default(), expected.as_deref().unwrap_or_default());
            assert_close(found, expected, tolerance, &what(name));
        };
        part("score", Some(found.score), Some(self.score));
        part("q_image", found.q_image, self.q_image);
        part("q_patches", found.q_patches, self.q_patches);
        part("q_fine", found.q_fine, self.q_fine);
        list("p_image", &found.p_image, &self.p_image);
        list("p_patches", &found.p_patches, &self.p_patches);
        part("w_image", found.w_image, self.w_image);
        part("w_patches", found.w_patches, self.w_patches);
        if let Some(words) = &self.words {
            let lowered: Vec<String> = found.words.iter().map(|word| word.text.to_lowercase()).collect();
            let expected: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(lowered, expected, "{}", what("words"));
            for (found, expected) in found.words.iter().zip(words) {
                part("w_image of a word", found.w_image, expected.w_image);
                part("w_patches of a word", found.w_patches, expected.w_patches);
            }
        }
        if let Some(patches) = &self.patches {
            assert_eq!(found.patches.len(), patches.len(), "{}", what("patches"));
            for (found, expected) in found.patches.iter().zip(patches) {
                assert_close(&found.p, &expected.p, tolerance, &what("p of a patch"));
            }
        }
    }
}

fn scorer(tasks: Vec<Options>, device: &Device) -> Scorer {
    let model = Model::open(&ModelArgs::default()).expect("the built-in model");
    model.scorer(tasks, device).expect("options of the fixtures")
}

fn score(scorer: &mut Scorer, views: &Views, prompt: &str) -> ImageScore {
    score_batch(scorer, &[Input { views, prompt: Some(prompt) }]).expect("a score").remove(0)
}

fn task(score: ImageScore, task: Task) -> TaskScore {
    match task {
        Task::Perception => score.perception.expect("perception"),
        Task::Alignment => score.alignment.expect("alignment"),
    }
}

/// Scores every case that `is_chosen` keeps; scorers are shared between cases with the same options.
fn assert_all(device: &Device, tolerance: f32, is_chosen: impl Fn(&Case) -> bool) {
    let mut scorers = BTreeMap::new();
    for case in Case::all().iter().filter(|case| is_chosen(case)) {
        let options = case.options();
        let scorer = scorers.entry(case.options.to_string()).or_insert_with(|| scorer(vec![options.clone()], device));
        let views = views(&case.image(), scorer.view_plan()).expect("views");
        case.assert(&task(score(scorer, &views, &case.prompt), options.task()), tolerance);
    }
}

#[test]
fn every_option_equals_the_reference_on_the_cpu() {
    let cases = Case::all();
    let count = |task: Task| cases.iter().filter(|case| case.options().task() == task).count();
    assert!(count(Task::Perception) >= 20 && count(Task::Alignment) >= 20);
    assert_all(&Device::flex(), CPU, |_| true);
}

#[test]
fn every_option_equals_the_reference_on_wgpu() {
    assert_all(&software_gpu(), GPU, |_| true);
}

#[test]
fn scores_on_wgpu_are_right_from_the_first_call_to_the_third() {
    let device = software_gpu();
    for _ in 0..3 {
        assert_all(&device, GPU, |case| case.words.is_some() && case.image == "kept_512x512.png");
    }
}

#[test]
fn both_tasks_together_score_as_each_alone() {
    let device = Device::flex();
    let tasks = [Task::Perception, Task::Alignment].map(Options::default_for);
    let mut both = scorer(tasks.to_vec(), &device);
    let base = |case: &&Case| tasks.contains(&case.options()) && !case.prompt.is_empty();
    let cases = Case::all();
    assert!(cases.iter().filter(base).count() >= 2);
    for case in cases.iter().filter(base) {
        let views = views(&case.image(), both.view_plan()).expect("views");
        case.assert(&task(score(&mut both, &views, &case.prompt), case.options().task()), CPU);
    }
}

#[test]
fn an_image_scores_in_a_batch_as_it_does_alone() {
    let mut scorer = scorer([Task::Perception, Task::Alignment].map(Options::default_for).to_vec(), &Device::flex());
    let files = ["kept_512x512.png", "rgba.png", "wide_1100x520.png", "upscaled_257x131.png", "grey.png"];
    let prompts = [
        Some("a cat"),
        None,
        Some("two dogs, one of them antidisestablishmentarian, on a red sofa"),
        Some(" "),
        Some("x"),
    ];
    let views: Vec<Views> = files
        .iter()
        .map(|file| decode(&read(&fixture("images").join(file))).expect("an image"))
        .map(|image| views(&image, scorer.view_plan()).expect("views"))
        .collect();
    let inputs: Vec<Input> = views.iter().zip(prompts).map(|(views, prompt)| Input { views, prompt }).collect();
    let together = score_batch(&mut scorer, &inputs).expect("scores");
    for (i, (&input, together)) in inputs.iter().zip(&together).enumerate() {
        let alone = score_batch(&mut scorer, &[input]).expect("a score").remove(0);
        let has_prompt = matches!(i, 0 | 2 | 4);
        assert_eq!((alone.alignment.is_some(), together.alignment.is_some()), (has_prompt, has_prompt), "{}", files[i]);
        let numbers = |score: &ImageScore| -> Vec<f32> {
            [&score.perception, &score.alignment]
                .into_iter()
                .flatten()
                .flat_map(|task| {
                    let parts =
                        [Some(task.score), task.q_image, task.q_patches, task.q_fine, task.w_image, task.w_patches];
                    let words = task.words.iter().flat_map(|word| [word.w_image, word.w_patches]);
                    let patches = task.patches.iter().flat_map(|patch| patch.p.clone()).map(Some);
                    parts.into_iter().chain(words).chain(patches).flatten().collect::<Vec<f32>>()
                })
                .collect()
        };
        assert_close(&numbers(together), &numbers(&alone), 1e-5, files[i]);
    }
}

#[test]
fn known_texts_are_not_encoded_again() {
    let mut scorer = scorer(vec![Options::default_for(Task::Perception)], &Device::flex());
    let views = views(&image::RgbImage::new(512, 512), scorer.view_plan()).expect("views");
    for (prompt, encoded) in [("", 5), ("", 5), ("a cat", 6), ("a dog", 7), ("a cat", 7)] {
        score(&mut scorer, &views, prompt);
        assert_eq!(scorer.texts_encoded(), encoded, "after {prompt:?}");
    }
}

#[test]
fn more_prompts_than_are_remembered_score_as_the_first_time() {
    let options = Options { inputs: Inputs::Image, fine: false, ..Options::default_for(Task::Alignment) };
    let mut scorer = scorer(vec![options], &Device::flex());
    let views = views(&image::RgbImage::new(512, 512), scorer.view_plan()).expect("views");
    let mut score = |prompt: &str| task(score(&mut scorer, &views, prompt), Task::Alignment).score;
    let first = score("a cat");
    // 1,024 texts are remembered, five for each prompt: the last of these pushes out one of the first.
    for i in 0..204 {
        score(&format!("dog {i}"));
    }
    assert!((score("a cat") - first).abs() < 1e-5);
}

#[test]
fn a_prompt_that_is_cut_says_so() {
    let mut scorer = scorer(vec![Options::default_for(Task::Perception)], &Device::flex());
    let views = views(&image::RgbImage::new(512, 512), scorer.view_plan()).expect("views");
    assert!(score(&mut scorer, &views, &"cat ".repeat(76)).prompt_truncated);
    assert!(!score(&mut scorer, &views, &"cat ".repeat(75)).prompt_truncated);
}

#[test]
fn words_point_into_the_prompt() {
    let mut scorer = scorer(vec![Options::default_for(Task::Perception)], &Device::flex());
    let views = views(&image::RgbImage::new(512, 512), scorer.view_plan()).expect("views");
    let prompt = "Ein Caf\u{e9} \u{1f600} &amp; K\u{e4}se";
    let characters: Vec<char> = prompt.chars().collect();
    for word in task(score(&mut scorer, &views, prompt), Task::Perception).words {
        assert_eq!(characters[word.start..word.end].iter().collect::<String>(), word.text);
    }
}

#[test]
fn options_that_contradict_each_other_are_errors() {
    let model = Model::open(&ModelArgs::default()).expect("the built-in model");
    let error = |change: &dyn Fn(&mut Vec<Options>)| {
        let mut tasks = [Task::Perception, Task::Alignment].map(Options::default_for).to_vec();
        change(&mut tasks);
        model.scorer(tasks, &Device::flex()).err().expect("an error").to_string()
    };
    assert_eq!(error(&|tasks| tasks[0].crops = 5), "tasks scored together have 5 and 15 crops, expected the same");
    assert_eq!(
        error(&|tasks| tasks.iter_mut().for_each(|options| options.crops = 0)),
        "0 crops were asked for, expected 1 to 100"
    );
    assert_eq!(error(&|tasks| tasks.clear()), "no task to score");
}
