use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use burn::tensor::Device;
use serde_json::{Value, json};
use tsp_mgs_core::bundle::{BundleReader, LoadedBundle};
use tsp_mgs_core::options::{Inputs, Options};
use tsp_mgs_core::preprocess::{Views, decode, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{ImageScore, TaskScore};
use tsp_mgs_core::scorer::{ImageTower, Input, Scorer};
use tsp_mgs_trainer::score::batching::score_batch;

use crate::parity::{Case, every_choice, manifest, shards};
use crate::support::compare::assert_close;
use crate::support::device::software_gpu;
use crate::support::fixtures::{fixture, read};

/// Tolerances on the scale of 0 to 5.
const CPU: f64 = 1e-3;
const GPU: f64 = 2e-3;

fn load(tasks: Vec<Options>, device: &Device) -> tsp_mgs_core::Result<Scorer> {
    static BUNDLE: LazyLock<LoadedBundle> = LazyLock::new(|| {
        let shards = shards();
        let mut reader = BundleReader::new(manifest(&shards, &[]));
        shards.iter().for_each(|shard| reader.add(shard).expect("a shard as written"));
        reader.finish().expect("all shards are there")
    });
    Scorer::load(BUNDLE.checkpoint.clone(), None, tasks, ImageTower::default(), device.clone())
}

fn scorer(tasks: Vec<Options>, device: &Device) -> Scorer {
    load(tasks, device).expect("options of the fixtures")
}

fn image_views(file: &str, scorer: &Scorer) -> Views {
    let image = decode(&read(&fixture("images").join(file))).expect("the fixture is an image");
    views(&image, scorer.view_plan()).expect("views")
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

/// The JSON of a task in a result.
fn numbers(score: ImageScore, wanted: Task) -> Value {
    json!(task(score, wanted))
}

/// Makes one scorer for all cases with the same options.
fn assert_all(device: &Device, tolerance: f64, cases: &[Case]) {
    let mut scorers = BTreeMap::new();
    for case in cases {
        let options = case.options();
        let scorer = scorers.entry(json!(options).to_string()).or_insert_with(|| scorer(vec![options], device));
        let views = image_views(&case.image, scorer);
        case.assert(&numbers(score(scorer, &views, &case.prompt), case.task()), tolerance);
    }
}

#[test]
fn the_cases_show_every_value_of_every_option() {
    let shown: BTreeSet<_> = Case::all().iter().flat_map(Case::shows).collect();
    assert_eq!(shown, every_choice());
    assert!(Case::all().iter().any(|case| case.views() < 5), "some are cheap enough for an emulated GPU");
}

#[test]
fn every_option_equals_the_reference_on_the_cpu() {
    assert_all(&Device::flex(), CPU, &Case::all());
}

#[test]
fn every_option_equals_the_reference_on_wgpu() {
    assert_all(&software_gpu(), GPU, &Case::all());
}

#[test]
fn scores_on_wgpu_are_right_from_the_first_call_to_the_third() {
    let device = software_gpu();
    let mut cases = Case::base();
    cases.retain(|case| case.image == "kept_512x512.png");
    assert!(cases.len() >= 2);
    for _ in 0..3 {
        assert_all(&device, GPU, &cases);
    }
}

#[test]
fn both_tasks_together_score_as_each_alone() {
    let mut both = scorer([Task::Perception, Task::Alignment].map(Options::default_for).to_vec(), &Device::flex());
    let mut cases = Case::base();
    cases.retain(|case| !case.prompt.is_empty());
    assert!(cases.len() >= 2);
    for case in cases {
        let views = image_views(&case.image, &both);
        case.assert(&numbers(score(&mut both, &views, &case.prompt), case.task()), CPU);
    }
}

#[test]
fn the_task_names_the_score_and_the_other_options_determine_it() {
    let mut cases = Case::base();
    cases.retain(|case| !case.prompt.is_empty());
    assert!(cases.iter().any(|case| case.task() == Task::Perception));
    assert!(cases.iter().any(|case| case.task() == Task::Alignment));
    for case in cases {
        let task = if case.task() == Task::Perception { Task::Alignment } else { Task::Perception };
        let mut scorer = scorer(vec![Options { task, ..case.options() }], &Device::flex());
        let views = image_views(&case.image, &scorer);
        case.assert(&numbers(score(&mut scorer, &views, &case.prompt), task), CPU);
        let without = score(&mut scorer, &views, "");
        assert!(without.perception.is_none() && without.alignment.is_none(), "{task:?} needs a prompt");
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
    let views: Vec<Views> = files.iter().map(|file| image_views(file, &scorer)).collect();
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
fn changed_crops_score_as_those_of_the_start() {
    let tasks = |crops| [Task::Perception, Task::Alignment].map(|task| Options { crops, ..Options::default_for(task) });
    let score = |scorer: &mut Scorer| {
        let views = image_views("kept_512x512.png", scorer);
        let score = score(scorer, &views, "a cat");
        [task(score.clone(), Task::Perception), task(score, Task::Alignment)]
    };
    let mut changed = scorer(tasks(15).to_vec(), &Device::flex());
    for crops in [1, 5, 15] {
        changed.set_crops(crops).expect("every image has so many");
        let found = score(&mut changed);
        assert_eq!(json!(found), json!(score(&mut scorer(tasks(crops).to_vec(), &Device::flex()))));
        assert_eq!(found[0].patches.len(), crops);
    }
    for crops in [0, 101] {
        let error = changed.set_crops(crops).expect_err("no image has so many").to_string();
        assert_eq!(error, format!("{crops} crops were asked for, expected 1 to 100"));
    }
    assert_eq!(score(&mut changed)[0].patches.len(), 15);
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
    // The cache holds 1,024 texts, five for each prompt, so that the last of these prompts evicts one of the first.
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
    let error = |change: &dyn Fn(&mut Vec<Options>)| {
        let mut tasks = [Task::Perception, Task::Alignment].map(Options::default_for).to_vec();
        change(&mut tasks);
        load(tasks, &Device::flex()).err().expect("an error").to_string()
    };
    assert_eq!(error(&|tasks| tasks[0].crops = 5), "tasks scored together have 5 and 15 crops, expected the same");
    assert_eq!(
        error(&|tasks| tasks.iter_mut().for_each(|options| options.crops = 0)),
        "0 crops were asked for, expected 1 to 100"
    );
    assert_eq!(error(&|tasks| tasks.clear()), "no task to score");
}
