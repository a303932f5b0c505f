//! The known layouts of published tables.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::table::Table;
use super::{agiqa_1k, agiqa_3k, aigciqa2023, aigiqa_20k, table_file};

/// The layout of a published table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// data.csv of AGIQA-3K; `trainer synth` also writes it
    #[value(name = "agiqa-3k")]
    #[serde(rename = "agiqa-3k")]
    Agiqa3k,
    /// AIGC_MOS_Zscore.xlsx or AIGC_all.csv of AGIQA-1K
    #[value(name = "agiqa-1k")]
    #[serde(rename = "agiqa-1k")]
    Agiqa1k,
    /// all_set.csv of AIGCIQA2023
    #[value(name = "aigciqa2023")]
    #[serde(rename = "aigciqa2023")]
    Aigciqa2023,
    /// info_train.csv of AIGIQA-20K (NTIRE 2024)
    #[value(name = "aigiqa-20k")]
    #[serde(rename = "aigiqa-20k")]
    Aigiqa20k,
}

impl Layout {
    /// Returns the name of the data set in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agiqa3k => "AGIQA-3K",
            Self::Agiqa1k => "AGIQA-1K",
            Self::Aigciqa2023 => "AIGCIQA2023",
            Self::Aigiqa20k => "AIGIQA-20K",
        }
    }

    /// Returns the names of the table files. The first one that exists is used.
    pub fn files(self) -> &'static [&'static str] {
        match self {
            Self::Agiqa3k => &["data.csv", "AGIQA-3K.parquet"],
            Self::Agiqa1k => &["AIGC_MOS_Zscore.xlsx", "AIGC_all.csv", "AGIQA-1K.parquet"],
            Self::Aigciqa2023 => &["all_set.csv", "AIGCIQA2023.parquet"],
            Self::Aigiqa20k => &["info_train.csv", "AIGIQA-20K.parquet"],
        }
    }

    /// Returns the layout whose table has the name of this file.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        Self::value_variants().iter().find(|layout| layout.files().contains(&name)).copied()
    }

    /// Reads a Parquet file with the columns of the published table. Its images are in a column `image`, with or without the
    /// column of their names.
    ///
    /// # Errors
    /// Returns an error if a column is missing.
    pub(crate) fn read_parquet(self, path: &Path) -> Result<Table> {
        const IMAGE: &str = "image";
        let header: &[&str] = match self {
            Self::Agiqa3k => &agiqa_3k::HEADER,
            Self::Agiqa1k => &agiqa_1k::HEADER,
            Self::Aigciqa2023 => &aigciqa2023::HEADER,
            Self::Aigiqa20k => &aigiqa_20k::HEADER,
        };
        let first: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        let name = self.columns(&first).and_then(|columns| columns.name.last().copied()).unwrap_or(0);
        let found = table_file::column_names(path)?;
        let has = |name: &str| found.iter().any(|found| found == name);
        let mut columns = header.to_vec();
        if !has(columns[name]) && has(IMAGE) {
            columns[name] = IMAGE;
        }
        let image = if has(IMAGE) { IMAGE } else { columns[name] };
        let mut table = table_file::read(path, &columns, Some(image))?;
        table.first.clone_from(&first);
        table.rows[0].cells = first;
        Ok(table)
    }

    /// Returns the meaning of the columns, or `None` if the first row is not that of this layout.
    pub(crate) fn columns(self, first: &[String]) -> Option<Columns> {
        match self {
            Self::Agiqa3k => agiqa_3k::columns(first),
            Self::Agiqa1k => agiqa_1k::columns(first),
            Self::Aigciqa2023 => aigciqa2023::columns(first),
            Self::Aigiqa20k => aigiqa_20k::columns(first),
        }
    }

    /// Returns a description of the first row, for messages.
    fn header(self) -> String {
        match self {
            Self::Agiqa3k => agiqa_3k::HEADER.join(","),
            Self::Agiqa1k => format!("{} or {}", agiqa_1k::HEADER.join(","), agiqa_1k::RAW_HEADER.join(",")),
            Self::Aigciqa2023 => aigciqa2023::HEADER.join(","),
            Self::Aigiqa20k => "NAME.png,prompt,score (no header)".to_owned(),
        }
    }

    /// Returns the layout of a table, which must be `required` if that is given.
    ///
    /// # Errors
    /// Returns an error if the first row is not that of a known layout.
    pub(crate) fn of(table: &Table, required: Option<Self>) -> Result<(Self, Columns)> {
        let all = required.as_ref().map_or(Self::value_variants(), std::slice::from_ref);
        let found = all.iter().find_map(|&layout| Some((layout, layout.columns(&table.first)?)));
        found.with_context(|| {
            let known: Vec<String> =
                all.iter().map(|layout| format!("\n  {}: {}", layout.name(), layout.header())).collect();
            format!(
                "{}:1: expected the first row of a known layout, found {}; name the columns with --columns, or check \
                 the file. Known layouts:{}",
                table.path.display(),
                if table.first.is_empty() { "nothing".to_owned() } else { table.first.join(",") },
                known.concat()
            )
        })
    }

    /// Returns the path of the table in a folder, which must have the layout `required` if that is given.
    ///
    /// # Errors
    /// Returns an error if the folder has no table with a known name, or tables of several data sets.
    pub fn find(folder: &Path, required: Option<Self>) -> Result<std::path::PathBuf> {
        let all = required.as_ref().map_or(Self::value_variants(), std::slice::from_ref);
        let found: Vec<_> = all
            .iter()
            .filter_map(|layout| layout.files().iter().map(|file| folder.join(file)).find(|path| path.is_file()))
            .collect();
        match found.as_slice() {
            [path] => Ok(path.clone()),
            [] => {
                let known: Vec<&str> = all.iter().flat_map(|layout| layout.files()).copied().collect();
                bail!(
                    "no table in {}: expected one of {}; pass the path of the table, with --columns if it has another layout",
                    folder.display(),
                    known.join(", ")
                )
            }
            [one, two, ..] => bail!(
                "two tables of different data sets in {}: {} and {}; pass the path of one of them",
                folder.display(),
                one.display(),
                two.display()
            ),
        }
    }
}
