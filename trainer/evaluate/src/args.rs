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

/// Flags of `trainer evaluate`.
///
/// The flattened groups come last, because the heading of a group applies to all flags after it.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArgs {
    /// Folder of the report; an earlier report in it is replaced
    ///
    /// The folder is created if it does not exist. It gets report.html, evaluation.json with every prediction, and each
    /// plot as SVG and PNG. report.html is one file that needs no other.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Method that predicts the scores
    ///
    /// The default is the model with its own options. The other methods are baselines with fixed options. They are
    /// zero-shot unless the weights were trained for them. All methods get the views of this program: an image is
    /// resized whole to a square, where the published code of some methods crops its centre.
    #[arg(long, value_name = "METHOD", value_enum, default_value_t = Method::TspMgs)]
    pub method: Method,

    /// Where to compute: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Threads that prepare images; default: one less than the processors
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize>)]
    pub workers: Option<NonZeroUsize>,

    /// Cache of decoded images; default: image-cache beside the report's folder
    ///
    /// Training can share it.
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Images, prompts and opinion scores
    #[command(flatten)]
    pub data: DataArgs,

    /// Images to evaluate on
    #[command(flatten)]
    pub subset: SubsetArgs,

    /// Weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// Options of the score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// The images that a model is evaluated on. The default is the test part of the first split of seed 0.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Images (the same split as in training)")]
pub struct SubsetArgs {
    /// Folder of split lists in IPCE's layout, N/train.csv and N/val.csv; val.csv is the test part
    #[arg(long, value_name = "DIR")]
    pub splits: Option<PathBuf>,

    /// Number of the split: name of its folder, or from 1 for drawn splits
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub split: usize,

    /// Seed that the split was drawn from
    #[arg(long, value_name = "SEED", default_value_t = 0, conflicts_with = "splits")]
    pub seed: u64,

    /// Evaluate on all images, even those of training
    #[arg(long, conflicts_with_all = ["splits", "split", "seed"])]
    pub all: bool,
}
