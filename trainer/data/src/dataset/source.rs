//! From a table's rows to items, with all that is wrong noted.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::bundle::sha256;

use super::agiqa_1k;
use super::args::DataArgs;
use super::columns::Columns;
use super::files::{Files, NoFile};
use super::item::{Dataset, Item};
use super::layout::Layout;
use super::problem::{Notes, Problem, ProblemKind, Problems};
use super::table::{Table, TableRow};
use super::table_file;

/// What to do about rows that are wrong.
const ADVICE: &str = "correct the table or the images, or pass --skip-bad to go on without these rows";

/// A word in the first line of a README.txt beside a table whose images and scores are generated.
const SYNTHETIC: &str = "synthetic";

/// Reads a data set, and looks whether its images are there.
///
/// # Errors
/// When the table cannot be read, or any row is wrong: [`Problems`] has all of them. With `skip_bad`, when no row is
/// left.
pub fn open(args: &DataArgs) -> Result<Dataset> {
    let source = SourceTable::open(args)?;
    let files = args.images.as_deref().map_or_else(|| Files::below(source.folder()), Files::below_named)?;
    source.dataset(args, Some(&files))
}

/// A table with the meaning of its columns.
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
                bail!("--columns needs the table itself, and {} is a folder", args.data.display());
            }
            let table = table_file::read(&args.data, &names.all())?;
            let columns = names.find(&table.first).map_err(|name| missing_column(&table, name))?;
            return Ok(Self { table, columns, layout: None });
        }
        let path = if is_folder { Layout::find(&args.data, args.layout)? } else { args.data.clone() };
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
            bail!("{}: name the columns of a Parquet file: --columns image=…,prompt=…,mos=…", path.display());
        }
        let mut table = table_file::read(&path, &[])?;
        let (layout, mut columns) = Layout::of(&table, args.layout)?;
        if layout == Layout::Agiqa1k && agiqa_1k::add_prompts(&mut table)? {
            (_, columns) = Layout::of(&table, Some(layout))?;
        }
        if columns.perception.is_none() && columns.alignment.is_none() {
            bail!(
                "{} has no scores, only names and prompts: the challenge did not publish those of its validation \
                 images; use info_train.csv",
                path.display()
            );
        }
        Ok(Self { table, columns, layout: Some(layout) })
    }

    /// Checks every row; images are looked up where `files` are given.
    pub fn dataset(&self, args: &DataArgs, files: Option<&Files>) -> Result<Dataset> {
        let path = &self.table.path;
        let mut notes = Notes { file: path, problems: self.table.problems.clone() };
        let mut items: Vec<Item> =
            self.columns.rows(&self.table).iter().filter_map(|row| self.item(row, &mut notes)).collect();
        leave_out_doubles(&mut items, &mut notes);
        if let Some(files) = files {
            find_images(&mut items, files, &mut notes)?;
        }
        let mut skipped = notes.problems;
        skipped.sort_by_key(|problem| problem.line);
        if !skipped.is_empty() && !args.skip_bad {
            return Err(Problems { problems: skipped, advice: ADVICE }.into());
        }
        if items.is_empty() {
            let error = anyhow::anyhow!("{} has no row that can be used", path.display());
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

    fn item(&self, row: &TableRow, notes: &mut Notes) -> Option<Item> {
        let record = self.columns.record(row, notes)?;
        Some(Item {
            image: PathBuf::new(),
            name: record.name,
            prompt: record.prompt,
            perception: record.perception,
            alignment: record.alignment,
            generator: record.generator,
            style: record.style,
            line: row.line,
        })
    }

    /// The folder of the table.
    pub fn folder(&self) -> &Path {
        self.table.path.parent().unwrap_or(Path::new(""))
    }

    /// The header, if the table has one.
    pub fn header(&self) -> Option<&TableRow> {
        self.table.rows.first().filter(|_| self.columns.has_header)
    }

    /// The rows below the header.
    pub fn rows(&self) -> &[TableRow] {
        self.columns.rows(&self.table)
    }
}

/// A list of images in a data set's own layout, scores or not.
pub(crate) struct List {
    pub path: PathBuf,
    pub rows: Vec<ListRow>,
    /// Rows that could not be read, or have no name.
    pub problems: Vec<Problem>,
}

/// A row of a list.
pub(crate) struct ListRow {
    pub line: usize,
    pub name: String,
    /// Empty where there is none.
    pub prompt: String,
}

impl List {
    /// Reads a list; its columns are those of `data`, or told by its first row.
    pub fn read(path: &Path, data: Option<&DataArgs>) -> Result<Self> {
        let table = table_file::read(path, &[])?;
        let columns = match data.and_then(|args| args.columns.as_ref()) {
            Some(names) => names.find_in_list(&table.first).map_err(|name| missing_column(&table, name))?,
            None => Layout::of(&table, data.and_then(|args| args.layout))?.1,
        };
        let mut notes = Notes { file: path, problems: table.problems.clone() };
        let mut rows = Vec::new();
        for row in columns.rows(&table) {
            match columns.name(row) {
                Some(name) => rows.push(ListRow { line: row.line, name, prompt: columns.prompt(row).to_owned() }),
                None => notes.no_name(row.line),
            }
        }
        let problems = notes.problems;
        Ok(Self { path: path.to_owned(), rows, problems })
    }
}

fn missing_column(table: &Table, name: &str) -> anyhow::Error {
    anyhow::anyhow!("{}:1: expected a column `{name}`, found {}", table.path.display(), table.first.join(", "))
}

/// Leaves out rows whose name stands in another row: the later ones where they say the same, all where they do not, as
/// no one can tell which is right.
fn leave_out_doubles(items: &mut Vec<Item>, notes: &mut Notes) {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        by_name.entry(&item.name).or_default().push(i);
    }
    let mut left_out = vec![false; items.len()];
    for (name, rows) in by_name.into_iter().filter(|(_, rows)| rows.len() > 1) {
        let first = &items[rows[0]];
        let says = |item: &Item| (item.perception, item.alignment, item.prompt.clone());
        let is_same = rows.iter().all(|&i| says(&items[i]) == says(first));
        for &i in &rows[usize::from(is_same)..] {
            let other = if i == rows[0] { &items[rows[1]] } else { first };
            let found = if is_same { "the same again" } else { "other scores or another prompt" };
            let found = format!("{found} on line {}", other.line);
            notes.note((items[i].line, Some(name)), ProblemKind::DoubleName, "a name once", found);
            left_out[i] = true;
        }
    }
    let mut left_out = left_out.into_iter();
    items.retain(|_| !left_out.next().unwrap_or_default());
}

