//! Flags of `trainer score`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::{ArgGroup, Args, ValueEnum};
use tsp_mgs_data::flags::positive;

use crate::input::InputArgs;
use crate::input::shard::Shard;
use crate::model::ModelArgs;
use crate::options::OptionArgs;
use crate::output::encode::OutputFile;
use crate::results::columns;
use crate::results::text_rows::Format;
use crate::scorer_args::ScorerArgs;

/// The error message when more images failed than `--max-errors` allows.
pub(crate) const TOO_MANY_ERRORS: &str = "stopped: more images failed than --max-errors allows";

/// Flags of `trainer score`.
///
/// The flattened groups with a heading come last, because clap applies a heading to all flags that follow it.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The images to score
    #[command(flatten)]
    pub input: InputArgs,

    /// Prompt of all images
    ///
    /// Without this flag, the prompt of NAME.png is read from the first of these that has one: the prompt column of the
    /// table; the file NAME.txt beside the image; the key prompt, caption or text of the file NAME.json beside it; the
    /// metadata in the image (Stable Diffusion WebUI, ComfyUI, InvokeAI and others). An image without a prompt gets no
    /// alignment score.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prompt: Option<String>,

    /// Number of threads that read, decode and cut images; default: the number of processors
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,

    /// The device and its settings
    #[command(flatten)]
    pub compute: ScorerArgs,

    /// Print the number of kernels and dispatches of each batch to standard error
    #[arg(long)]
    pub verbose: bool,

    /// Cache the features of images in this folder, by the content of the image file
    ///
    /// A later run with another prompt, prompt set or alpha takes the features from the folder. It neither decodes the
    /// images nor runs the image tower. An image takes 32 kB with ViT-B/32 and 15 crops.
    #[arg(long, value_name = "DIR")]
    pub features: Option<PathBuf>,

    /// Format of the results on standard output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Stop as soon as more than N images could not be scored
    ///
    /// Without this flag, the run always continues. In both cases, such an image gets a row with an error.
    #[arg(long, value_name = "N")]
    pub max_errors: Option<u64>,

    /// Score one part of the input: I/N is part I of N, counted from 1
    ///
    /// A part has every N-th row, starting at row I. N processes with the same input and the shards 1/N to N/N score
    /// each row exactly once.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Act as a filter: read record batches from standard input, and write them with scores to standard output
    ///
    /// For engines that distribute work over machines. The columns of --columns are read from each batch, and the
    /// result columns (see --output) are appended to it. The answer to a batch is written without waiting for the next
    /// batch. The output ends when the input ends.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        conflicts_with_all = ["paths", "from", "format", "shard", "output", "gallery"]
    )]
    pub stream: Option<Stream>,

    /// The output file
    #[command(flatten)]
    pub output: OutputArgs,

    /// The weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// The options of a score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// Flags of the output file and of the gallery.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output to a file", group = ArgGroup::new("written").args(["output", "gallery"]).multiple(true))]
pub struct OutputArgs {
    /// File to write: .csv, .jsonl, .parquet or .txt
    #[arg(long, value_name = "FILE", conflicts_with = "format", long_help = columns::help())]
    pub output: Option<OutputFile>,

    /// Folder for a web page of the scores
    ///
    /// DIR gets index.html, scores.jsonl and a thumbnail of each image. Any web server can serve it, and visitors load
    /// no model. It holds the prompts, but neither the images themselves nor the folders that they are in. DIR appears
    /// when all images are scored.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub gallery: Option<PathBuf>,

    /// Continue an interrupted run, which had the same flags
    ///
    /// Until FILE is complete, its rows are in the folder FILE.parts. An image that has a row there is not scored
    /// again, even if the row has an error. The finished file equals that of a run without interruption.
    #[arg(long, requires = "output", conflicts_with = "overwrite")]
    pub resume: bool,

    /// Replace FILE and the gallery, and delete the parts of an unfinished run
    #[arg(long, requires = "written")]
    pub overwrite: bool,

    /// Interval at which scored rows are secured on disk
    ///
    /// After a crash, the images since the last interval are scored again.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "output")]
    pub part_seconds: u64,
}

/// The formats of a stream of record batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// Arrow IPC streaming format
    Arrow,
}

/// What to do if an earlier run left an output file or parts of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingOutput {
    /// Return an error.
    Refuse,
    /// Keep the parts and continue after them.
    Resume,
    /// Delete the parts. A finished file is replaced when the new one is complete.
    Overwrite,
}

impl OutputArgs {
    /// Returns what the flags `--resume` and `--overwrite` ask for.
    pub fn existing(&self) -> ExistingOutput {
        match (self.resume, self.overwrite) {
            (true, _) => ExistingOutput::Resume,
            (_, true) => ExistingOutput::Overwrite,
            _ => ExistingOutput::Refuse,
        }
    }
}

impl ScoreArgs {
    /// Returns the number of threads that prepare images: `--threads`, or the number of processors.
    pub fn worker_threads(&self) -> NonZeroUsize {
        self.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// Returns whether more images failed than `--max-errors` allows.
    pub(crate) fn exceeds_max_errors(&self, failures: u64) -> bool {
        self.max_errors.is_some_and(|max| failures > max)
    }
}
