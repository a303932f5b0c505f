//! A data set in memory: images with their prompts and opinion scores.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tsp_mgs_core::prompts::Task;

use super::problem::Problem;

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
