//! Reads data sets and lists of images, and checks all rows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::bundle::sha256;

use super::agiqa_1k;
use super::args::DataArgs;
use super::columns::Columns;
use super::image_files::{FindError, ImageFiles};
use super::image_source::ImageSource;
use super::item::{Dataset, Item};
use super::layout::Layout;
use super::problem::{Problem, ProblemKind, ProblemLog, Problems};
use super::table::{Table, TableRow};
use super::table_file;

/// The advice for wrong rows.
const ADVICE: &str = "correct the table or the images, or pass --skip-bad to omit these rows";

/// The word in the first line of `README.txt` that marks a synthetic data set.
const SYNTHETIC: &str = "synthetic";

/// Reads a data set, and checks that its images exist. The images are not opened.
///
/// # Errors
/// Returns an error if the table cannot be read. Returns [`Problems`] with all wrong rows if there are any; with
/// `skip_bad`, only if no row is left.
///
/// # Examples
///
/// ```
/// use std::fs;
/// use tsp_mgs_data::dataset::{DataArgs, open};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// fs::write(folder.join("scores.csv"), "file,text,score\na.png,a cat,3.5\n")?;
/// fs::write(folder.join("a.png"), "")?;
///
/// let args = DataArgs {
///     data: folder.join("scores.csv"),
///     layout: None,
///     images: None,
///     columns: Some("image=file,prompt=text,mos=score".parse().expect("valid columns")),
///     skip_bad: false,
/// };
/// let dataset = open(&args)?;
/// assert_eq!((dataset.name.as_str(), dataset.items.len()), ("scores", 1));
/// assert_eq!((dataset.items[0].prompt.as_str(), dataset.items[0].perception), ("a cat", Some(3.5)));
/// # anyhow::Ok(())
/// ```
pub fn open(args: &DataArgs) -> Result<Dataset> {
    let source = SourceTable::open(args)?;
    if let Some(column) = &source.table.image_column {
        if args.images.is_some() {
            bail!("{}: column `{column}` holds the images; omit --images", args.data.display());
        }
        return source.dataset(args, None);
    }
    let files =
        args.images.as_deref().map_or_else(|| ImageFiles::in_folder(source.folder()), ImageFiles::in_chosen_folder)?;
    source.dataset(args, Some(&files))
}

/// A table of opinion scores, and the meaning of its columns.
pub(crate) struct SourceTable {
    table: Table,
    columns: Columns,
    layout: Option<Layout>,
}

impl SourceTable {
    /// Finds and reads the table.
    pub fn open(args: &DataArgs) -> Result<Self> {
        let is_folder = args.data.is_dir();
        if let Some(names) = &args.columns {
            if is_folder {
                bail!("--columns needs the path of a table, and {} is a folder", args.data.display());
            }
            let table = table_file::read(&args.data, &names.all(), Some(&names.image))?;
            let columns = names.find(&table.first).map_err(|name| missing_column(&table, name))?;
            if names.name.is_some() && table.image_column.is_none() {
                let (path, image) = (args.data.display(), &names.image);
                bail!(
                    "{path}: column `{image}` has paths, which are the names of the images; omit name=… in --columns"
                );
            }
            return Ok(Self { table, columns, layout: None });
        }
        let path = if is_folder { Layout::find(&args.data, args.layout)? } else { args.data.clone() };
        let is_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        let mut table = match args.layout.or_else(|| Layout::of_file(&path)) {
            Some(layout) if is_parquet => layout.read_parquet(&path)?,
            None if is_parquet => {
                bail!("{}: name the columns of a Parquet file: --columns image=…,prompt=…,mos=…", path.display())
            }
            _ => table_file::read(&path, &[], None)?,
        };
        let (layout, mut columns) = Layout::of(&table, args.layout)?;
        if layout == Layout::Agiqa1k && agiqa_1k::add_prompts(&mut table)? {
            (_, columns) = Layout::of(&table, Some(layout))?;
        }
        if columns.perception.is_none() && columns.alignment.is_none() {
            bail!(
                "{} has only names and prompts: the challenge did not publish the scores of its validation images; \
                 use info_train.csv",
                path.display()
            );
        }
        Ok(Self { table, columns, layout: Some(layout) })
    }

