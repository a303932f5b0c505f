use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::fixtures::read;
use crate::support::program::{end_at, trainer};

/// A small data set and the folders of runs on it.
struct Workshop {
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let mut synth = trainer();
        synth.args(["synth", "--images", "48", "--seed", "5", "--out"]).arg(this.path("data"));
        succeed(&mut synth);
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Two epochs of five steps, with a checkpoint after every step.
    fn train(&self, out: &str) -> Command {
        self.train_at("1e-3", out)
    }

    fn train_at(&self, rate: &str, out: &str) -> Command {
        let mut command = trainer();
        command.arg("train").arg("--data").arg(self.path("data")).arg("--out").arg(self.path(out));
        command.args(["--scratch", "tiny", "--joint", "--device", "cpu", "--batch", "8", "--train-crops", "1"]);
        command.args(["--crops", "1", "--epochs", "2", "--lr", rate, "--checkpoint-every", "1", "--seed", "3"]);
        command
    }

    /// The weights of a finished run.
    fn weights(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.path(out).join("honest");
        let shards = fs::read_dir(&folder).expect("a model").map(|entry| entry.expect("a file").path());
        let shards = shards.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
        shards.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), read(&path))).collect()
    }

    fn checkpoints(&self, out: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path(out).join("checkpoints")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
        paths.sort();
        paths
    }

    /// Starts a run, and kills it when it has written this many checkpoints or has ended.
    fn kill_after(&self, out: &str, checkpoints: usize) {
        let mut child =
            self.train(out).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("the trainer starts");
        let start = self.checkpoints(out).last().cloned();
        let mut seen = 0;
        let mut newest = start;
        let deadline = Instant::now() + Duration::from_secs(300);
        while seen < checkpoints && child.try_wait().expect("a child").is_none() && Instant::now() < deadline {
            let now = self.checkpoints(out).last().cloned();
            if now != newest {
                (seen, newest) = (seen + 1, now);
            }
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("the child ends");
        child.wait().expect("the child ended");
    }
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the trainer starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{error}");
    output
}

