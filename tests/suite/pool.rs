//! A folder with a few images of many kinds, whole and broken, and `trainer score` on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{read, repository, trainer};

/// Images, of which `broken.png` is none; the folder is removed when the test ends.
pub struct Pool(TempDir);

impl Pool {
    /// Photographs with prompts beside or in them, and one file that is no image.
    pub fn new() -> Self {
        let this = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(this.file("images")).expect("a folder");
        for name in ["cat.jpg", "coffee.jpg", "fish.jpg", "rocket.png"] {
            let sidecar = Path::new(name).with_extension("txt");
            for file in [Path::new(name), &sidecar] {
                let sample = repository("www/samples").join(file);
                if sample.is_file() {
                    fs::copy(sample, this.file("images").join(file)).expect("copying");
                }
            }
        }
        fs::write(this.file("images/broken.png"), "a text").expect("writing");
        this
    }

    /// The same images again and again, so that there are `images` of them; every seventh is broken.
    pub fn many(images: usize) -> Self {
        let this = Self::new();
        let sources = ["cat.jpg", "coffee.jpg", "fish.jpg", "rocket.png"];
        fs::create_dir(this.file("many")).expect("a folder");
        for i in 0..images {
            let source = if i % 7 == 3 { "broken.png" } else { sources[i % 4] };
            let ending = &source[source.len() - 3..];
            fs::copy(this.file("images").join(source), this.file(&format!("many/{i:04}.{ending}"))).expect("copying");
            // Prompts that differ, so that texts are encoded, too.
            fs::write(this.file(&format!("many/{i:04}.txt")), format!("a picture of {i} {source}")).expect("writing");
        }
        this
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, bytes).expect("writing");
        path
    }

    /// An image's bytes.
    pub fn image(&self, name: &str) -> Vec<u8> {
        read(&self.file("images").join(name))
    }

    /// `trainer score` with one patch, on the CPU, in the pool's folder.
    pub fn score(&self, arguments: &[&str]) -> Command {
        let mut command = trainer();
        command.current_dir(self.0.path()).args(["score", "--device", "cpu", "--crops", "1"]).args(arguments);
        command
    }

    /// What it prints as JSON lines; `code` is its exit code.
    pub fn json(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let output = run(&mut self.score(&[&["--format", "jsonl"], arguments].concat()), code);
        json_lines(&output.stdout)
    }
}

pub fn json_lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).expect("results are Unicode");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// Runs a command that has to end with this code.
#[track_caller]
pub fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().expect("the trainer runs");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The scores of each row, by a name that does not depend on where the image was: `None` for an error.
pub fn scores(rows: &[Value], name: impl Fn(&Value) -> String) -> BTreeMap<String, Option<(String, String)>> {
    let score = |row: &Value, task: &str| row[task]["score"].to_string();
    let scores = |row: &Value| row["error"].is_null().then(|| (score(row, "perception"), score(row, "alignment")));
    rows.iter().map(|row| (name(row), scores(row))).collect()
}

/// A row's file name.
pub fn file_name(row: &Value) -> String {
    let id = row["id"].as_str().expect("every row has an id");
    id.rsplit('/').next().expect("a name").to_owned()
}
