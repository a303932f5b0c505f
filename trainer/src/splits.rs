//! Which images are trained on and which are tested on: IPCE's lists, or our own, and `trainer splits`.
//!
//! Images of one prompt resemble each other, so a prompt in both parts flatters the test (SPEC §6, D10). Our own
//! splits never do that, and `trainer splits check` finds it in any.

mod check;
mod lists;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tsp_mgs_core::bundle::sha256;

pub use check::{CheckArgs, PartReport, SplitReport, check};
pub use lists::{read, write};

use crate::dataset::{self, DataArgs, Item};

/// SPEC §6: 4 : 1, as IPCE; counted in prompts, so that AGIQA-3K's 300 become 240 and 60.
const TEST_SHARE: f64 = 0.2;

/// Sets the random numbers of a validation part apart from those of the splits with the same seed.
const VALIDATION_STREAM: u64 = 1 << 32;

/// Training and testing images, as places in a data set's items; each part in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The folder of its lists, or the number of the draw, from "1".
    pub folder: String,
    /// Images to train on.
    pub train: Vec<usize>,
    /// Images to test on.
    pub test: Vec<usize>,
}

impl Split {
    /// SHA-256 of the sorted names of each part, in hexadecimal: the same wherever the images and lists lie.
    pub fn sha256(&self, items: &[Item]) -> String {
        let names = |part: &[usize]| {
            let mut names: Vec<&str> = part.iter().map(|&i| items[i].name.as_str()).collect();
            names.sort_unstable();
            names
        };
        let parts = serde_json::json!({ "test": names(&self.test), "train": names(&self.train) });
        sha256(parts.to_string().as_bytes())
    }
}

/// Draws `count` splits, 4 : 1, with no prompt in both parts.
///
/// They depend on the items' names and prompts and on the seed, not on the order of the items; the first few are the
/// same whatever the count.
///
/// # Errors
/// When there are fewer than two prompts.
pub fn draw(items: &[Item], seed: u64, count: usize) -> Result<Vec<Split>> {
    let all: Vec<usize> = (0..items.len()).collect();
    let draw = |i: usize| {
        let (train, test) = cut(items, &all, TEST_SHARE, seed, i as u64)?;
        Ok(Split { folder: (i + 1).to_string(), train, test })
    };
    (0..count).map(draw).collect()
}

/// Cuts a validation part from a split's training part, with no prompt in both; returns what is left to train on, and
/// the validation part.
///
/// # Errors
/// When the training part has fewer than two prompts.
///
/// # Panics
/// When `share`, the validation part's share of the prompts, is not in (0, 1).
pub fn validation(split: &Split, items: &[Item], share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    assert!(share > 0.0 && share < 1.0, "a share in (0, 1), not {share}");
    cut(items, &split.train, share, seed, VALIDATION_STREAM)
}

/// Cuts `from` in two by prompt; `share` of the prompts go into the second part, at least one into each.
fn cut(items: &[Item], from: &[usize], share: f64, seed: u64, stream: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    // An image without a prompt shares it with no other.
    let group = |item: &Item| match prompt_key(&item.prompt) {
        key if key.is_empty() => (key, item.name.clone()),
        key => (key, String::new()),
    };
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &i in from {
        groups.entry(group(&items[i])).or_default().push(i);
    }
    if groups.len() < 2 {
        bail!("{} prompt in {} images: a split needs two, one for each part", groups.len(), from.len());
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    groups.shuffle(&mut random);
    let second = ((groups.len() as f64 * share).round() as usize).clamp(1, groups.len() - 1);
    let part = |groups: &[Vec<usize>]| {
        let mut part = groups.concat();
        part.sort_unstable();
        part
    };
    Ok((part(&groups[second..]), part(&groups[..second])))
}

/// A prompt as it is compared: white space collapsed, lower case.
pub fn prompt_key(prompt: &str) -> String {
    prompt.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Flags of `trainer splits`.
#[derive(Debug, Args)]
pub struct SplitsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: SplitsCommand,
}

/// What to do with splits.
#[derive(Debug, Subcommand)]
pub enum SplitsCommand {
    /// Draw splits with no prompt in both parts, and write their lists
    Make(MakeArgs),
    /// Look for prompts and images that stand in both parts of a split
    // clap leaves flags required when their group is optional.
    #[command(mut_arg("data", |data| data.required(false)))]
    Check(CheckArgs),
}

/// Flags of `trainer splits make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// Folder to write, with 1/train.csv and 1/val.csv and so on; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Where random numbers start: another seed gives other splits
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// How many splits to draw
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub count: u16,

    /// Which data set; its images are not looked at
    #[command(flatten)]
    pub data: DataArgs,
}

/// Runs `trainer splits`; the exit code of `check` is 1 when a prompt or an image stands in both parts.
///
/// # Errors
/// For tables and lists that cannot be read, and a folder that cannot be written.
pub fn run(args: &SplitsArgs) -> Result<ExitCode> {
    match &args.command {
        SplitsCommand::Make(args) => make(args),
        SplitsCommand::Check(args) => check::run(args),
    }
}

fn make(args: &MakeArgs) -> Result<ExitCode> {
    let source = dataset::SourceTable::open(&args.data)?;
    let dataset = source.dataset(&args.data, None)?;
    let splits = draw(&dataset.items, args.seed, args.count.into())?;
    lists::write_table(&args.out, &source, &dataset.items, &splits)?;
    if !dataset.skipped.is_empty() {
        eprintln!("note: {} rows were left out of the splits", dataset.skipped.len());
    }
    for split in &splits {
        println!(
            "{}  {} train  {} test  {}",
            split.folder,
            split.train.len(),
            split.test.len(),
            split.sha256(&dataset.items)
        );
    }
    println!("{}: {} splits of {}", args.out.display(), splits.len(), dataset.name);
    Ok(ExitCode::SUCCESS)
}
