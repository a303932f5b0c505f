//! What can be wrong with a row, and all that is wrong with a table as one error.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Characters of a table's text that a message shows: enough to find it, and a line holds it.
const SHOWN_CHARACTERS: usize = 48;

/// What is wrong with one row of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The table.
    pub file: PathBuf,
    /// Line on which the row starts, from 1; in Parquet, which has no lines, the row, from 1.
    pub line: usize,
    /// The image's name, where the row gives one.
    pub name: Option<String>,
    /// The kind of problem, for counting.
    pub kind: ProblemKind,
    /// What was expected there.
    pub expected: String,
    /// What was found instead.
    pub found: String,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A wrong number of fields, or text that is not UTF-8.
    UnreadableRow,
    /// A cell without the name, prompt or number that belongs there.
    UnreadableCell,
    /// A number off the scale, or not finite.
    ScoreOutOfRange,
    /// A name that stands in the table twice.
    DoubleName,
    /// No such file.
    MissingImage,
    /// Two files, and no telling which is meant.
    AmbiguousImage,
    /// A name in a list that the data set does not have.
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

/// All problems of a table, one a line.
#[derive(Debug, thiserror::Error)]
pub struct Problems {
    /// The problems, in the order of their lines.
    pub problems: Vec<Problem>,
    /// What to do about them.
    pub advice: &'static str,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} problem{}: {}", if count == 1 { "" } else { "s" }, self.advice)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Where problems are noted: a table's path goes into each of them.
pub(crate) struct Notes<'a> {
    pub file: &'a Path,
    pub problems: Vec<Problem>,
}

impl Notes<'_> {
    /// Notes what is wrong with the row on a line.
    pub fn note(
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

    /// Notes a row without a name.
    pub fn no_name(&mut self, line: usize) {
        self.note((line, None), ProblemKind::UnreadableCell, "the name of an image", "nothing");
    }
}

/// The start of a text that may be long, in quotation marks.
pub fn quoted_start(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}
