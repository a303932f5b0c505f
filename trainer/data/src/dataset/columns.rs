//! What a table's columns mean, and what its rows say by them.

use std::ops::RangeInclusive;

use super::problem::{Notes, ProblemKind, quoted_start};
use super::table::{Table, TableRow};

/// The opinion scale of every published set that is read here.
pub(crate) const OPINION_SCALE: RangeInclusive<f64> = 0.0..=5.0;

/// What a table's columns mean.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// Together, joined by `/`, the image's name.
    pub name: Vec<usize>,
    pub prompt: Option<usize>,
    /// How the published prompt becomes the text that the generator was given.
    pub clean_prompt: fn(&str) -> &str,
    pub perception: Option<usize>,
    pub alignment: Option<usize>,
    /// Where scores lie; `None`: anywhere.
    pub scale: Option<RangeInclusive<f64>>,
    pub generator: Source,
    pub style: Source,
    /// Whether the first row is a header.
    pub has_header: bool,
}

/// Where a property of an image stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Nowhere,
    Column(usize),
    /// In its name.
    Name(fn(&str) -> Option<&str>),
    /// In its prompt.
    Prompt(fn(&str) -> Option<&str>),
}

/// What a row says.
#[derive(Debug)]
pub(crate) struct Record {
    pub name: String,
    pub prompt: String,
    pub perception: Option<f64>,
    pub alignment: Option<f64>,
    pub generator: Option<String>,
    pub style: Option<String>,
}

impl Columns {
    /// All names are in one column, and there is nothing else.
    pub fn of_name(name: usize) -> Self {
        Self {
            name: vec![name],
            prompt: None,
            clean_prompt: str::trim,
            perception: None,
            alignment: None,
            scale: None,
            generator: Source::Nowhere,
            style: Source::Nowhere,
            has_header: true,
        }
    }

    /// The rows below the header.
    pub fn rows<'a>(&self, table: &'a Table) -> &'a [TableRow] {
        &table.rows[usize::from(self.has_header).min(table.rows.len())..]
    }

    /// The image's name on a row; `None` when it has none.
    pub fn name(&self, row: &TableRow) -> Option<String> {
        let parts: Vec<&str> = self.name.iter().map(|&column| row.cells[column].trim()).collect();
        parts.iter().all(|part| !part.is_empty()).then(|| parts.join("/"))
    }

    /// The prompt on a row, empty where there is none.
    pub fn prompt<'a>(&self, row: &'a TableRow) -> &'a str {
        self.prompt.map_or("", |column| (self.clean_prompt)(&row.cells[column]))
    }

    /// What a row says, with all its problems noted.
    pub fn record(&self, row: &TableRow, notes: &mut Notes) -> Option<Record> {
        let Some(name) = self.name(row) else {
            notes.no_name(row.line);
            return None;
        };
        let before = notes.problems.len();
        let at = (row.line, Some(name.as_str()));
        let prompt = self.prompt(row);
        if self.prompt.is_some() && prompt.is_empty() {
            notes.note(at, ProblemKind::UnreadableCell, "a prompt", "nothing");
        }
        let mut score = |column: Option<usize>, task| {
            let cell = row.cells[column?].trim();
            let scale = self.scale.as_ref();
            match cell.parse::<f64>() {
                Err(_) => {
                    let found = if cell.is_empty() { "nothing".to_owned() } else { quoted_start(cell) };
                    notes.note(at, ProblemKind::UnreadableCell, format!("a number for {task}"), found);
                    None
                }
                Ok(score) if scale.is_some_and(|scale| !scale.contains(&score)) || !score.is_finite() => {
                    let expected = scale.map_or("a finite number".to_owned(), |scale| {
                        format!("a number in {} to {}", scale.start(), scale.end())
                    });
                    notes.note(at, ProblemKind::ScoreOutOfRange, format!("{expected} for {task}"), cell);
                    None
                }
                Ok(score) => Some(score),
            }
        };
        let (perception, alignment) = (score(self.perception, "perception"), score(self.alignment, "alignment"));
        let property = |source| match source {
            Source::Nowhere => None,
            Source::Column(column) => Some(row.cells[column].trim()),
            Source::Name(part) => part(&name),
            Source::Prompt(part) => part(prompt),
        };
        let text = |source| property(source).filter(|text| !text.is_empty()).map(str::to_owned);
        let (generator, style) = (text(self.generator), text(self.style));
        let prompt = prompt.to_owned();
        (notes.problems.len() == before).then_some(Record { name, prompt, perception, alignment, generator, style })
    }
}

/// Whether a table starts with these names.
pub(crate) fn is_header(first: &[String], names: &[&str]) -> bool {
    first.iter().map(|cell| cell.trim()).eq(names.iter().copied())
}
