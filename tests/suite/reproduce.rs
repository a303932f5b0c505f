use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::parity;
use crate::support::fixtures::{read, repository};
use crate::support::program::trainer;

/// A folder of data sets, with a synthetic set in AGIQA-3K's layout.
static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = tempfile::tempdir().expect("a temporary folder");
    let mut command = trainer();
    command.arg("synth").arg("--out").arg(root.path().join("AGIQA-3K")).args(["--images", "24", "--seed", "1"]);
    assert!(command.output().expect("the trainer runs").status.success());
    // A shard of a bundle is also a weights file with OpenAI's names.
    let [clip] = &parity::shards()[..] else { panic!("the tiny model fits one shard") };
    fs::write(root.path().join(CLIP), clip).expect("a file");
    root
});

/// The file of CLIP weights in [`ROOT`].
const CLIP: &str = "clip.safetensors";

/// `trainer reproduce` as small as it gets: an epoch, a window.
fn command(experiment: &str, out: &Path, repeats: &str) -> Command {
    let mut command = trainer();
    command.args(["reproduce", experiment, "--data"]).arg(ROOT.path()).arg("--out").arg(out);
    command.arg("--clip").arg(ROOT.path().join(CLIP));
    command.args(["--device", "cpu", "--repeats", repeats, "--epochs", "1", "--batch", "8", "--train-crops", "1"]);
    command.args(["--crops", "2"]);
    command
}

fn reproduce(experiment: &str, out: &Path, flags: &[&str]) -> Output {
    command(experiment, out, "2").args(flags).output().expect("the trainer runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).expect("JSON")
}

/// The line of a method in a table.
fn line<'a>(table: &'a Value, method: &str) -> &'a Value {
    let lines = table["lines"].as_array().expect("lines");
    lines.iter().find(|line| line["method"] == method).unwrap_or_else(|| panic!("no {method} in {table}"))
}

/// The files of finished jobs, with their modification times.
fn results(out: &Path) -> Vec<(PathBuf, SystemTime)> {
    let jobs = fs::read_dir(out.join("jobs")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = jobs.flat_map(|job| ["report.json", "evaluation.json"].map(|name| job.join(name)));
    let mut found: Vec<_> = files
        .filter_map(|file| {
            let written = fs::metadata(&file).ok()?.modified().expect("a time");
            Some((file, written))
        })
        .collect();
    found.sort();
    found
}

/// The mean of two numbers and their standard deviation with n − 1, which is |a − b| / √2.
#[track_caller]
fn assert_spread(found: &Value, [a, b]: [f64; 2]) {
    let number = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name} in {found}"));
    assert!((number("mean") - (a + b) / 2.0).abs() < 1e-12, "{found}: {a} and {b}");
    assert!((number("deviation") - (a - b).abs() / 2f64.sqrt()).abs() < 1e-12, "{found}: {a} and {b}");
}

