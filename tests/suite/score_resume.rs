use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::fixtures::read;
use crate::support::image_folder::{ImageFolder, file_name};
use crate::support::program::{end_at, json_lines, run, stderr, trainer};

const IMAGES: usize = 60;

/// Waits until `is_time` and kills the run. Returns whether it was still running.
fn is_killed(command: &mut Command, is_time: impl Fn() -> bool) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the trainer runs");
    while !is_time() && child.try_wait().expect("a child").is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let is_running = child.try_wait().expect("a child").is_none();
    // SIGKILL.
    child.kill().expect("the child ends");
    child.wait().expect("the child ended");
    is_running
}

/// The number of parts of a run that did not finish.
fn parts(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_part = |path: &Path| path.extension().is_some_and(|ending| ending == "part");
    entries.filter(|entry| is_part(&entry.as_ref().expect("a file").path())).count()
}

#[test]
fn a_run_that_is_killed_at_any_instant_ends_with_the_same_file() {
    let folder = ImageFolder::many(IMAGES);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    // These are few, because `a_run_that_ends_at_any_point_goes_on` has each step of the output.
    for (format, kills) in [("csv", 2), ("jsonl", 4), ("parquet", 2)] {
        let start = Instant::now();
        let whole = format!("whole.{format}");
        run(&mut folder.score(&["many", "--output", &whole]), 1);
        let whole = read(&folder.file(&whole));
        let full = start.elapsed();

        let out = format!("out.{format}");
        let parts = || parts(&folder.file(&format!("{out}.parts")));
        // A part for each batch. The result does not depend on the number of threads.
        let arguments = ["many", "--output", &out, "--resume", "--part-seconds", "0", "--threads", "3"];
        let (mut killed, mut with_parts) = (0, 0);
        while killed < kills {
            let start = Instant::now();
            let after = full.mul_f64(f64::from(random.next_u32() % 1000) / 1000.0);
            // On a busy machine, all of these times may be before the first part. So every second kill waits for the first part.
            let waits = killed % 2 == 1;
            let is_time = || if waits { parts() > 0 } else { start.elapsed() >= after };
            if is_killed(&mut folder.score(&arguments), is_time) {
                killed += 1;
                with_parts += usize::from(parts() > 0);
            }
            if folder.file(&out).exists() {
                // The run ended before it was killed often enough, so that it starts again.
                let is_joined = parts() == 0;
                run(&mut folder.score(&arguments), if is_joined { 0 } else { 1 });
                assert!(read(&folder.file(&out)) == whole, "{out} after {killed} kills");
                fs::remove_file(folder.file(&out)).expect("the file is there");
            }
        }
        run(&mut folder.score(&arguments), 1);
        assert!(read(&folder.file(&out)) == whole, "{out} after {killed} kills");
        assert!(with_parts > 0, "no run of {killed} was killed in its midst");
        assert!(!folder.file(&format!("{out}.parts")).exists());
    }
    let rows = json_lines(&read(&folder.file("whole.jsonl")));
    let ids: BTreeSet<String> = rows.iter().map(file_name).collect();
    assert_eq!((rows.len(), ids.len()), (IMAGES, IMAGES));
}

#[test]
fn a_run_that_ends_at_any_point_goes_on_and_writes_the_same_file() {
    let folder = ImageFolder::many(IMAGES);
    for format in ["csv", "jsonl", "parquet"] {
        let [whole, out] = ["whole", "out"].map(|name| format!("{name}.{format}"));
        run(&mut folder.score(&["many", "--output", &whole]), 1);
        let arguments = ["many", "--output", &out, "--resume", "--part-seconds", "0", "--threads", "3"];
        let parts = || parts(&folder.file(&format!("{out}.parts")));
        // Each batch is a part.
        let points = [("rows-added:1", 0), ("part-finished:1", 1), ("part-finished:2", 3), ("rows-added:2", 4)];
        for (point, finished) in points {
            end_at(&mut folder.score(&arguments), point);
            assert_eq!(parts(), finished, "{out}: {point}");
        }
        end_at(&mut folder.score(&arguments), "parts-joined:1");
        assert!(parts() > 4, "all of them");
        assert!(read(&folder.file(&out)) == read(&folder.file(&whole)), "{out}");
        end_at(&mut folder.score(&arguments), "parts-renamed:1");
        assert_eq!(parts(), 0);
        run(&mut folder.score(&arguments), 0);
        assert!(read(&folder.file(&out)) == read(&folder.file(&whole)), "{out}");
        assert!(!folder.file(&format!("{out}.joined")).exists(), "the next run removes it");
    }
}

