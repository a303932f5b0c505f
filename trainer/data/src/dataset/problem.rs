//! The problems of a table's rows.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The maximum number of characters of a table's text in a message.
const SHOWN_CHARACTERS: usize = 48;

/// A problem of one row of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The path of the table.
    pub file: PathBuf,
    /// The line on which the row starts, counted from 1. In Parquet, which has no lines, the number of the row.
    pub line: usize,
    /// The name of the image, if the row has one.
    pub name: Option<String>,
    /// The kind of the problem.
    pub kind: ProblemKind,
    /// A description of the expected content.
    pub expected: String,
    /// A description of the actual content.
    pub found: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A wrong number of fields, or text that is not UTF-8.
    UnreadableRow,
    /// A cell without the expected name, prompt or number.
    UnreadableCell,
    /// A score that is outside of the scale or not finite.
    ScoreOutOfRange,
    /// A name that occurs more than once in the table.
    #[serde(rename = "double_name")]
    DuplicateName,
    /// A name without an image file.
    MissingImage,
    /// A name with several image files.
    AmbiguousImage,
    /// A name in a list that is not in the data set.
    UnknownName,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// The error with all problems of a table. Its message has one line for each.
#[derive(Debug, thiserror::Error)]
pub struct Problems {
    /// The problems, in the order of their lines.
    pub problems: Vec<Problem>,
    /// Advice for the user.
    pub advice: &'static str,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} problem{}: {}", if count == 1 { "" } else { "s" }, self.advice)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Collects the problems of a table.
pub(crate) struct ProblemLog<'a> {
    pub file: &'a Path,
    pub problems: Vec<Problem>,
}

impl ProblemLog<'_> {
    /// Adds a problem of the row on a line.
    pub fn add(
        &mut self,
        (line, name): (usize, Option<&str>),
        kind: ProblemKind,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            name: name.map(str::to_owned),
            kind,
            expected: expected.into(),
            found: found.into(),
        });
    }

    /// Adds the problem that a row has no name.
    pub fn add_missing_name(&mut self, line: usize) {
        self.add((line, None), ProblemKind::UnreadableCell, "the name of an image", "nothing");
    }
}

/// Returns the start of a text in quotation marks, for messages.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::dataset::quoted_start;
///
/// assert_eq!(quoted_start("a cat"), "\"a cat\"");
/// assert!(quoted_start(&"a".repeat(1000)).ends_with("a…\""));
/// ```
pub fn quoted_start(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}