/// Gives each item its file, and leaves out those without one.
fn find_images(items: &mut Vec<Item>, files: &Files, notes: &mut Notes) -> Result<()> {
    let (rows, mut found) = (items.len(), 0);
    let mut problems = Notes { file: notes.file, problems: Vec::new() };
    items.retain_mut(|item| {
        let at = (item.line, Some(item.name.as_str()));
        match files.find(&item.name) {
            Ok(path) => {
                item.image = path;
                found += 1;
                return true;
            }
            Err(NoFile::Missing) => {
                let expected = format!("an image file below {}", files.root().display());
                problems.note(at, ProblemKind::MissingImage, expected, "none");
            }
            Err(NoFile::Ambiguous(paths)) => {
                found += 1;
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                problems.note(at, ProblemKind::AmbiguousImage, "one file of that name", paths.join(" and "));
            }
        }
        false
    });
    // One sentence, where a line for each image would hide that the folder is wrong.
    if found == 0 && rows > 1 {
        bail!(
            "{}: none of its {rows} images is below {} (the first is {}); say where they are with --images DIR",
            notes.file.display(),
            files.root().display(),
            problems.problems[0].name.as_deref().unwrap_or_default()
        );
    }
    notes.problems.append(&mut problems.problems);
    Ok(())
}

/// Whether a README.txt beside the table says so in its first line.
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

/// SHA-256 of one line of JSON an item: the same wherever the images lie.
fn table_sha256(items: &[Item]) -> String {
    let line = |item: &Item| serde_json::json!([item.name, item.prompt, item.perception, item.alignment]);
    let lines: String = items.iter().map(|item| format!("{}\n", line(item))).collect();
    sha256(lines.as_bytes())
}
