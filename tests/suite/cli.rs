use std::fs;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tsp_mgs_kernels::Isa;

use crate::parity;
use crate::support::fixtures::{fixture, repository};
use crate::support::program::trainer;

/// Runs `trainer score` on the CPU.
fn score(arguments: &[&str]) -> Output {
    trainer().args(["score", "--device", "cpu"]).args(arguments).output().expect("the trainer runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("results are Unicode")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

fn sample(name: &str) -> String {
    repository("www/samples").join(name).to_str().expect("Unicode").to_owned()
}

/// A folder with an image, a damaged image, and a file that is not an image.
fn mixed_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("inner")).expect("a folder");
    fs::copy(sample("cat.jpg"), folder.path().join("inner/cat.jpg")).expect("copying");
    fs::write(folder.path().join("broken.png"), "a text").expect("writing");
    fs::write(folder.path().join("notes.md"), "a text").expect("writing");
    folder
}

#[test]
fn json_has_the_documented_fields() {
    let output = score(&["--format", "jsonl", &sample("cat.jpg")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = rows(&output);
    let [row] = rows.as_slice() else { panic!("one row, found {}", rows.len()) };
    let fields = ["path", "prompt", "prompt_source", "prompt_truncated", "width", "height", "crops", "device", "model"];
    for field in fields {
        assert!(!row[field].is_null(), "{field} in {row}");
    }
    // The built-in weights use only crops for perception, and all parts for alignment.
    let parts = ["score", "q_image", "q_patches", "q_fine", "p_image", "p_patches", "w_image", "w_patches"];
    for part in parts {
        assert!(!row["alignment"][part].is_null(), "alignment.{part} in {row}");
        let is_there = matches!(part, "score" | "q_patches" | "p_patches");
        assert_eq!(!row["perception"][part].is_null(), is_there, "perception.{part} in {row}");
    }
    assert_eq!((&row["device"], &row["crops"], &row["prompt_source"]), (&"cpu".into(), &15.into(), &"sidecar".into()));
    assert_eq!(row["warning"], "demo weights, trained on synthetic images");
    assert!(stderr(&output).contains("demo weights, trained on synthetic images"));
}

#[test]
fn a_result_adds_up() {
    let row = &rows(&score(&["--format", "jsonl", "--alpha", "0.25", &sample("coffee.jpg")]))[0];
    for task in ["perception", "alignment"] {
        let part = |name: &str| row[task][name].as_f64().expect("a number");
        let fine = if row[task]["q_fine"].is_null() { 0.0 } else { part("q_fine") };
        let sum = 0.25 * part("q_image") + 0.75 * part("q_patches") + fine;
        assert!((part("score") - sum).abs() < 1e-5, "{task}: {row}");
    }
}

#[test]
fn one_bad_file_gets_a_row_and_the_rest_is_scored() {
    let folder = mixed_folder();
    let output = score(&["--format", "jsonl", folder.path().to_str().expect("Unicode")]);
    assert_eq!(output.status.code(), Some(1));
    let rows = rows(&output);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0]["error"].as_str().expect("an error").contains("not an image"), "{}", rows[0]);
    assert!(rows[1]["perception"]["score"].is_number(), "{}", rows[1]);
    assert!(stderr(&output).contains("1 of 2 images could not be scored"));
}

#[test]
fn a_path_that_cannot_be_read_gets_a_row_like_any_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["b", "a", "d", "c"] {
        fs::copy(sample("cat.jpg"), folder.path().join(name).with_extension("jpg")).expect("copying");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", folder.path().join("bb.jpg")).expect("a dangling link");
    let output = score(&["--format", "jsonl", "absent.png", folder.path().to_str().expect("Unicode"), "/dev/null"]);
    assert_eq!(output.status.code(), Some(1));
    let rows = rows(&output);
    let names: Vec<&str> =
        rows.iter().map(|row| row["path"].as_str().expect("a path").rsplit('/').next().expect("a name")).collect();
    assert_eq!(
        names,
        ["absent.png", "a.jpg", "b.jpg", "bb.jpg", "c.jpg", "d.jpg", "null"],
        "in the order of the names"
    );
    let failed: Vec<bool> = rows.iter().map(|row| row["error"].is_string()).collect();
    assert_eq!(failed, [true, false, false, true, false, false, true]);
}