fn fail(command: &mut Command) -> String {
    let output = command.output().expect("the trainer starts");
    assert_eq!(output.status.code(), Some(1), "{command:?} ended otherwise");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = String::from_utf8(read(path)).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_weights() {
    let shop = Workshop::new();
    succeed(&mut shop.train("whole"));
    let whole = shop.weights("whole");
    assert!(!whole.is_empty());

    for point in ["step-taken:1", "checkpoint-written:1", "checkpoint-in-place:1", "step-taken:3", "models-saved:1"] {
        end_at(&mut shop.train("killed"), point);
    }
    shop.kill_after("killed", 1);
    // The newest checkpoint is damaged, too. The run resumes from the one before it.
    let newest = shop.checkpoints("killed").pop().expect("a checkpoint");
    let weights = newest.join("weights.safetensors");
    let half = read(&weights).len() as u64 / 2;
    fs::File::options().write(true).open(&weights).expect("a file").set_len(half).expect("a shorter file");
    let output = succeed(&mut shop.train("killed"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("skipping the damaged checkpoint"), "{said}");
    assert!(said.contains("resuming after epoch"), "{said}");

    assert_eq!(shop.weights("killed"), whole, "the weights are not bit for bit the same");
    let without_times = |out: &str| -> Vec<Value> {
        let mut lines = json_lines(&shop.path(out).join("log.jsonl"));
        for line in &mut lines {
            let line = line.as_object_mut().expect("an object");
            line.remove("train_seconds").and(line.remove("evaluate_seconds")).expect("times");
        }
        lines
    };
    assert_eq!(without_times("whole").len(), 2);
    assert_eq!(without_times("killed"), without_times("whole"));

    // A finished run is not trained again.
    let log = read(&shop.path("whole").join("log.jsonl"));
    succeed(&mut shop.train("whole"));
    assert_eq!(read(&shop.path("whole").join("log.jsonl")), log);
}

#[test]
fn what_is_trained_can_be_evaluated_exported_and_scored_with() {
    let shop = Workshop::new();
    let output = succeed(&mut shop.train("run"));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_slice(&read(&shop.path("run").join("report.json"))).expect("JSON");
    assert_eq!(report["honest"]["epoch"], 2);
    let srcc = report["honest"]["test"][1]["srcc"].as_f64().expect("a number");
    assert!(table.contains("alignment") && table.contains(&format!("{srcc:.4}")), "{table}");
    assert!(table.contains("synthetic"), "{table}");

    // The same split is scored again from the files.
    let mut evaluate = trainer();
    evaluate.arg("evaluate").arg("--data").arg(shop.path("data")).arg("--model").arg(shop.path("run/honest"));
    evaluate.args(["--seed", "3", "--device", "cpu", "--out"]).arg(shop.path("report"));
    succeed(&mut evaluate);
    let evaluations: Value = serde_json::from_slice(&read(&shop.path("report/evaluation.json"))).expect("JSON");
    let alignment = evaluations.as_array().expect("a list").iter().find(|found| found["task"] == "alignment");
    let found = alignment.expect("alignment")["groups"][0]["metrics"]["srcc"].as_f64().expect("a number");
    assert!((found - srcc).abs() < 1e-9, "evaluate finds {found}, the run {srcc}");

    let mut export = trainer();
    export.arg("export").arg("--model").arg(shop.path("run/honest")).args(["--crops", "5", "--out"]);
    succeed(export.arg(shop.path("bundle")));
    let mut score = trainer();
    score.arg("score").arg("--model").arg(shop.path("bundle")).args(["--device", "cpu", "--format", "jsonl"]);
    let output = succeed(score.arg(shop.path("data/images")));
    let rows: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 48);
    assert!(rows.iter().all(|row| row["crops"] == 5 && row["perception"]["score"].is_f64()));
    assert!(rows[0]["warning"].as_str().is_some_and(|warning| warning.contains("synthetic")), "{}", rows[0]);
}

#[test]
fn a_run_refuses_other_settings_and_folders_that_hold_something_else() {
    let shop = Workshop::new();
    shop.kill_after("run", 1);
    let error = fail(shop.train("run").args(["--weight-decay", "0.1"]));
    assert!(error.contains("optimiser.weight_decay was 0.0005 and is 0.1"), "{error}");
    fs::create_dir(shop.path("full")).expect("a folder");
    fs::write(shop.path("full/thesis.txt"), "precious").expect("a file");
    let error = fail(&mut shop.train("full"));
    assert!(error.contains("is not empty and holds no run"), "{error}");
    assert_eq!(read(&shop.path("full/thesis.txt")), b"precious");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_names_the_images() {
    let shop = Workshop::new();
    let error = fail(&mut shop.train_at("1e30", "run"));
    assert!(error.contains("the loss is NaN") && error.contains(".jpg"), "{error}");
    assert!(error.contains("the last checkpoint has the weights of an earlier step"), "{error}");
    assert!(!shop.checkpoints("run").is_empty());
}

/// A limit on the size of files simulates a full disk: writing fails in the middle of a file.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_an_error_that_keeps_the_last_good_checkpoint() {
    let shop = Workshop::new();
    shop.kill_after("run", 2);
    let good = shop.checkpoints("run").pop().expect("a checkpoint");
    let weights = read(&good.join("weights.safetensors"));
    let train = shop.train("run");
    let mut limited = Command::new("bash");
    // The limit in kilobytes is larger than a decoded image and smaller than a checkpoint.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "bash"]).arg(train.get_program());
    let error = fail(limited.args(train.get_args()));
    assert!(
        error.contains("writing weights.safetensors") && error.contains("earlier checkpoints are complete"),
        "{error}"
    );
    assert_eq!(shop.checkpoints("run").pop(), Some(good.clone()));
    assert_eq!(read(&good.join("weights.safetensors")), weights);
    let unfinished = fs::read_dir(shop.path("run/checkpoints")).expect("a folder");
    let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    assert!(unfinished.filter_map(Result::ok).all(|entry| !is_hidden(&entry.file_name())), "something was left behind");

    succeed(&mut shop.train("run"));
    succeed(&mut shop.train("whole"));
    assert_eq!(shop.weights("run"), shop.weights("whole"));
}
