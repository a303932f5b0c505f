//! A folder with a few valid and damaged images, and `trainer score` on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::fixtures::{read, repository};
use crate::support::program::{json_lines, run, trainer};

/// A temporary folder with the sample images in `images/`, removed on drop.
pub struct ImageFolder(TempDir);

impl ImageFolder {
    /// Makes a folder with photographs, their prompts, and a file `broken.png` that is not an image.
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

    /// Adds a folder `many` with `images` copies of these images. Every seventh is damaged.
    pub fn many(images: usize) -> Self {
        let this = Self::new();
        let sources = ["cat.jpg", "coffee.jpg", "fish.jpg", "rocket.png"];
        fs::create_dir(this.file("many")).expect("a folder");
        for i in 0..images {
            let source = if i % 7 == 3 { "broken.png" } else { sources[i % 4] };
            let ending = &source[source.len() - 3..];
            fs::copy(this.file("images").join(source), this.file(&format!("many/{i:04}.{ending}"))).expect("copying");
            // The prompts differ, so that texts are encoded, too.
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

    /// `trainer score` with one crop, on the CPU, run in this folder.
    pub fn score(&self, arguments: &[&str]) -> Command {
        let mut command = trainer();
        command.current_dir(self.0.path()).args(["score", "--device", "cpu", "--crops", "1"]).args(arguments);
        command
    }

    /// The output of [`ImageFolder::score`] as JSON lines. `code` is the expected exit code.
    pub fn json(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let output = run(&mut self.score(&[&["--format", "jsonl"], arguments].concat()), code);
        json_lines(&output.stdout)
    }
}

/// The file name in the id of a row.
pub fn file_name(row: &Value) -> String {
    let id = row["id"].as_str().expect("every row has an id");
    id.rsplit('/').next().expect("a name").to_owned()
}

/// The scores of each row, or `None` for an error, by a name that does not depend on the kind of input.
pub fn scores(rows: &[Value], name: impl Fn(&Value) -> String) -> BTreeMap<String, Option<(String, String)>> {
    let score = |row: &Value, task: &str| row[task]["score"].to_string();
    let scores = |row: &Value| row["error"].is_null().then(|| (score(row, "perception"), score(row, "alignment")));
    rows.iter().map(|row| (name(row), scores(row))).collect()
}

/// The name and the prompt of each row, or its error.
pub fn prompts(rows: &[Value]) -> Vec<(String, String)> {
    let prompt = |row: &Value| match row["error"].as_str() {
        Some(error) => format!("error: {error}"),
        None => row["prompt"].as_str().unwrap_or("none").to_owned(),
    };
    rows.iter().map(|row| (file_name(row), prompt(row))).collect()
}

pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, prompt)| ((*name).to_owned(), (*prompt).to_owned())).collect()
}
