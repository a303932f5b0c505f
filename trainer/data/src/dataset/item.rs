//! A data set in memory.

use anyhow::{Result, bail};
use tsp_mgs_core::options::Options;
use tsp_mgs_core::prompts::Task;

use super::image_source::ImageSource;
use super::problem::Problem;

/// Images with their prompts and opinion scores.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name in reports, such as "AGIQA-3K".
    pub name: String,
    /// The images, in the order of their names. The order of the rows has no effect.
    pub items: Vec<Item>,
    /// Whether images and scores are synthetic. All results of the data set then say so.
    pub is_synthetic: bool,
    /// The problems of the rows that were omitted.
    pub skipped: Vec<Problem>,
    /// The SHA-256 of the names, prompts and scores of the items, in hexadecimal.
    pub sha256: String,
}

/// An image with its prompt and opinion scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The place of the image. A file existed when the table was read.
    pub image: ImageSource,
    /// The name in the table. It includes the folder if names repeat: `Controlnet/000-1.png`. An image inside the table
    /// has the name that stands beside it, or else the number of its row: `row-17`.
    pub name: String,
    /// The prompt, which is empty if the table has no prompts.
    pub prompt: String,
    /// The mean opinion of how good the image looks, in [0, 5] in published data sets; higher is better.
    pub perception: Option<f64>,
    /// The mean opinion of how well the image shows its prompt, in [0, 5] in published data sets; higher is better.
    pub alignment: Option<f64>,
    /// The model that generated the image.
    pub generator: Option<String>,
    /// The style that the prompt asks for.
    pub style: Option<String>,
    /// The line of the row in the table, counted from 1.
    pub line: usize,
}

impl Item {
    /// Returns the score of a task.
    pub fn score(&self, task: Task) -> Option<f64> {
        match task {
            Task::Perception => self.perception,
            Task::Alignment => self.alignment,
        }
    }
}

impl Dataset {
    /// Checks that every image has a score of the task and, if these options need it, a prompt.
    ///
    /// # Errors
    /// Returns an error if a score or a prompt is missing.
    pub fn require(&self, options: &Options) -> Result<()> {
        let (name, task) = (&self.name, options.task);
        if self.items.iter().any(|item| item.score(task).is_none()) {
            bail!(
                "{name} has no scores of {task}; choose another task, or name the column with these scores: --columns \
                 image=…,prompt=…,{task}=…",
                task = task.name()
            );
        }
        if options.needs_prompt() && self.items.iter().any(|item| item.prompt.is_empty()) {
            let user = match task {
                Task::Alignment => "alignment needs".to_owned(),
                Task::Perception => format!("the texts of the levels {} contain", options.prompts.levels().join("/")),
            };
            bail!("{name} has no prompts, which {user}; name the column of prompts with --columns");
        }
        Ok(())
    }
}