#[test]
fn a_reader_that_has_enough_ends_the_run_quietly() {
    for arguments in [&["score", "--device", "cpu"][..], &["score", "--device", "cpu", "--format", "csv"]] {
        let mut child = trainer()
            .args(arguments)
            .arg(repository("www/samples"))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the trainer runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success() && !stderr(&output).contains("error"), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn csv_has_a_header_and_quotes_prompts() {
    let folder = mixed_folder();
    let output = score(&["--format", "csv", "--prompt", "a, \"b\"", folder.path().to_str().expect("Unicode")]);
    let mut reader = csv::Reader::from_reader(stdout(&output).as_bytes());
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|found| found == name).expect("the column is there");
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a row")).collect();
    assert_eq!(records.len(), 2);
    assert!(!records[0][column("error")].is_empty() && records[0][column("perception")].is_empty());
    assert_eq!(&records[1][column("prompt")], "a, \"b\"");
    assert!(records[1][column("alignment")].parse::<f32>().is_ok());
}

#[test]
fn prompts_come_from_the_flag_then_the_sidecar_then_the_image() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("rocket.png");
    fs::copy(sample("rocket.png"), &image).expect("copying");
    let path = image.to_str().expect("Unicode");
    let row = |flags: &[&str]| rows(&score(&[&["--format", "jsonl", path], flags].concat())).remove(0);

    let embedded = row(&[]);
    assert_eq!(embedded["prompt_source"], "parameters");
    assert!(embedded["prompt"].as_str().expect("a prompt").contains("rocket"));
    // Editors on Windows write a byte order mark.
    fs::write(folder.path().join("rocket.txt"), "\u{feff}a red rocket\r\n").expect("writing");
    let sidecar = row(&[]);
    assert_eq!((&sidecar["prompt"], &sidecar["prompt_source"]), (&"a red rocket".into(), &"sidecar".into()));
    let argument = row(&["--prompt", "a cat"]);
    assert_eq!((&argument["prompt"], &argument["prompt_source"]), (&"a cat".into(), &"argument".into()));
}

#[test]
fn without_a_prompt_alignment_is_not_scored_and_the_result_says_so() {
    let path = fixture("images/rgba.png");
    let row = rows(&score(&["--format", "jsonl", path.to_str().expect("Unicode")])).remove(0);
    assert!(row["alignment"].is_null() && row["prompt"].is_null());
    assert!(row["perception"]["score"].is_number());
    assert!(row["notes"].to_string().contains("no prompt"), "{row}");

    let table = score(&["--task", "alignment", path.to_str().expect("Unicode")]);
    assert!(table.status.success());
    assert!(stderr(&table).contains("1 of 1 images have no prompt: alignment is not scored"), "{}", stderr(&table));
}

#[test]
fn perception_is_scored_with_the_prompts_of_alignment_where_there_is_a_prompt() {
    let options = ["--format", "jsonl", "--inputs", "both", "--alpha", "0.5", "--no-fine"];
    let flags = [&["--task", "perception", "--prompts", "adv"], &options[..]].concat();
    let row = |flags: &[&str]| rows(&score(&[flags, &[&sample("cat.jpg")]].concat())).remove(0);
    let (perception, alignment) = (row(&flags), row(&[&["--task", "alignment"], &options[..]].concat()));
    assert!(perception["alignment"].is_null() && alignment["perception"].is_null());
    assert_eq!(perception["perception"], alignment["alignment"], "the same texts, inputs and weights");

    let path = fixture("images/rgba.png");
    let without = score(&[&flags[..], &[path.to_str().expect("Unicode")]].concat());
    assert!(without.status.success(), "{}", stderr(&without));
    assert!(rows(&without)[0]["perception"].is_null());
    assert!(
        stderr(&without).contains("1 of 1 images have no prompt: perception is not scored"),
        "{}",
        stderr(&without)
    );
}

