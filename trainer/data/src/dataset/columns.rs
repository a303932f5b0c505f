//! The meaning of a table's columns, and the values of its rows.

use std::ops::RangeInclusive;

use super::problem::{ProblemKind, ProblemLog, quoted_start};
use super::table::{Table, TableRow};

/// The opinion scale of all published data sets with a known layout.
pub(crate) const OPINION_SCALE: RangeInclusive<f64> = 0.0..=5.0;

/// The meaning of a table's columns, which are given by their indices.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// The columns that form the name of the image, joined by `/`.
    pub name: Vec<usize>,
    pub prompt: Option<usize>,
    /// The function that turns the published prompt into the text that the generator was given.
    pub clean_prompt: fn(&str) -> &str,
    pub perception: Option<usize>,
    pub alignment: Option<usize>,
    /// The range of scores, or `None` if it is unknown.
    pub scale: Option<RangeInclusive<f64>>,
    pub generator: PropertySource,
    pub style: PropertySource,
    /// Whether the first row is a header.
    pub has_header: bool,
}

/// The source of a property of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PropertySource {
    /// The table does not have the property.
    Absent,
    /// The column with this index.
    Column(usize),
    /// A part of the name, which the function returns.
    Name(fn(&str) -> Option<&str>),
    /// A part of the prompt, which the function returns.
    Prompt(fn(&str) -> Option<&str>),
}

/// The values of a row.
#[derive(Debug)]
pub(crate) struct RowValues {
    pub name: String,
    pub prompt: String,
    pub perception: Option<f64>,
    pub alignment: Option<f64>,
    pub generator: Option<String>,
    pub style: Option<String>,
}

impl Columns {
    /// Creates columns with names in the column `name`, a header, and nothing else.
    pub fn with_name(name: usize) -> Self {
        Self {
            name: vec![name],
            prompt: None,
            clean_prompt: str::trim,
            perception: None,
            alignment: None,
            scale: None,
            generator: PropertySource::Absent,
            style: PropertySource::Absent,
            has_header: true,
        }
    }

    /// Returns the rows after the header.
    pub fn rows<'a>(&self, table: &'a Table) -> &'a [TableRow] {
        &table.rows[usize::from(self.has_header).min(table.rows.len())..]
    }

    /// Returns the name of the image in a row, or `None` if the row has none.
    pub fn name(&self, row: &TableRow) -> Option<String> {
        let parts: Vec<&str> = self.name.iter().map(|&column| row.cells[column].trim()).collect();
        parts.iter().all(|part| !part.is_empty()).then(|| parts.join("/"))
    }

    /// Returns the prompt in a row, which is empty if there is none.
    pub fn prompt<'a>(&self, row: &'a TableRow) -> &'a str {
        self.prompt.map_or("", |column| (self.clean_prompt)(&row.cells[column]))
    }

    /// Returns the values of a row, or adds all problems of the row to `log`.
    pub fn values(&self, row: &TableRow, log: &mut ProblemLog) -> Option<RowValues> {
        let Some(name) = self.name(row) else {
            log.add_missing_name(row.line);
            return None;
        };
        let before = log.problems.len();
        let at = (row.line, Some(name.as_str()));
        let prompt = self.prompt(row);
        if self.prompt.is_some() && prompt.is_empty() {
            log.add(at, ProblemKind::UnreadableCell, "a prompt", "nothing");
        }
        let mut score = |column: Option<usize>, task| {
            let cell = row.cells[column?].trim();
            let scale = self.scale.as_ref();
            match cell.parse::<f64>() {
                Err(_) => {
                    let found = if cell.is_empty() { "nothing".to_owned() } else { quoted_start(cell) };
                    log.add(at, ProblemKind::UnreadableCell, format!("a number for {task}"), found);
                    None
                }
                Ok(score) if scale.is_some_and(|scale| !scale.contains(&score)) || !score.is_finite() => {
                    let expected = scale.map_or("a finite number".to_owned(), |scale| {
                        format!("a number in {} to {}", scale.start(), scale.end())
                    });
                    log.add(at, ProblemKind::ScoreOutOfRange, format!("{expected} for {task}"), cell);
                    None
                }
                Ok(score) => Some(score),
            }
        };
        let (perception, alignment) = (score(self.perception, "perception"), score(self.alignment, "alignment"));
        let property = |source| match source {
            PropertySource::Absent => None,
            PropertySource::Column(column) => Some(row.cells[column].trim()),
            PropertySource::Name(part) => part(&name),
            PropertySource::Prompt(part) => part(prompt),
        };
        let text = |source| property(source).filter(|text| !text.is_empty()).map(str::to_owned);
        let (generator, style) = (text(self.generator), text(self.style));
        let prompt = prompt.to_owned();
        (log.problems.len() == before).then_some(RowValues { name, prompt, perception, alignment, generator, style })
    }
}

/// Returns whether the first row of a table consists of these names.
pub(crate) fn is_header(first: &[String], names: &[&str]) -> bool {
    first.iter().map(|cell| cell.trim()).eq(names.iter().copied())
}