#[test]
fn a_table_has_the_spread_of_what_its_jobs_report_and_a_second_run_trains_nothing() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = reproduce("table3", out.path(), &["--baselines", "--jobs", "2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = json(&out.path().join("table3.json"));
    assert!(line(&table, "CNNIQA")["ours"].is_null());
    for (method, job) in [("TSP-MGS", "adj_both_alpha-0"), ("IPCE", "adv_both_alpha-0.5_no-fine")] {
        let ours = &line(&table, method)["ours"];
        let job = |split: i32| out.path().join(format!("jobs/agiqa-3k_perception_{job}_split-{split}"));
        let reports = [1, 2].map(|split| json(&job(split).join("report.json")));
        for (protocol, metric) in
            ["paper", "honest"].into_iter().flat_map(|protocol| ["srcc", "plcc"].map(|metric| (protocol, metric)))
        {
            let numbers = reports.each_ref().map(|report| report[protocol]["test"][0][metric].as_f64().expect("one"));
            assert_spread(&ours[protocol][metric], numbers);
        }
        assert!(!job(1).join("checkpoints").exists() && !job(1).join("paper").exists(), "{method} keeps its weights");
    }
    let zero_shot = [1, 2].map(|split| {
        let job = out.path().join(format!("jobs/agiqa-3k_perception_clip-iqa_split-{split}/evaluation.json"));
        json(&job)[0]["groups"][0]["metrics"]["srcc"].as_f64().expect("a number")
    });
    assert_spread(&line(&table, "CLIPQA")["ours"]["honest"]["srcc"], zero_shot);

    for name in ["table3.txt", "table3.md"] {
        let text = String::from_utf8(read(&out.path().join(name))).expect("Unicode");
        for expected in
            ["synthetic", "epochs 1 instead of 20", "batch 8 instead of 16", "splits 2 instead of 10", "0.8901"]
        {
            assert!(text.contains(expected), "{expected} in {name}: {text}");
        }
    }

    let before = results(out.path());
    assert_eq!(before.len(), 6);
    let output = reproduce("table3", out.path(), &["--baselines"]);
    assert!(output.status.success() && stderr(&output).contains("6 of them finished before"), "{}", stderr(&output));
    assert_eq!(results(out.path()), before);

    let output = reproduce("table3", out.path(), &["--lr", "1e-5"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("lr was 5e-6 and is 1e-5"), "{}", stderr(&output));
}

#[test]
fn a_figure_is_drawn_and_shares_its_jobs_with_the_tables() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = command("fig5", out.path(), "1").output().expect("the trainer runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let svg = String::from_utf8(read(&out.path().join("fig5.svg"))).expect("Unicode");
    let table = json(&out.path().join("fig5.json"));
    let mean = table["lines"][0]["ours"]["paper"]["srcc"]["mean"].as_f64().expect("a number");
    assert!(svg.contains("synthetic") && svg.contains(&format!("{mean:.4}")), "{mean} in {svg}");
    assert!(read(&out.path().join("fig5.png")).starts_with(b"\x89PNG"));
    assert_eq!(results(out.path()).len(), 4);
    // In Figure 5, the model of alignment with the prompts ("w/") is that of Table 4.
    let shared = out.path().join("jobs/agiqa-3k_alignment_adv_both_alpha-1_split-1/report.json");
    assert!(shared.is_file(), "{}", shared.display());
}

/// Starts a run and waits until its first job has begun to train.
fn started(out: &Path) -> Child {
    let mut run = command("table4", out, "2");
    run.stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut run, 0);
    let child = run.spawn().expect("the trainer runs");
    let first = out.join("jobs/agiqa-3k_alignment_adv_both_alpha-1_split-1/config.json");
    let start = Instant::now();
    while !first.is_file() {
        assert!(start.elapsed() < Duration::from_secs(60), "no job has started");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[cfg(unix)]
#[test]
fn a_run_that_was_killed_with_its_jobs_is_completed_by_the_same_command() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut child = started(out.path());
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-KILL", "--", &group]).status().expect("kill runs").success());
    child.wait().expect("it ended");
    // The zero-shot job that ran first.
    assert_eq!(results(out.path()).len(), 1, "the first training ended too soon for this test");
    let output = reproduce("table4", out.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = json(&out.path().join("table4.json"));
    for method in ["TSP-MGS", "CLIP"] {
        assert_eq!(line(&table, method)["ours"]["jobs"].as_array().expect("a list").len(), 2, "{method}");
    }
    assert!(line(&table, "HPS")["ours"].is_null());
}

#[cfg(unix)]
#[test]
fn a_job_that_outlived_its_run_is_waited_for_and_not_started_again() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut child = started(out.path());
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    let output = reproduce("table4", out.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let log = read(&out.path().join("logs/agiqa-3k_alignment_adv_both_alpha-1_split-1.txt"));
    let log = String::from_utf8_lossy(&log).into_owned();
    assert_eq!(log.matches("training on").count(), 1, "{log}");
}

#[test]
fn jobs_that_run_one_by_one_leave_the_tables_to_the_whole_command() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = reproduce("table4", out.path(), &["--list"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let listed = String::from_utf8(output.stdout).expect("Unicode");
    let mut jobs: Vec<&str> = listed.lines().collect();
    assert!(!out.path().join("jobs").exists(), "nothing runs");
    for (done, &job) in jobs.iter().enumerate() {
        let output = reproduce("table4", out.path(), &["--only", job]);
        assert!(output.status.success() && output.stdout.is_empty(), "{}", stderr(&output));
        assert_eq!(results(out.path()).len(), done + 1, "{job}");
    }
    jobs.sort_unstable();
    let expected = ["adv_both_alpha-1_split-1", "adv_both_alpha-1_split-2", "clip_split-1", "clip_split-2"];
    assert_eq!(jobs, expected.map(|job| format!("agiqa-3k_alignment_{job}")));
    let before = results(out.path());
    let output = reproduce("table4", out.path(), &["--only", jobs[0]]);
    assert!(output.status.success() && stderr(&output).contains("1 jobs, 1 of them finished before"));
    assert!(!out.path().join("table4.json").exists(), "one job writes no table");

    let output = reproduce("table4", out.path(), &[]);
    assert!(output.status.success() && stderr(&output).contains("4 of them finished before"), "{}", stderr(&output));
    assert_eq!(results(out.path()), before);
    let alone = tempfile::tempdir().expect("a temporary folder");
    assert!(reproduce("table4", alone.path(), &[]).status.success());
    assert_eq!(json(&out.path().join("table4.json")), json(&alone.path().join("table4.json")));

    let output = reproduce("table4", out.path(), &["--only", "table4"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there is no job `table4`; --list names them"), "{}", stderr(&output));
}

#[test]
fn a_job_that_fails_is_named_and_the_rest_goes_on() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let broken = "agiqa-3k_perception_adj_both_alpha-0_split-1";
    let folder = out.path().join("jobs").join(broken);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("notes.md"), "not a run").expect("writing");
    let output = reproduce("table3", out.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let (errors, text) = (stderr(&output), String::from_utf8_lossy(&output.stdout).into_owned());
    assert!(errors.contains(&format!("failed: {broken}: ")), "{errors}");
    assert!(errors.contains("is not empty and holds no run"), "{errors}");
    assert!(text.contains("1 of 2") && text.contains("partial: 3 of 4 runs"), "{text}");
    let ours = &line(&json(&out.path().join("table3.json")), "TSP-MGS")["ours"].clone();
    assert_eq!(ours["paper"]["srcc"]["values"].as_array().expect("values").len(), 1);
    assert!(ours["paper"]["srcc"]["deviation"].is_null(), "{ours}");
}

#[test]
fn a_missing_data_set_is_named_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    for experiment in ["table2", "all"] {
        let output = reproduce(experiment, &out, &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("needs AGIQA-1K"), "{}", stderr(&output));
        assert!(!out.exists());
    }
}

#[test]
fn the_published_numbers_are_those_of_the_paper() {
    let paper = json(&repository("trainer/assets/paper.json"));
    let experiment = |id: &str| {
        let all = paper["experiments"].as_array().expect("a list");
        all.iter().find(|experiment| experiment["id"] == id).unwrap_or_else(|| panic!("no {id}"))
    };
    let rows = |id: &str| experiment(id)["rows"].as_array().expect("a list").clone();
    let numbers = |result: &Value| (result["srcc"].as_f64(), result["plcc"].as_f64());
    for (table, n_rows, row, label, srcc, plcc) in [
        ("table2", 8, 0, "ResNet50", 0.6365, 0.7323),
        ("table2", 8, 7, "TSP-MGS", 0.8567, 0.8846),
        ("table3", 9, 3, "CLIPQA", 0.8426, 0.8053),
        ("table3", 9, 5, "IPCE", 0.8841, 0.9246),
        ("table3", 9, 8, "TSP-MGS", 0.8901, 0.9270),
        ("table4", 7, 4, "StairReward", 0.7472, 0.8529),
        ("table4", 7, 6, "TSP-MGS", 0.7734, 0.8773),
    ] {
        let rows = rows(table);
        assert_eq!((rows.len(), &rows[row]["label"]), (n_rows, &label.into()));
        assert_eq!(numbers(&rows[row]["results"][0]), (Some(srcc), Some(plcc)), "{table}, {label}");
    }
    // The lines of Table 5: SRCC and PLCC of perception, then of alignment.
    let table5 = [
        [0.8766, 0.9177, 0.7127, 0.8304],
        [0.8891, 0.9254, 0.7089, 0.8401],
        [0.8868, 0.9229, 0.7045, 0.8341],
        [0.8780, 0.9190, 0.7128, 0.8406],
        [0.8901, 0.9270, 0.7129, 0.8384],
        [0.8893, 0.9266, 0.7115, 0.8406],
        [0.8817, 0.9214, 0.7734, 0.8773],
        [0.8884, 0.9245, 0.7544, 0.8668],
        [0.8868, 0.9257, 0.7618, 0.8729],
    ];
    let found: Vec<_> =
        rows("table5").iter().map(|row| [numbers(&row["results"][0]), numbers(&row["results"][1])]).collect();
    assert_eq!(found, table5.map(|[a, b, c, d]| [(Some(a), Some(b)), (Some(c), Some(d))]));
    for (figure, n_rows) in [("fig5", 2), ("fig6", 3), ("fig7", 3)] {
        let rows = rows(figure);
        assert_eq!(rows.len(), n_rows);
        for result in rows.iter().flat_map(|row| row["results"].as_array().expect("a list")) {
            assert_eq!((numbers(result), &result["note"]), ((None, None), &"figure only".into()), "{figure}");
        }
    }
}