/// Runs a command that stops after some errors and leaves its parts.
fn stopped(folder: &ImageFolder, arguments: &[&str]) {
    let stop = ["--part-seconds", "0", "--max-errors", "2"];
    let output = run(&mut folder.score(&[arguments, &stop].concat()), 1);
    assert!(stderr(&output).contains("pass --resume to continue"), "{}", stderr(&output));
}

#[test]
fn a_run_goes_on_with_the_same_settings_and_input_alone() {
    let folder = ImageFolder::many(30);
    stopped(&folder, &["many", "--output", "out.csv"]);
    let (parts_before, refused) = (parts(&folder.file("out.csv.parts")), |arguments: &[&str], expected: &str| {
        let output = run(&mut folder.score(&[&["many", "--output", "out.csv"], arguments].concat()), 1);
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    });
    assert!(parts_before > 0);
    refused(&[], "out.csv.parts has the results of an unfinished run; pass --resume to continue");
    refused(&["--resume", "--prompt", "a cat"], "started with other settings");
    refused(&["--resume", "--alpha", "0.5"], "tasks[0].alpha was 0.0 and is 0.5");
    refused(&["--resume", "--shard", "1/2"], "shard was null and is ");
    let first = fs::read(folder.file("many/0000.jpg")).expect("an image");
    let earlier = folder.write("many/00.jpg", first);
    refused(&["--resume"], "the input was changed: its rows 1 to 9 are not the rows that were scored before");
    fs::remove_file(earlier).expect("the file is there");
    assert_eq!(parts(&folder.file("out.csv.parts")), parts_before, "nothing was lost");

    let output = run(&mut folder.score(&["many", "--output", "out.csv", "--resume"]), 1);
    assert!(stderr(&output).contains("wrote 30 rows"), "{}", stderr(&output));
    run(&mut folder.score(&["many", "--output", "whole.csv"]), 1);
    assert!(read(&folder.file("out.csv")) == read(&folder.file("whole.csv")));
    // A finished run does nothing.
    let output = run(&mut folder.score(&["many", "--output", "out.csv", "--resume"]), 0);
    assert!(stderr(&output).contains("out.csv is complete"), "{}", stderr(&output));
}

#[test]
fn overwriting_starts_anew_and_keeps_the_old_file_until_the_new_one_is_whole() {
    let folder = ImageFolder::many(30);
    folder.write("out.csv", "old");
    stopped(&folder, &["many", "--output", "out.csv", "--overwrite"]);
    assert_eq!(read(&folder.file("out.csv")), b"old");
    let output = run(&mut folder.score(&["images", "--output", "out.csv", "--overwrite"]), 1);
    assert!(stderr(&output).contains("wrote 5 rows"), "{}", stderr(&output));
    assert_eq!(csv::Reader::from_path(folder.file("out.csv")).expect("a file").records().count(), 5);
}

