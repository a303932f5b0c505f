//! `trainer splits check`: finds prompts and images that are in both parts of a split.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::lists::{LISTS, NameIndex, folders};
use super::split::prompt_key;
use crate::dataset::{DataArgs, ImageList, Problems, SourceTable, quoted_start};

/// The number of prompts or names that the table shows of each finding. JSON has all of them.
const EXAMPLES: usize = 3;

/// Flags of `trainer splits check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Folder with 1/train.csv and 1/val.csv and so on
    #[arg(long, value_name = "DIR")]
    pub splits: PathBuf,

    /// Format of the findings
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,

    /// The data set of the lists, to check that it has all names; its images are not read
    #[command(flatten)]
    pub data: Option<DataArgs>,
}

/// The formats of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// One aligned line for each split and some examples, to be read by people
    Table,
    /// One JSON array with all findings
    Json,
}

/// The findings in one split.
#[derive(Clone, Debug, Serialize)]
pub struct SplitReport {
    /// The name of the split's folder.
    pub folder: String,
    /// The findings in the training list, `train.csv`.
    pub train: PartReport,
    /// The findings in the test list, `val.csv`.
    pub test: PartReport,
    /// The prompts that are in both lists, as written in the test list.
    pub shared_prompts: Vec<String>,
    /// The names of the images that are in both lists.
    pub shared_images: Vec<String>,
}

/// The findings in one list.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// The number of rows.
    pub rows: usize,
    /// The number of different prompts.
    pub prompts: usize,
    /// The number of rows without a prompt. They cannot be compared.
    pub without_prompt: usize,
    /// The names that occur more than once in the list.
    pub double_names: Vec<String>,
}

impl SplitReport {
    /// Returns whether a prompt or an image is in both parts.
    pub fn is_leaking(&self) -> bool {
        !(self.shared_prompts.is_empty() && self.shared_images.is_empty())
    }
}

/// Checks all splits in a folder. `data` gives the layout of the lists; without it, the layout is detected.
///
/// # Errors
/// Returns an error if there are no lists, if a row cannot be read, or if a name is not in the data set of `data`.
pub fn check(dir: &Path, data: Option<&DataArgs>) -> Result<Vec<SplitReport>> {
    let dataset = data.map(|args| SourceTable::open(args)?.dataset(args, None)).transpose()?;
    let index = dataset.as_ref().map(NameIndex::new);
    let (mut problems, mut reports) = (Vec::new(), Vec::new());
    for (folder, path) in folders(dir)? {
        let [train, test] = LISTS.map(|name| {
            let list = ImageList::read(&path.join(name), data)?;
            match &index {
                Some(index) => drop(index.find(&list, &mut problems)?),
                None => problems.extend(list.problems.iter().cloned()),
            }
            Ok::<_, anyhow::Error>(list)
        });
        reports.push(report(folder, &train?, &test?));
    }
    if !problems.is_empty() {
        return Err(
            Problems { problems, advice: "correct the lists, or pass the data set of the lists with --data" }.into()
        );
    }
    Ok(reports)
}

fn report(folder: String, train: &ImageList, test: &ImageList) -> SplitReport {
    let (train_prompts, test_prompts) = (prompts(train), prompts(test));
    let (train_names, test_names) = (names(train), names(test));
    let shared = |(key, prompt): (&String, &&str)| train_prompts.contains_key(key).then(|| (*prompt).to_owned());
    SplitReport {
        folder,
        shared_prompts: test_prompts.iter().filter_map(shared).collect(),
        shared_images: test_names
            .keys()
            .filter(|name| train_names.contains_key(*name))
            .map(ToString::to_string)
            .collect(),
        train: part(train, train_prompts.len(), &train_names),
        test: part(test, test_prompts.len(), &test_names),
    }
}

fn part(list: &ImageList, prompts: usize, names: &BTreeMap<&str, usize>) -> PartReport {
    PartReport {
        rows: list.rows.len(),
        prompts,
        without_prompt: list.rows.iter().filter(|row| prompt_key(&row.prompt).is_empty()).count(),
        double_names: names.iter().filter(|(_, rows)| **rows > 1).map(|(name, _)| (*name).to_owned()).collect(),
    }
}

/// Returns the prompts of a list by their keys ([`prompt_key`]).
fn prompts(list: &ImageList) -> BTreeMap<String, &str> {
    let prompts = list.rows.iter().map(|row| (prompt_key(&row.prompt), row.prompt.as_str()));
    prompts.filter(|(key, _)| !key.is_empty()).collect()
}

/// Returns the names of a list, with the number of their rows.
fn names(list: &ImageList) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    for row in &list.rows {
        *names.entry(row.name.as_str()).or_default() += 1;
    }
    names
}

/// Runs `trainer splits check`.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let reports = check(&args.splits, args.data.as_ref())?;
    match args.format {
        CheckFormat::Json => println!("{}", serde_json::to_string_pretty(&reports)?),
        CheckFormat::Table => print!("{}", table(&reports)),
    }
    let leaking = reports.iter().filter(|report| report.is_leaking()).count();
    if leaking == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "error: {leaking} of {} splits have test prompts or test images in the training part; `trainer splits make` draws \
         splits without these",
        reports.len()
    );
    Ok(ExitCode::FAILURE)
}

fn table(reports: &[SplitReport]) -> String {
    let mut lines =
        vec!["folder  train  test  train prompts  test prompts  in both  images in both  double names".to_owned()];
    let mut findings = Vec::new();
    for report in reports {
        let SplitReport { folder, train, test, shared_prompts, shared_images } = report;
        let doubles: BTreeSet<&String> = train.double_names.iter().chain(&test.double_names).collect();
        lines.push(format!(
            "{folder:>6}  {:>5}  {:>4}  {:>13}  {:>12}  {:>7}  {:>14}  {:>12}",
            train.rows,
            test.rows,
            train.prompts,
            test.prompts,
            shared_prompts.len(),
            shared_images.len(),
            doubles.len()
        ));
        let mut find = |what: String, found: Vec<&String>| {
            if !found.is_empty() {
                findings.push(format!("{folder}: {what}: {}", examples(&found)));
            }
        };
        let shared = format!("{} of {} test prompts are in the training part", shared_prompts.len(), test.prompts);
        find(shared, shared_prompts.iter().collect());
        find(format!("{} images in both parts", shared_images.len()), shared_images.iter().collect());
        find(format!("{} names more than once in a list", doubles.len()), doubles.into_iter().collect());
        let without = train.without_prompt + test.without_prompt;
        if without > 0 {
            findings.push(format!("{folder}: {without} rows without a prompt, which cannot be compared"));
        }
    }
    if !findings.is_empty() {
        lines.push(String::new());
    }
    lines.into_iter().chain(findings).map(|line| line + "\n").collect()
}

/// Returns the starts of the first texts, and the number of the others.
fn examples(found: &[&String]) -> String {
    let shown: Vec<String> = found.iter().take(EXAMPLES).map(|text| quoted_start(text)).collect();
    let more = found.len().saturating_sub(EXAMPLES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}
