//! Flags of `trainer score`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::{Args, ValueEnum};
use tsp_mgs_data::flags::positive;

use crate::columns;
use crate::encode::OutputFile;
use crate::input::InputArgs;
use crate::model::ModelArgs;
use crate::options::OptionArgs;
use crate::scorer_args::ScorerArgs;
use crate::shard::Shard;
use crate::text_rows::Format;

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
    pub compute: ScorerArgs,

    /// Say of each batch how many kernels and dispatches it took; standard error
    #[arg(long)]
    pub verbose: bool,

    /// Keep what the image tower gives here, by the image's content, and take it from here when it is there
    ///
    /// Another prompt, prompt set or alpha then scores again without decoding and without the image tower. 32 kB an
    /// image with 15 crops of ViT-B/32.
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

/// What streams are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// Arrow's stream format for record batches
    Arrow,
}

/// What to do with what an earlier run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing is expected; something is an error.
    Refuse,
    /// Go on with its parts.
    Resume,
    /// Start anew; a finished file is replaced once the new one is whole.
    Overwrite,
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

impl ScoreArgs {
    /// Threads that prepare images: as asked for, else one for each processor.
    pub fn worker_threads(&self) -> NonZeroUsize {
        self.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}