#[test]
fn rows_of_the_same_id_are_all_kept_when_a_run_goes_on() {
    let folder = ImageFolder::new();
    let row = |i: usize| format!("same,images/{}\n", ["broken.png", "cat.jpg", "fish.jpg"][i % 3]);
    folder.write("t.csv", "id,image\n".to_owned() + &(0..12).map(row).collect::<String>());
    stopped(&folder, &["--from", "t.csv", "--output", "out.jsonl"]);
    run(&mut folder.score(&["--from", "t.csv", "--output", "out.jsonl", "--resume"]), 1);
    let rows = json_lines(&read(&folder.file("out.jsonl")));
    let paths: Vec<String> = rows.iter().map(|row| row["path"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(paths.len(), 12);
    assert!(paths.iter().enumerate().all(|(i, path)| row(i).contains(path)), "{paths:?}");
    assert!(rows.iter().all(|row| row["id"] == "same"));
}

#[test]
fn shards_together_have_each_row_once() {
    let folder = ImageFolder::many(20);
    let ids = |shard: &str| -> Vec<String> {
        let rows = folder.json(&["many", "--shard", shard], 1);
        rows.iter().map(file_name).collect()
    };
    let shards = [ids("1/3"), ids("2/3"), ids("3/3")];
    assert_eq!(shards.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    let all: BTreeSet<&String> = shards.iter().flatten().collect();
    assert_eq!(all.len(), 20);
    assert_eq!(ids("2/3"), shards[1], "the same every time");
    let output = run(&mut folder.score(&["many", "--shard", "4/3"]), 2);
    assert!(stderr(&output).contains("expected I/N"), "{}", stderr(&output));
}

#[test]
fn two_processes_do_not_write_the_same_file() {
    let folder = ImageFolder::many(30);
    let arguments = ["many", "--output", "out.csv", "--resume", "--part-seconds", "0"];
    let mut first = folder.score(&arguments).stderr(Stdio::null()).spawn().expect("the trainer runs");
    let deadline = Instant::now() + Duration::from_secs(120);
    while parts(&folder.file("out.csv.parts")) == 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    // The first process is stopped, so that it does not end before the second was refused.
    signal("STOP", first.id());
    let output = run(&mut folder.score(&arguments), 1);
    assert!(stderr(&output).contains("another process writes to out.csv.parts"), "{}", stderr(&output));
    signal("CONT", first.id());
    assert_eq!(first.wait().expect("it ends").code(), Some(1));
    assert_eq!(csv::Reader::from_path(folder.file("out.csv")).expect("a file").records().count(), 30);
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Runs the trainer on a disk of 128 kB if user mounts are allowed, or else with a limit on the size of files
/// that is above that of a part and below that of the whole file.
fn on_a_small_disk(folder: &ImageFolder, disk: &str, arguments: &str) -> Command {
    let program = trainer();
    let program = program.get_program().to_str().expect("Unicode").to_owned();
    let score = format!("'{program}' score --device cpu --crops 1 {arguments}");
    let may_mount = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    let mut command = Command::new(if may_mount { "unshare" } else { "sh" });
    if may_mount {
        // The files are copied from the mount, which ends with the command.
        let script = format!(
            "mkdir -p {disk} kept && mount -t tmpfs -o size=128k tmpfs {disk} && {{ {score}; code=$?; cp -r {disk}/. kept; exit $code; }}"
        );
        command.args(["-rm", "sh", "-c", &script]);
    } else {
        let script = format!("mkdir kept && ln -s kept {disk} && ulimit -f 200 && trap '' XFSZ && {score}");
        command.args(["-c", &script]);
    }
    command.current_dir(folder.file(""));
    command
}

#[test]
fn a_full_disk_loses_nothing_that_was_written() {
    let folder = ImageFolder::many(IMAGES);
    let arguments = "many --output disk/out.jsonl --part-seconds 0";
    let output = run(&mut on_a_small_disk(&folder, "disk", arguments), 1);
    let said = stderr(&output);
    assert!(said.contains("writing results to disk/out.jsonl.parts: the first "), "{said}");
    assert!(said.contains("rows are kept; solve the problem") && said.contains("(os error "), "{said}");
    let kept = parts(&folder.file("kept/out.jsonl.parts"));
    assert!(kept > 0, "{said}");

    // The run can be resumed on a larger disk.
    run(&mut folder.score(&["many", "--output", "kept/out.jsonl", "--resume"]), 1);
    run(&mut folder.score(&["many", "--output", "whole.jsonl"]), 1);
    assert!(read(&folder.file("kept/out.jsonl")) == read(&folder.file("whole.jsonl")));
}
