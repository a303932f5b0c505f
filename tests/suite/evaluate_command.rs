use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use tempfile::TempDir;
use tsp_mgs_core::clip::Clip;
use tsp_mgs_core::preprocess::{ViewPlan, decode, views};
use tsp_mgs_core::tokenizer::Tokenizer;
use tsp_mgs_trainer::data::dataset::{self, DataArgs};
use tsp_mgs_trainer::data::splits;
use tsp_mgs_trainer::score::model::{Model, ModelArgs};

use crate::support::fixtures::read;
use crate::support::program::trainer;

/// Three prompts with an image by each of eight generators.
const N_IMAGES: usize = 24;
const TASKS: [&str; 2] = ["perception", "alignment"];
/// Reports and scores are computed by the same code, but in batches of different sizes.
const SAME: f64 = 1e-5;

/// A synthetic data set and a cache, shared by the tests.
static SET: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("set");
    let n = N_IMAGES.to_string();
    let made = trainer().args(["synth", "--images", &n, "--seed", "3", "--out"]).arg(out).output().expect("it runs");
    assert!(made.status.success(), "{}", stderr(&made));
    folder
});

fn set() -> PathBuf {
    SET.path().join("set")
}

/// Runs `trainer evaluate` on the CPU. `data` has the flags of the data set.
fn evaluate_on(data: &[&str], out: &Path, flags: &[&str]) -> Output {
    let mut command = trainer();
    command.args(["evaluate", "--device", "cpu", "--out"]).arg(out).arg("--cache").arg(SET.path().join("cache"));
    command.args(data).args(flags).output().expect("the trainer runs")
}

