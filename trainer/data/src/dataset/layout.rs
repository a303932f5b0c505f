//! Which published layout a table has.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::table::Table;
use super::{agiqa_1k, agiqa_3k, aigciqa2023, aigiqa_20k};

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
    pub fn files(self) -> &'static [&'static str] {
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
    ///
    /// # Errors
    /// When the folder holds no table of a known layout, or tables of two data sets.
    pub fn find(folder: &Path, asked: Option<Self>) -> Result<std::path::PathBuf> {
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