#[test]
fn without_a_prompt_the_words_add_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = folder.path().join("clip.safetensors");
    fs::write(&clip, &parity::shards()[0]).expect("a file");
    let path = fixture("images/rgba.png");
    let arguments = ["--format", "jsonl", "--clip", clip.to_str().expect("Unicode"), path.to_str().expect("Unicode")];
    let row = rows(&score(&arguments)).remove(0);
    assert_eq!(row["perception"]["q_fine"], 0.0);
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_was_expected() {
    let cat = sample("cat.jpg");
    for (arguments, expected) in [
        (vec![], "<PATH>"),
        (vec!["--alpha", "1.5", &cat], "expected a number in [0, 1]"),
        (vec!["--prompts", "bad", &cat], "possible values: adj, ant, adv"),
        (vec!["--crops", "0", &cat], "expected 1 to 100"),
        (vec!["--crops", "101", &cat], "expected 1 to 100"),
        (vec!["--activation", "gelu", &cat], "--clip"),
        (vec!["--device", "tpu", &cat], "expected auto, cpu, wgpu"),
        (vec!["--clip", "a", "--model", "b", &cat], "cannot be used with"),
    ] {
        let output = trainer().arg("score").args(&arguments).output().expect("the trainer runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn what_cannot_be_done_exits_with_1_and_says_why() {
    let cat = sample("cat.jpg");
    let empty = tempfile::tempdir().expect("a temporary folder");
    for (arguments, expected) in [
        (vec![empty.path().to_str().expect("Unicode")], "no image in"),
        (vec!["--clip", "absent.safetensors", &cat], "reading CLIP weights from absent.safetensors: no such file"),
    ] {
        let output = score(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn auto_never_takes_an_emulated_gpu() {
    let output = trainer().args(["score", "--format", "jsonl", &sample("cat.jpg")]).output().expect("the trainer runs");
    let device = rows(&output).remove(0)["device"].as_str().expect("a device").to_owned();
    assert!(!device.contains("llvmpipe") && !device.contains("SwiftShader"), "{device}");
}

#[test]
fn an_emulated_gpu_that_is_asked_for_scores_like_the_cpu() {
    let run = |device| {
        let arguments = ["score", "--format", "jsonl", "--device", device, &sample("cat.jpg")];
        let output = trainer().args(arguments).output().expect("the trainer runs");
        assert!(output.status.success(), "{}", stderr(&output));
        rows(&output).remove(0)
    };
    let (cpu, gpu) = (run("cpu"), run("wgpu:software"));
    assert!(gpu["device"].as_str().expect("a device").starts_with("wgpu:"), "{}", gpu["device"]);
    for task in ["perception", "alignment"] {
        let score = |row: &Value| row[task]["score"].as_f64().expect("a score");
        assert!((score(&cpu) - score(&gpu)).abs() < 2e-3, "{task}: {} and {}", score(&cpu), score(&gpu));
    }
}

/// Both scores of each sample image, in order.
fn sample_scores(flags: &[&str]) -> Vec<f64> {
    let samples = repository("www/samples");
    let samples = samples.to_str().expect("Unicode");
    let output = score(&[&["--format", "jsonl", "--prompt", "a cat on a sofa", samples], flags].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let both = |row: Value| ["perception", "alignment"].map(|task| row[task]["score"].as_f64().expect("a score"));
    rows(&output).into_iter().flat_map(both).collect()
}

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max)
}

#[test]
fn the_size_of_a_batch_moves_no_score() {
    let usual = sample_scores(&[]);
    assert!(largest_difference(&usual, &sample_scores(&["--batch", "1"])) < 1e-4);
    assert!(largest_difference(&usual, &sample_scores(&["--batch", "64"])) < 1e-4);
    let single = ["--crops", "1", "--inputs", "image"];
    let usual = sample_scores(&single);
    assert!(largest_difference(&usual, &sample_scores(&[&single[..], &["--batch", "1"]].concat())) < 1e-4);
}

#[test]
fn counts_of_nothing_are_refused_in_words() {
    let output = score(&["--batch", "0", &sample("cat.jpg")]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "invalid value '0' for '--batch <VIEWS>': expected a whole number, 1 or more";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

/// For every processor, since rounding depends on its instructions.
#[test]
fn fewer_bits_move_scores_little_and_are_named_in_the_result() {
    for (precision, bound) in [("int8", 0.1), ("bf16", 0.1)] {
        let probe = score(&["--precision", precision, "--format", "jsonl", &sample("cat.jpg")]);
        assert_eq!(rows(&probe)[0]["device"], format!("cpu, {precision}"));
        let difference = largest_difference(&sample_scores(&[]), &sample_scores(&["--precision", precision]));
        assert!(difference > 0.0 && difference < bound, "{precision}: {difference}");
    }
}

#[test]
fn fewer_bits_are_refused_on_a_gpu() {
    for precision in ["int8", "bf16"] {
        let arguments = ["score", "--device", "wgpu:software", "--precision", precision, &sample("cat.jpg")];
        let output = trainer().args(arguments).output().expect("the trainer runs");
        assert_eq!(output.status.code(), Some(2));
        let expected = format!("{precision}: the device is not the processor; omit --precision");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
}

/// Sums in another order differ in their last digits, so that some values round to the next 8-bit level.
#[test]
fn every_instruction_set_gives_the_same_scores() {
    for (precision, bound) in [("f32", 1e-4), ("int8", 0.01)] {
        let best = sample_scores(&["--precision", precision]);
        for isa in Isa::available() {
            let limited = sample_scores(&["--precision", precision, "--isa", isa.name()]);
            let difference = largest_difference(&best, &limited);
            assert!(difference < bound, "{precision}, {isa}: {difference}");
        }
    }
    let probe = score(&["--isa", "portable", "--format", "jsonl", &sample("cat.jpg")]);
    assert_eq!(rows(&probe)[0]["device"], "cpu, portable");
}

#[test]
fn an_instruction_set_that_the_processor_lacks_is_refused() {
    let foreign = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    let output = score(&["--isa", foreign, &sample("cat.jpg")]);
    assert_eq!(output.status.code(), Some(2));
    let expected = format!("--isa {foreign}: this processor has no {foreign}; it has portable");
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
}
