//! Flags of `trainer score`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::columns;
use super::encode::OutputFile;
use super::input::ColumnNames;
use super::parts::Earlier;
use crate::compute::ComputeArgs;
use crate::model::ModelArgs;
use crate::options::OptionArgs;
use tsp_mgs_data::flags::positive;

/// Flags of `trainer score`; the groups come last, as a group's heading holds for what follows it.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// What to score
    #[command(flatten)]
    pub input: InputArgs,

    /// The prompt of every image
    ///
    /// Without it, a prompt is read from the table's column, from the file NAME.txt beside NAME.png, from NAME.json there
    /// under prompt, caption or text, then from the image's own metadata (Stable Diffusion WebUI, ComfyUI, InvokeAI and
    /// others). An image without a prompt gets no alignment score.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prompt: Option<String>,

    /// Threads that read, decode and cut images; default: one for each processor
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,

    /// Where and how
    #[command(flatten)]
    pub compute: ComputeArgs,

    /// Say of each batch how many kernels and dispatches it took; standard error
    #[arg(long)]
    pub verbose: bool,

    /// Keep what the image tower gives here, by the image's content, and take it from here when it is there
    ///
    /// Another prompt, prompt set or alpha then scores again without decoding and without the image tower. 32 kB an
    /// image with 15 patches of ViT-B/32.
    #[arg(long, value_name = "DIR")]
    pub features: Option<PathBuf>,

    /// How results are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Stop once more than N images could not be scored
    ///
    /// Without it, each of them is a row with an error, and the rest goes on.
    #[arg(long, value_name = "N")]
    pub max_errors: Option<u64>,

    /// Score a part of the input: I/N is the I-th of N processes, counted from 1
    ///
    /// Each takes every N-th row. All N together score each row once, if they are given the same input.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Be a filter: record batches come on standard input, and leave on standard output with their scores
    ///
    /// For an engine that spreads work over machines. Batches have the columns of --columns, and get those of
    /// --output behind their own. Each is answered before the next is needed; the stream ends when its input ends.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        conflicts_with_all = ["paths", "from", "format", "shard", "output"]
    )]
    pub stream: Option<Stream>,

    /// Where results are kept
    #[command(flatten)]
    pub output: OutputArgs,

    /// Which weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// How to score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// Which images.
#[derive(Clone, Debug, Default, Args)]
pub struct InputArgs {
    /// Images, folders that are searched for images, tar files (WebDataset), or patterns for such
    ///
    /// In a tar file, which may be gzipped, KEY.jpg has its prompt in KEY.txt, or in KEY.json under prompt, caption or text.
    #[arg(value_name = "PATH", required_unless_present_any = ["from", "stream"])]
    pub paths: Vec<PathBuf>,

    /// A list or table of images, a folder of tables, or a pattern for such; - reads standard input
    ///
    /// FILE.csv, FILE.tsv, FILE.jsonl and FILE.parquet are tables, anything else is a list with one PATH a line; standard
    /// input is a list, or JSON lines. A CSV table without commas in its first line is separated by tabs, semicolons or
    /// bars. In a table, an image is a path, a data: URL, or, in Parquet, bytes or an image as
    /// Hugging Face stores it. Paths are relative to the table's folder, in a list to the current one.
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,

    /// Columns of the tables: id=NAME,image=NAME,prompt=NAME; default: id, image or path, and prompt
    ///
    /// Results are called by their ids; ids need not differ.
    #[arg(long, value_name = "NAMES")]
    pub columns: Option<ColumnNames>,

    /// Folder of the tables' images; default: the table's
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    pub images: Option<PathBuf>,
}

/// Where results are kept.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output to a file")]
pub struct OutputArgs {
    /// File to write: .csv, .jsonl, .parquet or .txt
    #[arg(long, value_name = "FILE", conflicts_with = "format", long_help = columns::help())]
    pub output: Option<OutputFile>,

    /// Go on with a run that was killed, with the same flags
    ///
    /// Until FILE is whole, its rows stand in the folder FILE.parts. What they hold is not scored again, rows with an
    /// error neither; the file ends the same as without the interruption.
    #[arg(long, requires = "output", conflicts_with = "overwrite")]
    pub resume: bool,

    /// Replace FILE, and drop the parts of a run that did not end
    #[arg(long, requires = "output")]
    pub overwrite: bool,

    /// How long scored images may stay unwritten, and are scored again after a crash
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "output")]
    pub part_seconds: u64,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One aligned line an image, for people
    Table,
    /// One JSON object a line, with all parts
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// What streams are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// Arrow's stream format for record batches
    Arrow,
}

/// A part of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    index: u64,
    /// Of how many.
    of: u64,
}

impl OutputArgs {
    /// What to do with what an earlier run left.
    pub fn earlier(&self) -> Earlier {
        match (self.resume, self.overwrite) {
            (true, _) => Earlier::Resume,
            (_, true) => Earlier::Overwrite,
            _ => Earlier::Refuse,
        }
    }
}

impl Shard {
    /// How many of so many rows it holds.
    pub fn share(self, rows: u64) -> u64 {
        (rows + self.of - self.index) / self.of
    }

    /// Whether it holds the row at this place, counted from 0.
    pub fn has(self, place: u64) -> bool {
        place % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("expected I/N with I from 1 to N, such as 1/4".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_one_shard() {
        let shards: Vec<Shard> = (1..=3).map(|index| format!("{index}/3").parse().expect("a shard")).collect();
        assert!((0..20).all(|place| shards.iter().filter(|shard| shard.has(place)).count() == 1));
        assert_eq!(shards.iter().map(|shard| shard.share(20)).collect::<Vec<_>>(), [7, 7, 6]);
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