    /// Checks all rows, and returns the data set. Image files are only searched if `files` is given.
    pub fn dataset(&self, args: &DataArgs, files: Option<&ImageFiles>) -> Result<Dataset> {
        let path = &self.table.path;
        let mut log = ProblemLog { file: path, problems: self.table.problems.clone() };
        let mut items: Vec<Item> =
            self.columns.rows(&self.table).iter().filter_map(|row| self.item(row, &mut log)).collect();
        remove_duplicates(&mut items, &mut log);
        if let Some(files) = files {
            find_images(&mut items, files, &mut log)?;
        }
        let mut skipped = log.problems;
        skipped.sort_by_key(|problem| problem.line);
        if !skipped.is_empty() && !args.skip_bad {
            return Err(Problems { problems: skipped, advice: ADVICE }.into());
        }
        if items.is_empty() {
            let error = anyhow::anyhow!("{} has no usable row", path.display());
            let problems = Problems { problems: skipped, advice: ADVICE };
            return Err(if problems.problems.is_empty() { error } else { error.context(problems) });
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        let is_synthetic = is_synthetic(path)?;
        let name = match self.layout {
            _ if is_synthetic => SYNTHETIC.to_owned(),
            Some(layout) => layout.name().to_owned(),
            None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let sha256 = table_sha256(&items);
        Ok(Dataset { name, items, is_synthetic, skipped, sha256 })
    }

    fn item(&self, row: &TableRow, log: &mut ProblemLog) -> Option<Item> {
        let values = self.columns.values(row, log)?;
        let image = match &self.table.image_column {
            Some(column) => ImageSource::Cell { table: self.table.path.clone(), column: column.clone(), row: row.line },
            None => PathBuf::new().into(), // it is searched below
        };
        Some(Item {
            image,
            name: values.name,
            prompt: values.prompt,
            perception: values.perception,
            alignment: values.alignment,
            generator: values.generator,
            style: values.style,
            line: row.line,
        })
    }

    /// Returns the folder of the table.
    pub fn folder(&self) -> &Path {
        self.table.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns the header, if the table has one.
    pub fn header(&self) -> Option<&TableRow> {
        self.table.rows.first().filter(|_| self.columns.has_header)
    }

    /// Returns the rows after the header.
    pub fn rows(&self) -> &[TableRow] {
        self.columns.rows(&self.table)
    }
}

/// A list of images in the layout of a data set, with or without scores.
pub(crate) struct ImageList {
    pub path: PathBuf,
    pub rows: Vec<ListRow>,
    /// The problems of rows that could not be read, or have no name.
    pub problems: Vec<Problem>,
}

/// A row of a list.
pub(crate) struct ListRow {
    pub line: usize,
    pub name: String,
    /// The prompt, which is empty if there is none.
    pub prompt: String,
}

impl ImageList {
    /// Reads a list. The columns are those of `data`, or are detected from the first row.
    pub fn read(path: &Path, data: Option<&DataArgs>) -> Result<Self> {
        let table = table_file::read(path, &[], None)?;
        let columns = match data.and_then(|args| args.columns.as_ref()) {
            Some(names) => names.find_in_list(&table.first).map_err(|name| missing_column(&table, name))?,
            None => Layout::of(&table, data.and_then(|args| args.layout))?.1,
        };
        let mut log = ProblemLog { file: path, problems: table.problems.clone() };
        let mut rows = Vec::new();
        for row in columns.rows(&table) {
            match columns.name(row) {
                Some(name) => rows.push(ListRow { line: row.line, name, prompt: columns.prompt(row).to_owned() }),
                None => log.add_missing_name(row.line),
            }
        }
        let problems = log.problems;
        Ok(Self { path: path.to_owned(), rows, problems })
    }
}

fn missing_column(table: &Table, name: &str) -> anyhow::Error {
    anyhow::anyhow!("{}:1: expected a column `{name}`, found {}", table.path.display(), table.first.join(", "))
}

/// Removes items with duplicate names.
///
/// If all rows of a name are equal, the first one is kept. Otherwise all are removed, because it is unknown which one
/// is right.
fn remove_duplicates(items: &mut Vec<Item>, log: &mut ProblemLog) {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        by_name.entry(&item.name).or_default().push(i);
    }
    let mut is_removed = vec![false; items.len()];
    for (name, rows) in by_name.into_iter().filter(|(_, rows)| rows.len() > 1) {
        let first = &items[rows[0]];
        let content = |item: &Item| (item.perception, item.alignment, item.prompt.clone());
        let is_same = rows.iter().all(|&i| content(&items[i]) == content(first));
        for &i in &rows[usize::from(is_same)..] {
            let other = if i == rows[0] { &items[rows[1]] } else { first };
            let found = if is_same { "the same again" } else { "other scores or another prompt" };
            let found = format!("{found} on line {}", other.line);
            log.add((items[i].line, Some(name)), ProblemKind::DuplicateName, "a name once", found);
            is_removed[i] = true;
        }
    }
    let mut is_removed = is_removed.into_iter();
    items.retain(|_| !is_removed.next().unwrap_or_default());
}

/// Finds the file of each item, and removes items without one.
fn find_images(items: &mut Vec<Item>, files: &ImageFiles, log: &mut ProblemLog) -> Result<()> {
    let (rows, mut found) = (items.len(), 0);
    let mut missing = ProblemLog { file: log.file, problems: Vec::new() };
    items.retain_mut(|item| {
        let at = (item.line, Some(item.name.as_str()));
        match files.find(&item.name) {
            Ok(path) => {
                item.image = path.into();
                found += 1;
                return true;
            }
            Err(FindError::Missing) => {
                let expected = format!("an image file in {}", files.root().display());
                missing.add(at, ProblemKind::MissingImage, expected, "none");
            }
            Err(FindError::Ambiguous(paths)) => {
                found += 1;
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                missing.add(at, ProblemKind::AmbiguousImage, "one file of that name", paths.join(" and "));
            }
        }
        false
    });
    // If all images are missing, the folder is wrong. One message is then clearer than one line for each image.
    if found == 0 && rows > 1 {
        bail!(
            "{}: none of its {rows} images is in {} (the first is {}); pass the folder of the images with --images DIR",
            log.file.display(),
            files.root().display(),
            missing.problems[0].name.as_deref().unwrap_or_default()
        );
    }
    log.problems.append(&mut missing.problems);
    Ok(())
}

/// Returns whether the first line of `README.txt` beside the table marks the data set as synthetic.
fn is_synthetic(table: &Path) -> Result<bool> {
    let readme = table.with_file_name("README.txt");
    if !readme.is_file() {
        return Ok(false);
    }
    let mut line = Vec::new();
    let read = File::open(&readme).and_then(|file| BufReader::new(file).read_until(b'\n', &mut line));
    read.with_context(|| format!("reading {}", readme.display()))?;
    Ok(String::from_utf8_lossy(&line).to_lowercase().contains(SYNTHETIC))
}

/// Returns the SHA-256 of one line of JSON for each item. It does not depend on the location of the images.
fn table_sha256(items: &[Item]) -> String {
    let line = |item: &Item| serde_json::json!([item.name, item.prompt, item.perception, item.alignment]);
    let lines: String = items.iter().map(|item| format!("{}\n", line(item))).collect();
    sha256(lines.as_bytes())
}
