//! Which published layout a table has, and what its columns mean.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::problem::{Notes, ProblemKind, quoted_start};
use super::table::{Row, Table};
use super::{agiqa_1k, agiqa_3k, aigciqa2023, aigiqa_20k};

/// The opinion scale of every published set that is read here.
pub(crate) const OPINION_SCALE: RangeInclusive<f64> = 0.0..=5.0;

/// Published layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// AGIQA-3K's data.csv; `trainer synth` writes it, too
    #[value(name = "agiqa-3k")]
    #[serde(rename = "agiqa-3k")]
    Agiqa3k,
    /// AGIQA-1K's AIGC_MOS_Zscore.xlsx, or AIGC_all.csv
    #[value(name = "agiqa-1k")]
    #[serde(rename = "agiqa-1k")]
    Agiqa1k,
    /// AIGCIQA2023's all_set.csv
    #[value(name = "aigciqa2023")]
    #[serde(rename = "aigciqa2023")]
    Aigciqa2023,
    /// AIGIQA-20K's info_train.csv (NTIRE 2024)
    #[value(name = "aigiqa-20k")]
    #[serde(rename = "aigiqa-20k")]
    Aigiqa20k,
}

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

impl Layout {
    /// The data set's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agiqa3k => "AGIQA-3K",
            Self::Agiqa1k => "AGIQA-1K",
            Self::Aigciqa2023 => "AIGCIQA2023",
            Self::Aigiqa20k => "AIGIQA-20K",
        }
    }

    /// The files that hold its scores, the preferred one first.
    pub(crate) fn files(self) -> &'static [&'static str] {
        match self {
            Self::Agiqa3k => &["data.csv"],
            Self::Agiqa1k => &["AIGC_MOS_Zscore.xlsx", "AIGC_all.csv"],
            Self::Aigciqa2023 => &["all_set.csv"],
            Self::Aigiqa20k => &["info_train.csv"],
        }
    }

    /// The meaning of the columns of a table whose first row is `first`; `None` when it has another layout.
    pub(crate) fn columns(self, first: &[String]) -> Option<Columns> {
        match self {
            Self::Agiqa3k => agiqa_3k::columns(first),
            Self::Agiqa1k => agiqa_1k::columns(first),
            Self::Aigciqa2023 => aigciqa2023::columns(first),
            Self::Aigiqa20k => aigiqa_20k::columns(first),
        }
    }

    /// What its first row is, for messages.
    fn header(self) -> String {
        match self {
            Self::Agiqa3k => agiqa_3k::HEADER.join(","),
            Self::Agiqa1k => format!("{} or {}", agiqa_1k::HEADER.join(","), agiqa_1k::RAW_HEADER.join(",")),
            Self::Aigciqa2023 => aigciqa2023::HEADER.join(","),
            Self::Aigiqa20k => "NAME.png,prompt,score (no header)".to_owned(),
        }
    }

    /// The layout of a table, which has to be `asked` where that is given.
    pub(crate) fn of(table: &Table, asked: Option<Self>) -> Result<(Self, Columns)> {
        let all = asked.as_ref().map_or(Self::value_variants(), std::slice::from_ref);
        let found = all.iter().find_map(|&layout| Some((layout, layout.columns(&table.first)?)));
        found.with_context(|| {
            let known: Vec<String> =
                all.iter().map(|layout| format!("\n  {}: {}", layout.name(), layout.header())).collect();
            format!(
                "{}:1: expected the first row of a known layout, found {}; name the columns with --columns, or check \
                 the file. Known:{}",
                table.path.display(),
                if table.first.is_empty() { "nothing".to_owned() } else { table.first.join(",") },
                known.concat()
            )
        })
    }

    /// The table in a folder.
    pub(crate) fn find(folder: &Path, asked: Option<Self>) -> Result<std::path::PathBuf> {
        let all = asked.as_ref().map_or(Self::value_variants(), std::slice::from_ref);
        let found: Vec<_> = all
            .iter()
            .filter_map(|layout| layout.files().iter().map(|file| folder.join(file)).find(|path| path.is_file()))
            .collect();
        match found.as_slice() {
            [path] => Ok(path.clone()),
            [] => {
                let known: Vec<&str> = all.iter().flat_map(|layout| layout.files()).copied().collect();
                bail!(
                    "no table in {}: expected one of {}; pass the table itself, with --columns if it is another",
                    folder.display(),
                    known.join(", ")
                )
            }
            [one, two, ..] => bail!(
                "two tables of different data sets in {}: {} and {}; pass the one that is meant",
                folder.display(),
                one.display(),
                two.display()
            ),
        }
    }
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
    pub fn rows<'a>(&self, table: &'a Table) -> &'a [Row] {
        &table.rows[usize::from(self.has_header).min(table.rows.len())..]
    }

    /// The image's name on a row; `None` when it has none.
    pub fn name(&self, row: &Row) -> Option<String> {
        let parts: Vec<&str> = self.name.iter().map(|&column| row.cells[column].trim()).collect();
        parts.iter().all(|part| !part.is_empty()).then(|| parts.join("/"))
    }

    /// The prompt on a row, empty where there is none.
    pub fn prompt<'a>(&self, row: &'a Row) -> &'a str {
        self.prompt.map_or("", |column| (self.clean_prompt)(&row.cells[column]))
    }

    /// What a row says, with all its problems noted.
    pub fn record(&self, row: &Row, notes: &mut Notes) -> Option<Record> {
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
