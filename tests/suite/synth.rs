use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::support::fixtures::read;
use crate::support::program::trainer;

const N_IMAGES: usize = 20;

/// Runs `trainer synth`.
fn synth(out: &Path, images: usize, seed: u64, threads: usize) -> Output {
    let numbers = [images.to_string(), seed.to_string(), threads.to_string()];
    let [images, seed, threads] = &numbers;
    let mut command = trainer();
    command.arg("synth").arg("--out").arg(out);
    command.args(["--images", images, "--seed", seed, "--threads", threads]).output().expect("the trainer runs")
}

fn made(images: usize, seed: u64, threads: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = synth(folder.path(), images, seed, threads);
    assert!(output.status.success(), "{}", stderr(&output));
    folder
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The bytes of every file in a folder, by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for place in ["", "images"] {
        for entry in fs::read_dir(folder.join(place)).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_file() {
                files.insert(format!("{place}/{}", entry.file_name().display()), read(&entry.path()));
            }
        }
    }
    files
}

fn table(folder: &Path) -> csv::Reader<fs::File> {
    csv::Reader::from_path(folder.join("data.csv")).expect("a table")
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads_and_another_seed_others() {
    let one = files(made(N_IMAGES, 5, 1).path());
    assert_eq!(one.len(), N_IMAGES + 2);
    assert!(one == files(made(N_IMAGES, 5, 3).path()), "one thread and three differ");
    let other = files(made(N_IMAGES, 6, 3).path());
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    assert!(one.iter().all(|(name, bytes)| *bytes != other[name]), "two seeds share a file");
}

#[test]
fn the_table_has_a_row_of_nine_columns_for_every_image_and_scores_on_the_scale() {
    let folder = made(N_IMAGES, 1, 2);
    let text = String::from_utf8(read(&folder.path().join("data.csv"))).expect("Unicode");
    assert!(text.starts_with("name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align\r\n"), "{text}");
    assert_eq!(text.matches("\r\n").count(), N_IMAGES + 1);
    assert_eq!(text.matches('\n').count(), N_IMAGES + 1);

    let rows: Vec<csv::StringRecord> = table(folder.path()).records().map(|row| row.expect("nine columns")).collect();
    assert_eq!(rows.len(), N_IMAGES);
    for row in &rows {
        let image = image::open(folder.path().join("images").join(&row[0])).expect("an image");
        assert_eq!((image.width(), image.height()), (512, 512));
        for words in [&row[2], &row[3], &row[4]] {
            assert!(row[1].contains(words), "{words} in {}", &row[1]);
        }
        for column in [5, 7] {
            let mos: f64 = row[column].parse().expect("a number");
            let std: f64 = row[column + 1].parse().expect("a number");
            assert!((0.0..=5.0).contains(&mos) && (0.1..=1.5).contains(&std), "{row:?}");
        }
    }
    // Each prompt has 8 generators, so that 20 images have 3 prompts.
    let prompts: std::collections::BTreeSet<&str> = rows.iter().map(|row| &row[1]).collect();
    assert_eq!(prompts.len(), 3, "{prompts:?}");
}

#[test]
fn an_interrupted_set_is_continued_and_a_finished_one_is_left_alone() {
    let folder = made(N_IMAGES, 5, 2);
    let whole = files(folder.path());
    fs::remove_file(folder.path().join("data.csv")).expect("removing");
    fs::remove_file(folder.path().join("images/beta_normal_001.jpg")).expect("removing");
    // The files of a killed run.
    fs::write(folder.path().join("images/.unfinished-abcdef"), "half an image").expect("writing");
    fs::write(folder.path().join(".unfinished-abcdef"), "half a table").expect("writing");
    for message in ["wrote ", "already"] {
        let output = synth(folder.path(), N_IMAGES, 5, 1);
        assert!(String::from_utf8_lossy(&output.stdout).contains(message), "{}", stderr(&output));
        assert!(files(folder.path()) == whole, "after {message}");
    }
}

#[test]
fn a_folder_with_anything_else_is_refused_and_left_alone() {
    let folder = made(N_IMAGES, 5, 2);
    let whole = files(folder.path());
    for (images, seed) in [(N_IMAGES, 6), (N_IMAGES + 1, 5)] {
        let output = synth(folder.path(), images, seed, 1);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("another data set"), "{}", stderr(&output));
    }
    assert!(files(folder.path()) == whole);

    let foreign = tempfile::tempdir().expect("a temporary folder");
    fs::write(foreign.path().join("mine.txt"), "a text").expect("writing");
    let output = synth(foreign.path(), N_IMAGES, 5, 1);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("not empty (it holds mine.txt)"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(foreign.path()).expect("a folder").count(), 1);
}
