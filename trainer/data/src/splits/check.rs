//! `trainer splits check`: what stands in both parts of a split.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::lists::{LISTS, Places, folders};
use super::split::prompt_key;
use crate::dataset::{DataArgs, List, Problems, SourceTable, quoted_start};

/// Prompts and names that the table shows of each finding; JSON has all.
const EXAMPLES: usize = 3;

/// Flags of `trainer splits check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Folder with 1/train.csv and 1/val.csv and so on
    #[arg(long, value_name = "DIR")]
    pub splits: PathBuf,

    /// How findings are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,

    /// The data set that the lists are of, to see that it has every name; its images are not looked at
    #[command(flatten)]
    pub data: Option<DataArgs>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// One aligned line a split and a few examples, for people
    Table,
    /// One JSON array with everything
    Json,
}

/// What was found in one folder.
#[derive(Clone, Debug, Serialize)]
pub struct SplitReport {
    /// The folder.
    pub folder: String,
    /// `train.csv`.
    pub train: PartReport,
    /// `val.csv`.
    pub test: PartReport,
    /// Prompts in both parts, as the test list has them.
    pub shared_prompts: Vec<String>,
    /// Images in both parts.
    pub shared_images: Vec<String>,
}

/// What was found in one list.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// Rows.
    pub rows: usize,
    /// Different prompts.
    pub prompts: usize,
    /// Rows without a prompt; what they share cannot be told.
    pub without_prompt: usize,
    /// Names that stand in the list more than once.
    pub double_names: Vec<String>,
}

impl SplitReport {
    /// Whether a prompt or an image stands in both parts.
    pub fn is_leaking(&self) -> bool {
        !(self.shared_prompts.is_empty() && self.shared_images.is_empty())
    }
}

/// Looks through the lists below `dir`; `data` says how to read them if their first rows do not.
///
/// # Errors
/// When there are no lists, or one has rows that cannot be read or names that `data` does not have.
pub fn check(dir: &Path, data: Option<&DataArgs>) -> Result<Vec<SplitReport>> {
    let dataset = data.map(|args| SourceTable::open(args)?.dataset(args, None)).transpose()?;
    let places = dataset.as_ref().map(Places::new);
    let (mut problems, mut reports) = (Vec::new(), Vec::new());
    for (folder, path) in folders(dir)? {
        let [train, test] = LISTS.map(|name| {
            let list = List::read(&path.join(name), data)?;
            match &places {
                Some(places) => drop(places.find(&list, &mut problems)?),
                None => problems.extend(list.problems.iter().cloned()),
            }
            Ok::<_, anyhow::Error>(list)
        });
        reports.push(report(folder, &train?, &test?));
    }
    if !problems.is_empty() {
        return Err(Problems { problems, advice: "correct the lists, or pass the --data they are of" }.into());
    }
    Ok(reports)
}

fn report(folder: String, train: &List, test: &List) -> SplitReport {
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

fn part(list: &List, prompts: usize, names: &BTreeMap<&str, usize>) -> PartReport {
    PartReport {
        rows: list.rows.len(),
        prompts,
        without_prompt: list.rows.iter().filter(|row| prompt_key(&row.prompt).is_empty()).count(),
        double_names: names.iter().filter(|(_, rows)| **rows > 1).map(|(name, _)| (*name).to_owned()).collect(),
    }
}

/// The prompts of a list, by how they are compared.
fn prompts(list: &List) -> BTreeMap<String, &str> {
    let prompts = list.rows.iter().map(|row| (prompt_key(&row.prompt), row.prompt.as_str()));
    prompts.filter(|(key, _)| !key.is_empty()).collect()
}

/// The names of a list, with the number of their rows.
fn names(list: &List) -> BTreeMap<&str, usize> {
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
        "error: {leaking} of {} splits test on what was trained on; `trainer splits make` draws splits that do not",
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
        let of = format!("{} of {} test prompts are trained on", shared_prompts.len(), test.prompts);
        find(of, shared_prompts.iter().collect());
        find(format!("images in both parts, {}", shared_images.len()), shared_images.iter().collect());
        find(format!("names more than once in a list, {}", doubles.len()), doubles.into_iter().collect());
        let without = train.without_prompt + test.without_prompt;
        if without > 0 {
            findings.push(format!("{folder}: rows without a prompt, {without}: what they share cannot be told"));
        }
    }
    if !findings.is_empty() {
        lines.push(String::new());
    }
    lines.into_iter().chain(findings).map(|line| line + "\n").collect()
}

/// The first few, cut where they are long, and how many more.
fn examples(found: &[&String]) -> String {
    let shown: Vec<String> = found.iter().take(EXAMPLES).map(|text| quoted_start(text)).collect();
    let more = found.len().saturating_sub(EXAMPLES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}
