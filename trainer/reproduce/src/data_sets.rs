//! Finds the data sets and their split lists.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::options::Options;
use tsp_mgs_data::dataset::{self, DataArgs, Dataset, Layout};
use tsp_mgs_data::splits;

use crate::args::ReproduceArgs;

/// A data set of the experiments.
pub struct DataSet {
    /// Which data set it is.
    pub layout: Layout,
    /// Path of its table.
    pub table: PathBuf,
    /// The content of the table.
    pub data: Dataset,
    /// Folder of its split lists; `None` if splits are drawn.
    pub lists: Option<PathBuf>,
    /// Numbers of the splits to use. There are fewer than requested if the lists have no more.
    pub numbers: Vec<usize>,
    /// Whether wrong rows are skipped.
    pub skip_bad: bool,
}

impl DataSet {
    /// Finds a data set below the root, and its splits.
    ///
    /// # Errors
    /// Fails if the data set is missing or found twice, or if its table, an image or a list is wrong.
    pub fn find(args: &ReproduceArgs, layout: Layout, needed_by: &str) -> Result<Self> {
        let table = table(&args.data, layout, needed_by)?;
        let skip_bad = args.skip_bad || layout == Layout::Agiqa1k;
        let data_args = DataArgs { data: table.clone(), layout: Some(layout), images: None, columns: None, skip_bad };
        let data = dataset::open(&data_args).with_context(|| format!("reading {}", layout.name()))?;
        let lists = lists(args, layout, &table)?;
        let numbers = match &lists {
            None => (1..=args.repeats).collect(),
            Some(folder) => {
                let splits = splits::read(folder, &data_args, &data)?;
                let numbers = splits.iter().filter_map(|split| split.folder.parse().ok());
                numbers.take(args.repeats).collect()
            }
        };
        Ok(Self { layout, table, data, lists, numbers, skip_bad })
    }

    /// Checks that the data set has what a training needs.
    ///
    /// # Errors
    /// Fails if scores or prompts are missing.
    pub fn require(&self, options: &Options) -> Result<()> {
        let found = self.data.require(options);
        if self.layout != Layout::Agiqa1k {
            return found;
        }
        found.with_context(|| {
            format!("{} has no column of prompts; put AIGC_MOS_Zscore.xlsx beside it", self.table.display())
        })
    }

    /// The flags of `trainer train` and `trainer evaluate` that select it.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--data".into(), self.table.display().to_string()];
        if self.skip_bad {
            flags.push("--skip-bad".into());
        }
        flags
    }
}

/// The path of a data set's table, in the root or in a folder directly below it.
fn table(root: &Path, layout: Layout, needed_by: &str) -> Result<PathBuf> {
    let mut folders = vec![root.to_owned()];
    folders.extend(children(root)?);
    let found: Vec<PathBuf> = folders.iter().filter_map(|folder| Layout::find(folder, Some(layout)).ok()).collect();
    match found.as_slice() {
        [table] => Ok(table.clone()),
        [] => bail!(
            "{needed_by} needs {}, which is neither in {} nor in a folder below it: expected its table {} there",
            layout.name(),
            root.display(),
            layout.files().join(" or ")
        ),
        [one, two, ..] => bail!(
            "found {} twice below {}: {} and {}; pass the folder of one of them as --data",
            layout.name(),
            root.display(),
            one.display(),
            two.display()
        ),
    }
}

/// The folder of a data set's split lists.
fn lists(args: &ReproduceArgs, layout: Layout, table: &Path) -> Result<Option<PathBuf>> {
    let Some(root) = &args.splits else {
        let beside = table.with_file_name("splits");
        return Ok(beside.is_dir().then_some(beside));
    };
    let is_of_data_set = |folder: &PathBuf| {
        folder.file_name().is_some_and(|name| name.to_string_lossy().eq_ignore_ascii_case(layout.name()))
    };
    // Folders with the name of the data set come first.
    let mut candidates: Vec<PathBuf> = children(root)?.into_iter().filter(is_of_data_set).collect();
    candidates.push(root.clone());
    let candidates = candidates.into_iter().flat_map(|folder| [folder.join("splits"), folder]);
    for folder in candidates.filter(|folder| folder.is_dir()) {
        let is_numbered =
            |child: &PathBuf| child.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
        if children(&folder)?.iter().any(is_numbered) {
            return Ok(Some(folder));
        }
    }
    bail!(
        "no splits of {0} in {1}: expected {1}/{0}/1/train.csv or {1}/1/train.csv; leave out --splits to draw splits",
        layout.name(),
        root.display()
    )
}

/// The folders in a folder, sorted by name.
fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("looking for data sets in {}", folder.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}