fn evaluate(out: &Path, flags: &[&str]) -> Output {
    let set = set();
    evaluate_on(&["--data", set.to_str().expect("Unicode")], out, flags)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `trainer evaluate`. Returns its folder, its report and its table.
fn report(flags: &[&str]) -> (TempDir, Vec<Value>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = evaluate(&folder.path().join("report"), flags);
    assert!(output.status.success(), "{flags:?}: {}", stderr(&output));
    let json = read(&folder.path().join("report/evaluation.json"));
    let Value::Array(report) = serde_json::from_slice(&json).expect("JSON") else { panic!("an array") };
    (folder, report, stdout(&output))
}

fn rows(evaluation: &Value) -> &Vec<Value> {
    evaluation["rows"].as_array().expect("rows")
}

/// Predictions by file name.
fn predictions(evaluation: &Value) -> BTreeMap<String, f64> {
    let name = |row: &Value| Path::new(row["image"].as_str().expect("a path")).file_name().expect("a name").to_owned();
    let row = |row| (name(row).to_string_lossy().into_owned(), row["predicted"].as_f64().expect("a number"));
    rows(evaluation).iter().map(row).collect()
}

fn notes(evaluation: &Value) -> String {
    evaluation["notes"].to_string()
}

#[test]
fn a_report_has_its_files_its_groups_and_a_table_that_ends_with_what_was_written() {
    let (folder, report, table) = report(&["--all"]);
    let tasks: Vec<&str> = report.iter().map(|evaluation| evaluation["task"].as_str().expect("a task")).collect();
    assert_eq!(tasks, TASKS);
    for (evaluation, other) in report.iter().zip(TASKS.iter().rev()) {
        assert_eq!((rows(evaluation).len(), &evaluation["is_synthetic"]), (N_IMAGES, &true.into()));
        let groups = evaluation["groups"].as_array().expect("groups");
        let count = |kind: &str| -> u64 {
            let groups = groups.iter().filter(|group| group["kind"] == kind);
            groups.map(|group| group["metrics"]["n"].as_u64().expect("a count")).sum()
        };
        let styled = rows(evaluation).iter().filter(|row| row["style"].is_string()).count() as u64;
        let n = N_IMAGES as u64;
        assert_eq!([count("overall"), count("generator"), count("style")], [n, n, styled]);
        assert!(groups.iter().filter(|group| group["kind"] == "generator").count() > 1);
        assert!(rows(evaluation).iter().all(|row| row["other"]["task"] == *other));
        let model = evaluation["model"].as_str().expect("a name");
        assert!(model.contains("sha256:") && evaluation["dataset"].as_str().expect("a name").ends_with("all images"));
    }
    // The rows of each task have the predictions for the other task, too.
    for (row, other) in rows(&report[0]).iter().zip(rows(&report[1])) {
        assert_eq!((&row["other"]["predicted"], &row["other"]["mos"]), (&other["predicted"], &other["mos"]));
    }
    for name in ["perception: ", "alignment: ", "(synthetic)", "SRCC [95 %]", "generator ", "style "] {
        assert!(table.contains(name), "{name} in {table}");
    }
    assert!(table.lines().last().expect("a line").starts_with("wrote "), "{table}");
    let plots = ["scatter", "calibration"].into_iter().flat_map(|plot| TASKS.map(|task| format!("{plot}-{task}")));
    let plots = plots.flat_map(|plot| ["svg", "png"].map(|kind| format!("{plot}.{kind}")));
    let mut expected: Vec<String> = plots.chain(["report.html".into(), "evaluation.json".into()]).collect();
    expected.sort();
    assert_eq!(names(&folder.path().join("report")), expected);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn predictions_are_the_scores_of_trainer_score() {
    for flags in [&["--all"][..], &["--all", "--alpha", "0.25", "--crops", "3", "--no-fine"]] {
        let (_folder, report, _) = report(flags);
        let mut found: Vec<BTreeMap<String, f64>> = report.iter().map(predictions).collect();
        let mut by_prompt = BTreeMap::<&str, Vec<&str>>::new();
        for row in rows(&report[0]) {
            let text = |name: &str| row[name].as_str().expect("a text");
            by_prompt.entry(text("prompt")).or_default().push(text("image"));
        }
        assert!(by_prompt.len() > 1);
        for (prompt, images) in by_prompt {
            let mut command = trainer();
            command.args(["score", "--device", "cpu", "--format", "jsonl", "--prompt", prompt]);
            let output = command.args(images).args(&flags[1..]).output().expect("the trainer runs");
            for line in stdout(&output).lines() {
                let row: Value = serde_json::from_str(line).expect("JSON");
                let path = Path::new(row["path"].as_str().expect("a path"));
                for (task, found) in TASKS.iter().zip(&mut found) {
                    let score = row[task]["score"].as_f64().expect("a score");
                    let name = path.file_name().expect("a name").to_string_lossy();
                    let predicted = found.remove(&*name).expect("each image once");
                    assert!((predicted - score).abs() < SAME, "{task} of {name}: {predicted}, scored {score}");
                }
            }
        }
        assert!(found.iter().all(BTreeMap::is_empty), "{found:?} were not scored");
    }
}

/// Computes the cosine of a resized image and its prompt with the towers only.
struct ZeroShot {
    clip: Clip,
    plan: ViewPlan,
    context_length: usize,
    tokenizer: Tokenizer,
}

impl ZeroShot {
    fn new() -> Self {
        let model = Model::open(&ModelArgs::default()).expect("the built-in model");
        let config = model.checkpoint.config();
        Self {
            clip: Clip::load(model.checkpoint.clone(), &Device::flex()),
            plan: ViewPlan { side: config.vision.image_size as u32, has_image: true, crops: 0 },
            context_length: config.text.as_ref().expect("a text tower").context_length,
            tokenizer: Tokenizer::new(),
        }
    }

    fn cosine(&self, image: &Path, prompt: &str) -> f64 {
        let side = self.plan.side as usize;
        let pixels = views(&decode(&read(image)).expect("an image"), self.plan).expect("views").pixels(self.plan.side);
        let pixels = Tensor::from_data(TensorData::new(pixels, [1, 3, side, side]), &Device::flex());
        let tokens = self.tokenizer.encode(prompt, self.context_length);
        let features = self.clip.token_features(&[&tokens.ids], &Device::flex()).expect("a text tower");
        let sentence = features.narrow(1, tokens.sentence_position(), 1);
        let numbers =
            |data: TensorData| data.try_to_vec::<f32>().expect("numbers").into_iter().map(f64::from).collect();
        let image: Vec<f64> = numbers(self.clip.image_features(pixels).into_data());
        let sentence: Vec<f64> = numbers(sentence.into_data());
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&image, &sentence) / (dot(&image, &image) * dot(&sentence, &sentence)).sqrt()
    }

    fn scale(&self) -> f64 {
        f64::from(self.clip.logit_scale().into_scalar::<f32>()).exp()
    }
}

#[test]
fn clip_hps_and_pickscore_are_the_cosine_of_image_and_prompt_and_its_multiple() {
    let zero_shot = ZeroShot::new();
    let numbers = |method: &str| {
        let (_folder, report, table) = report(&["--all", "--method", method]);
        assert_eq!((report.len(), &report[0]["task"]), (1, &"alignment".into()), "{method}");
        assert!(table.contains(&format!("alignment: {method} with ")), "{table}");
        assert!(notes(&report[0]).contains("not on the opinion scale"), "{}", notes(&report[0]));
        report
    };
    let clip = numbers("clip");
    assert_eq!(rows(&clip[0]).len(), N_IMAGES);
    let mut cosines = BTreeMap::new();
    for row in rows(&clip[0]) {
        let image = Path::new(row["image"].as_str().expect("a path"));
        let expected = zero_shot.cosine(image, row["prompt"].as_str().expect("a prompt"));
        let found = row["predicted"].as_f64().expect("a number");
        assert!((found - expected).abs() < SAME, "{}: {found}, expected {expected}", image.display());
        cosines.insert(image.file_name().expect("a name").to_string_lossy().into_owned(), expected);
    }
    let spread = cosines.values().fold((f64::MAX, f64::MIN), |(low, high), &c| (low.min(c), high.max(c)));
    assert!(spread.1 - spread.0 > 10.0 * SAME, "the images differ: {spread:?}");
    for (method, factor) in [("hps", 1.0), ("pickscore", zero_shot.scale())] {
        let found = predictions(&numbers(method)[0]);
        for (name, cosine) in &cosines {
            assert!((found[name] - factor * cosine).abs() < factor * SAME, "{method} of {name}");
        }
    }
}

#[test]
fn clip_iqa_and_ipce_are_option_sets_of_the_model() {
    let (_a, found, _) = report(&["--all", "--method", "clip-iqa"]);
    let same = ["--all", "--task", "perception", "--prompts", "ant", "--inputs", "image", "--no-fine"];
    let (_b, expected, _) = report(&same);
    assert_eq!((found.len(), &found[0]["task"]), (1, &"perception".into()));
    assert_eq!(predictions(&found[0]), predictions(&expected[0]));

    let (_c, found, _) = report(&["--all", "--method", "ipce", "--crops", "4"]);
    let same = ["--all", "--task", "alignment", "--alpha", "0.5", "--no-fine", "--crops", "4"];
    let (_d, expected, _) = report(&same);
    // The method has one score, which is compared with the opinions of both tasks.
    let tasks: Vec<&Value> = found.iter().map(|evaluation| &evaluation["task"]).collect();
    assert_eq!(tasks, TASKS);
    for evaluation in &found {
        assert_eq!(predictions(evaluation), predictions(&expected[0]));
    }
    assert_ne!(rows(&found[0])[0]["mos"], rows(&found[1])[0]["mos"]);
}

#[test]
fn the_test_part_judges_and_a_prompt_of_both_parts_is_told() {
    let (_a, drawn, table) = report(&["--task", "perception", "--crops", "1", "--seed", "4", "--split", "2"]);
    assert!(table.contains("test part of split 2, seed 4") && !notes(&drawn[0]).contains("leak"), "{table}");
    let set = set();
    let mut table = csv::Reader::from_path(set.join("data.csv")).expect("a table");
    let header = table.headers().expect("a header").clone();
    let all: Vec<csv::StringRecord> = table.records().map(|row| row.expect("a row")).collect();
    // The test part has five images of one prompt. The training part has its other images, and the first of the five, too.
    let (same, others): (Vec<_>, Vec<_>) = all.iter().partition(|row| row[1] == all[0][1]);
    let lists = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(lists.path().join("7")).expect("a folder");
    let write = |name: &str, rows: &[&csv::StringRecord]| {
        let mut list = csv::Writer::from_path(lists.path().join("7").join(name)).expect("a list");
        [&[&header], rows].concat().into_iter().for_each(|row| list.write_record(row).expect("writing"));
        list.flush().expect("writing");
    };
    write("train.csv", &[&others[..], &same[..1], &same[5..]].concat());
    write("val.csv", &same[..5]);
    let lists = lists.path().to_str().expect("Unicode");
    let flags = ["--splits", lists, "--split", "7", "--task", "perception", "--crops", "1"];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = evaluate_on(&["--data", set.to_str().expect("Unicode")], &folder.path().join("report"), &flags);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = stdout(&output);
    assert!(table.contains("leak: 1 of 1 prompts are in the training part, too (5 of 5 images)"), "{table}");
    assert!(table.contains("leak: 1 of 5 images are in the training part"), "{table}");
    let report: Value = serde_json::from_slice(&read(&folder.path().join("report/evaluation.json"))).expect("JSON");
    assert_eq!(rows(&report[0]).len(), 5);
}

#[test]
fn a_model_that_was_trained_on_what_judges_it_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("run/honest");
    fs::create_dir(folder.path().join("run")).expect("a folder");
    let made = trainer().args(["export", "--out"]).arg(&model).output().expect("the trainer runs");
    assert!(made.status.success(), "{}", stderr(&made));
    let data = DataArgs { data: set(), layout: None, images: None, columns: None, skip_bad: false };
    let data = dataset::open(&data).expect("a data set");
    let splits = splits::draw(&data.items, 0, 2).expect("two splits");
    assert_ne!(splits[0].test, splits[1].test);
    let flags = ["--task", "perception", "--crops", "1", "--model", model.to_str().expect("Unicode")];
    let judge = |data_sha256: &str, trained_on: &splits::Split, part: &[&str]| {
        let settings = json!({"data_sha256": data_sha256, "split": {"sha256": trained_on.sha256(&data.items)}});
        fs::write(folder.path().join("run/config.json"), settings.to_string()).expect("writing");
        let output = evaluate(&folder.path().join("report"), &[&flags[..], part].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(judge(&data.sha256, &splits[1], &[]).contains("leak: the model was trained on another split"));
    assert!(judge(&data.sha256, &splits[0], &["--all"]).contains("leak: the model was trained on a part of these"));
    assert!(!judge(&data.sha256, &splits[0], &[]).contains("leak"));
    assert!(!judge("another data set", &splits[1], &[]).contains("leak"));
}

#[test]
fn a_data_set_without_scores_of_a_task_is_refused_where_the_task_was_asked_for_and_else_told() {
    let set = set().join("data.csv");
    let columns = ["--columns", "image=name,prompt=prompt,mos=mos_quality"];
    let data = [&["--data", set.to_str().expect("Unicode")], &columns[..]].concat();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("report");
    let flags = ["--all", "--crops", "1"];
    for refused in [&["--all", "--task", "alignment"][..], &["--all", "--method", "clip"]] {
        let output = evaluate_on(&data, &out, refused);
        assert_eq!(output.status.code(), Some(1), "{refused:?}");
        assert!(stderr(&output).contains("has no scores of alignment"), "{refused:?}: {}", stderr(&output));
        assert!(!out.exists());
    }
    let output = evaluate_on(&data, &out, &flags);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = stdout(&output);
    assert!(table.contains("perception: ") && table.contains("note: alignment is not evaluated"), "{table}");
}

#[test]
fn only_an_earlier_report_is_replaced_and_nothing_of_it_stays() {
    let (folder, ..) = report(&["--all", "--crops", "1"]);
    let out = folder.path().join("report");
    let output = evaluate(&out, &["--all", "--crops", "1", "--task", "perception"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(names(&out).iter().all(|name| !name.contains("alignment")), "{:?}", names(&out));
    assert_eq!(names(folder.path()), ["report"]);

    fs::write(out.join("mine.txt"), "a text").expect("writing");
    let before = names(&out);
    let output = evaluate(&out, &["--all"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("holds mine.txt, which is no file of a report"), "{}", stderr(&output));
    assert_eq!(names(&out), before);
}

#[test]
fn rows_and_images_that_were_left_out_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("broken.png"), "a text").expect("writing");
    let set = set();
    let images = set.join("images");
    for (i, entry) in fs::read_dir(images).expect("a folder").take(3).enumerate() {
        let entry = entry.expect("an entry").path();
        let kind = entry.extension().expect("a kind").to_string_lossy().into_owned();
        fs::copy(&entry, folder.path().join(format!("{i}.{kind}"))).expect("copying");
    }
    let mut table = "file,mos\nbroken.png,1\nabsent.png,2\n".to_owned();
    for (name, mos) in names(folder.path()).iter().filter(|name| *name != "broken.png").zip(3..) {
        table += &format!("{name},{mos}\n");
    }
    let csv = folder.path().join("table.csv");
    fs::write(&csv, table.replace(",5\n", ",4.5\n")).expect("writing");
    let data = ["--data", csv.to_str().expect("Unicode"), "--columns", "image=file,mos=mos", "--skip-bad"];
    let output = evaluate_on(&data, &folder.path().join("report"), &["--all", "--crops", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = stdout(&output);
    assert!(table.contains("skipped 1 rows of the table: ") && table.contains("absent.png"), "{table}");
    assert!(table.contains("skipped 1 images that cannot be decoded: ") && table.contains("broken.png"), "{table}");
    assert!(table.contains("perception: "), "{table}");
}

#[test]
fn wrong_flags_exit_with_2_and_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("report");
    for (flags, expected) in [
        (&["--method", "clip", "--task", "perception"][..], "clip predicts alignment, not perception"),
        (&["--method", "clip-iqa", "--task", "both"], "clip-iqa predicts perception, not alignment"),
        (&["--method", "ipce", "--alpha", "0"], "--alpha does not change ipce"),
        (&["--method", "clip", "--crops", "3"], "--crops does not change clip"),
        (&["--method", "clip", "--no-fine"], "--no-fine does not change clip"),
        (&["--method", "pickscore", "--clip", "absent.bin"], "pass --activation gelu for PickScore"),
        (&["--method", "hps", "--clip", "absent.bin"], "pass --activation gelu for HPS v2"),
        (&["--method", "best"], "possible values: tsp-mgs, clip, clip-iqa, ipce, pickscore, hps"),
        (&["--all", "--split", "2"], "cannot be used with"),
        (&["--all", "--splits", "lists"], "cannot be used with"),
        (&["--splits", "lists", "--seed", "2"], "cannot be used with"),
        (&["--clip", "a", "--model", "b"], "cannot be used with"),
    ] {
        let output = evaluate(&out, flags);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{flags:?}: {}", stderr(&output));
    }
    assert!(!out.exists());
}
