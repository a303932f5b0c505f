//! Reads and writes splits in the layout of IPCE.
//!
//! A split is a folder 1, 2, … with the lists `train.csv` and `val.csv`. Their rows are rows of the data set's table.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::split::Split;
use crate::dataset::{self, DataArgs, ImageList, Item, Problem, ProblemKind, Problems, SourceTable};
use crate::files::{parent, put_in_place, unfinished_folder};

/// The names of the training list and of the test list, which IPCE calls validation.
pub(super) const LISTS: [&str; 2] = ["train.csv", "val.csv"];

/// Reads the splits of a data set from `DIR/1/train.csv`, `DIR/1/val.csv` and so on, in the order of their numbers.
///
/// Names of rows that the data set skipped are omitted. An image that occurs twice in a list counts once.
///
/// # Errors
/// Returns an error if there are no lists, or if one cannot be read. Returns [`Problems`] with all names that are not
/// in the data set.
pub fn read(dir: &Path, args: &DataArgs, dataset: &dataset::Dataset) -> Result<Vec<Split>> {
    let index = NameIndex::new(dataset);
    let mut problems = Vec::new();
    let mut splits = Vec::new();
    for (folder, path) in folders(dir)? {
        let [train, test] = LISTS.map(|name| {
            let list = ImageList::read(&path.join(name), Some(args))?;
            index.find(&list, &mut problems)
        });
        splits.push(Split { folder, train: train?, test: test? });
    }
    if !problems.is_empty() {
        let advice = "pass lists of this data set, or correct them";
        return Err(Problems { problems, advice }.into());
    }
    Ok(splits)
}

/// An index of the names in a data set.
pub(super) struct NameIndex<'a> {
    dataset: &'a str,
    items: HashMap<&'a str, usize>,
    skipped: HashSet<&'a str>,
}

impl<'a> NameIndex<'a> {
    /// Creates the index.
    pub fn new(dataset: &'a dataset::Dataset) -> Self {
        Self {
            dataset: &dataset.name,
            items: dataset.items.iter().enumerate().map(|(i, item)| (item.name.as_str(), i)).collect(),
            skipped: dataset.skipped.iter().filter_map(|problem| problem.name.as_deref()).collect(),
        }
    }

    /// Returns the indices of a list's items, in ascending order. Adds unknown names to `problems`.
    ///
    /// # Errors
    /// Returns an error if all names are unknown, so that the list is that of another data set.
    pub fn find(&self, list: &ImageList, problems: &mut Vec<Problem>) -> Result<Vec<usize>> {
        problems.extend(list.problems.iter().cloned());
        let (mut indices, mut unknown) = (BTreeSet::new(), Vec::new());
        for row in &list.rows {
            match self.items.get(row.name.as_str()) {
                Some(&index) => {
                    indices.insert(index);
                }
                None if self.skipped.contains(row.name.as_str()) => {}
                None => unknown.push(row),
            }
        }
        if unknown.len() == list.rows.len() && !unknown.is_empty() {
            let (path, count, first) = (list.path.display(), unknown.len(), &unknown[0].name);
            bail!("{path}: none of its {count} images is in {} (the first is {first})", self.dataset);
        }
        problems.extend(unknown.into_iter().map(|row| Problem {
            file: list.path.clone(),
            line: row.line,
            name: Some(row.name.clone()),
            kind: ProblemKind::UnknownName,
            expected: format!("an image of {}", self.dataset),
            found: "none of that name".to_owned(),
        }));
        Ok(indices.into_iter().collect())
    }
}

/// Returns the names and paths of the numbered folders, in the order of their numbers.
pub(super) fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("looking for splits in {}", dir.display()))? {
        let path = entry.with_context(|| format!("looking for splits in {}", dir.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Ok(number) = name.parse::<u32>()
            && path.is_dir()
        {
            folders.push((number, name, path));
        }
    }
    folders.sort();
    if folders.is_empty() {
        bail!("no splits in {}: expected folders 1, 2, … with train.csv and val.csv", dir.display());
    }
    Ok(folders.into_iter().map(|(_, name, path)| (name, path)).collect())
}

/// Writes splits, with the rows of the data set's table.
///
/// # Errors
/// Returns an error if the folder exists or cannot be written. No partial folder is left behind.
pub fn write(dir: &Path, args: &DataArgs, items: &[Item], splits: &[Split]) -> Result<()> {
    write_table(dir, &SourceTable::open(args)?, items, splits)
}

pub(super) fn write_table(dir: &Path, source: &SourceTable, items: &[Item], splits: &[Split]) -> Result<()> {
    if fs::symlink_metadata(dir).is_ok() {
        bail!("{} exists already; pass another folder, or remove it", dir.display());
    }
    let context = || format!("writing splits to {}", dir.display());
    let draft = unfinished_folder(parent(dir)).with_context(context)?;
    for split in splits {
        let folder = draft.path().join(&split.folder);
        fs::create_dir_all(&folder).with_context(context)?;
        for (name, part) in LISTS.into_iter().zip([&split.train, &split.test]) {
            let lines: HashSet<usize> = part.iter().map(|&i| items[i].line).collect();
            write_list(&folder.join(name), source, &lines).with_context(context)?;
        }
    }
    put_in_place(&draft.keep(), dir)
}

/// Writes the header, if the table has one, and the rows on the given lines.
fn write_list(path: &Path, source: &SourceTable, lines: &HashSet<usize>) -> Result<()> {
    let mut list = csv::Writer::from_path(path)?;
    for row in source.header().into_iter().chain(source.rows().iter().filter(|row| lines.contains(&row.line))) {
        list.write_record(&row.cells)?;
    }
    list.flush().map_err(Into::into)
}
