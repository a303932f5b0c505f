//! Flags of `trainer evaluate`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use tsp_mgs_data::dataset::DataArgs;
use tsp_mgs_data::flags::positive;
use tsp_mgs_score::device::DeviceChoice;
use tsp_mgs_score::model::ModelArgs;
use tsp_mgs_score::options::OptionArgs;

use crate::method::Method;

/// Flags of `trainer evaluate`; the groups come last, as a group's heading holds for what follows it.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArgs {
    /// Folder of the report: made, or an earlier report that is replaced
    ///
    /// Holds report.html, which needs nothing else, evaluation.json with every prediction, and each plot
    /// as SVG and PNG.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// What judges: the model as it is, or a method that it is compared with
    ///
    /// The others are zero-shot unless the weights were trained for them, and have fixed options. All of
    /// them see this program's views: where the published code cuts the centre of an image, these see it
    /// whole, resized to a square.
    #[arg(long, value_name = "METHOD", value_enum, default_value_t = Method::TspMgs)]
    pub method: Method,

    /// Where to compute: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Threads that prepare images; default: all but one
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize>)]
    pub workers: Option<NonZeroUsize>,

    /// Folder of decoded images, shared with training; default: image-cache beside the report's folder
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Images, prompts and opinion scores
    #[command(flatten)]
    pub data: DataArgs,

    /// Which of them judge
    #[command(flatten)]
    pub part: PartArgs,

    /// Which weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// How to score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// Which images of a data set judge; without a flag, the test part of the first split of seed 0.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Images (the same split as in training)")]
pub struct PartArgs {
    /// Folder of split lists, N/train.csv and N/val.csv, as IPCE has them; val.csv judges
    #[arg(long, value_name = "DIR")]
    pub splits: Option<PathBuf>,

    /// Which split: the folder's number, or of the drawn ones the number from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub split: usize,

    /// The seed that the split was drawn from
    #[arg(long, value_name = "SEED", default_value_t = 0, conflicts_with = "splits")]
    pub seed: u64,

    /// Judge on all images, trained on or not
    #[arg(long, conflicts_with_all = ["splits", "split", "seed"])]
    pub all: bool,
}
