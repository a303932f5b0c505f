use serde_json::Value;

use crate::support::fixtures::{read, repository};
use crate::support::program::trainer;

/// 480 images of 60 prompts, from a seed that was not used in training.
const UNSEEN: [&str; 5] = ["synth", "--images", "480", "--seed", "20261124"];
/// SRCC on the 504 held-out prompts of the training set, with 15 crops: `trainer/assets/demo/evaluation.txt`.
const REACHED: [(&str, f64); 2] = [("perception", 0.851), ("alignment", 0.717)];
/// The correlation of 480 images differs by more than this with a probability below 1 %.
const MARGIN: f64 = 0.06;

fn output(command: &mut std::process::Command) -> Vec<u8> {
    let output = command.output().expect("the trainer runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The score of a sample image.
fn score(task: &str, sample: &str) -> f64 {
    let mut command = trainer();
    command.args(["score", "--device", "cpu", "--format", "jsonl"]).arg(repository("www/samples").join(sample));
    let row: Value = serde_json::from_slice(&output(&mut command)).expect("a line of JSON");
    row[task]["score"].as_f64().unwrap_or_else(|| panic!("no {task} in {row}"))
}

#[test]
fn the_built_in_weights_rank_images_that_they_never_saw() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (set, out) = (folder.path().join("set"), folder.path().join("report"));
    output(trainer().args(UNSEEN).arg("--out").arg(&set));
    output(trainer().args(["evaluate", "--all", "--device", "cpu", "--data"]).arg(&set).arg("--out").arg(&out));
    let evaluations: Vec<Value> = serde_json::from_slice(&read(&out.join("evaluation.json"))).expect("an array");
    assert_eq!(evaluations.len(), REACHED.len());
    for (evaluation, (task, reached)) in evaluations.iter().zip(REACHED) {
        assert_eq!(evaluation["task"], task);
        let whole = &evaluation["groups"][0];
        let found = whole["metrics"]["srcc"].as_f64().unwrap_or_else(|| panic!("no SRCC in {whole}"));
        assert!((found - reached).abs() < MARGIN, "{task}: {found}, reached {reached}");
    }
}

#[test]
fn the_built_in_weights_tell_good_samples_from_bad_ones() {
    let [good, bad] = ["fish.jpg", "fish_degraded.jpg"].map(|sample| score("perception", sample));
    assert!(good > bad + 2.0, "{good} {bad}");
    let [obeys, disobeys] = ["fish.jpg", "fish_disobeyed.jpg"].map(|sample| score("alignment", sample));
    assert!(obeys > disobeys + 2.0, "{obeys} {disobeys}");
}
