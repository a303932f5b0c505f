//! Opinion scores: the published tables as they are, checked row by row before anything is trained on them.
//!
//! A table has a [`Layout`], or its columns are named. All that is wrong is collected and reported at once, each with
//! its line; with `--skip-bad` those rows are left out and kept in [`Dataset::skipped`].

mod args;
mod layout;
mod problem;
mod source;
mod table;

mod parquet_file;
mod sheet;

mod agiqa_1k;
pub mod agiqa_3k;
mod aigciqa2023;
mod aigiqa_20k;

mod files;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::prompts::Task;

pub use args::{ColumnNames, DataArgs};
use files::Files;
pub use layout::Layout;
pub(crate) use problem::quoted_start;
pub use problem::{Problem, ProblemKind, Problems};
pub(crate) use source::{List, SourceTable};

/// A word in the first line of a README.txt beside a table whose images and scores are generated.
const SYNTHETIC: &str = "synthetic";

/// Images with their prompts and opinion scores.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name for reports, such as "AGIQA-3K".
    pub name: String,
    /// The images, in the order of their names, whatever the order of the rows.
    pub items: Vec<Item>,
    /// Whether images and scores are generated: then every number that comes of them says so.
    pub is_synthetic: bool,
    /// Rows that were left out.
    pub skipped: Vec<Problem>,
    /// SHA-256 of the items' names, prompts and scores, in hexadecimal.
    pub sha256: String,
}

/// One image.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its file, which was there when the table was read; it was not opened.
    pub image: PathBuf,
    /// As the table has it, with the folder where names repeat: `Controlnet/000-1.png`.
    pub name: String,
    /// What the generator was asked for; empty if the table has no prompts.
    pub prompt: String,
    /// Mean opinion of how good it looks, in [0, 5] in the published sets; higher is better.
    pub perception: Option<f64>,
    /// Mean opinion of how well it shows its prompt, in [0, 5] in the published sets; higher is better.
    pub alignment: Option<f64>,
    /// The model that made it.
    pub generator: Option<String>,
    /// The style that the prompt asks for.
    pub style: Option<String>,
    /// Its line in the table.
    pub line: usize,
}

impl Item {
    /// Its score in a task.
    pub fn score(&self, task: Task) -> Option<f64> {
        match task {
            Task::Perception => self.perception,
            Task::Alignment => self.alignment,
        }
    }
}

/// Reads a data set, and looks whether its images are there.
///
/// # Errors
/// When the table cannot be read, or any row is wrong: [`Problems`] has all of them. With `skip_bad`, when no row is
/// left.
pub fn open(args: &DataArgs) -> Result<Dataset> {
    let source = SourceTable::open(args)?;
    let files = args.images.as_deref().map_or_else(|| Files::below(source.folder()), Files::below_named)?;
    source.dataset(args, Some(&files))
}

impl Dataset {
    /// Looks whether every image has what a task is trained on.
    ///
    /// # Errors
    /// When it has no scores of the task, and when alignment lacks prompts.
    pub fn require(&self, need: Task) -> Result<()> {
        let task = need.name();
        if self.items.iter().any(|item| item.score(need).is_none()) {
            bail!(
                "{} has no scores of {task}; take the other task, or name the column to take for it with --columns \
                 image=…,prompt=…,{task}=…",
                self.name
            );
        }
        if need == Task::Alignment && self.items.iter().any(|item| item.prompt.is_empty()) {
            bail!("{} has no prompts, which alignment is judged by; name their column with --columns", self.name);
        }
        Ok(())
    }
}

/// Whether a README.txt beside the table says so in its first line.
fn is_synthetic(table: &Path) -> Result<bool> {
    let readme = table.with_file_name("README.txt");
    if !readme.is_file() {
        return Ok(false);
    }
    let mut line = Vec::new();
    let read = File::open(&readme).and_then(|file| BufReader::new(file).read_until(b'\n', &mut line));
    read.with_context(|| format!("reading {}", readme.display()))?;
    Ok(String::from_utf8_lossy(&line).to_lowercase().contains(SYNTHETIC))
}

/// SHA-256 of one line of JSON an item: the same wherever the images lie.
fn table_sha256(items: &[Item]) -> String {
    let line = |item: &Item| serde_json::json!([item.name, item.prompt, item.perception, item.alignment]);
    let lines: String = items.iter().map(|item| format!("{}\n", line(item))).collect();
    sha256(lines.as_bytes())
}
