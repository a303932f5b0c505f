//! Flags of `trainer train`.

use std::path::PathBuf;

use clap::Args;
use tsp_mgs_data::dataset::DataArgs;
use tsp_mgs_data::flags::{count, positive, rate, share};
use tsp_mgs_score::device::DeviceChoice;
use tsp_mgs_score::model::ModelArgs;
use tsp_mgs_score::options::OptionArgs;

use crate::config::{Freeze, TrainingPrecision};
use crate::paper_settings::{BATCH, EPOCHS, LEARNING_RATE_TEXT, TRAIN_CROPS};
use crate::scratch::Scratch;

/// Flags of `trainer train`.
///
/// The flattened groups come last, because the heading of a group applies to all flags after it.
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    /// Folder of the run
    ///
    /// The folder is created if it does not exist. The same command resumes an interrupted run.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Train one model for both tasks
    ///
    /// The paper trains one model for each task. With this flag both tasks share the towers, and the loss is the sum of
    /// both losses. A browser then downloads one model instead of two.
    #[arg(long, conflicts_with = "task")]
    pub joint: bool,

    /// Seed of all random choices: splits, order, crops, mirroring, new weights
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// Where to compute: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Threads that prepare images; default: one less than the processors
    #[arg(long, value_name = "N", value_parser = positive::<std::num::NonZeroUsize>)]
    pub workers: Option<std::num::NonZeroUsize>,

    /// Cache of decoded images; default: image-cache beside the run's folder
    ///
    /// Several runs can share it.
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Print only the result
    #[arg(long, conflicts_with = "tui")]
    pub quiet: bool,

    /// Show loss, learning rate and each task's correlations above the progress bar
    #[arg(long)]
    pub tui: bool,

    /// Images, prompts and opinion scores
    #[command(flatten)]
    pub data: DataArgs,

    /// Split of the data set
    #[command(flatten)]
    pub split: SplitArgs,

    /// Weights to start from
    #[command(flatten)]
    pub start: StartArgs,

    /// Optimiser and schedule
    #[command(flatten)]
    pub optimiser: OptimiserArgs,

    /// How scores are computed
    #[command(flatten)]
    pub options: OptionArgs,
}

/// The split of a data set into a training and a test part.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Split")]
pub struct SplitArgs {
    /// Folder of split lists in IPCE's layout: N/train.csv and N/val.csv
    ///
    /// Without it, the split is drawn from the seed: four fifths of the prompts are for training, and no prompt is in
    /// both parts.
    #[arg(long, value_name = "DIR")]
    pub splits: Option<PathBuf>,

    /// Number of the split: name of its folder, or from 1 for drawn splits
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub split: usize,

    /// Share of the training prompts held out to choose an epoch, in [0, 1)
    ///
    /// The honest protocol then takes the best epoch on this part instead of the last epoch.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub validation: f64,
}

/// The weights that training starts from.
#[derive(Clone, Debug, Args)]
#[group(id = "start", required = true, multiple = true, args = ["clip", "model", "scratch"])]
pub struct StartArgs {
    /// Weights from a file or a bundle
    #[command(flatten)]
    pub weights: ModelArgs,

    /// New random weights of a model of this size
    #[arg(long, value_name = "SIZES", value_enum, conflicts_with_all = ["clip", "model"], help_heading = "Model")]
    pub scratch: Option<Scratch>,
}

/// Optimiser, schedule and batches.
///
/// The defaults are the paper's (Xia et al., §4.2). Where the paper gives no value, they are IPCE's.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Training (defaults: the paper's settings)")]
pub struct OptimiserArgs {
    /// Passes over the training images
    #[arg(long, value_name = "EPOCHS", default_value_t = EPOCHS, value_parser = count)]
    pub epochs: usize,

    /// Images of a step
    #[arg(long, value_name = "IMAGES", default_value_t = BATCH, value_parser = count)]
    pub batch: usize,

    /// Images whose gradients are computed at once; default: the whole batch
    ///
    /// A smaller number needs less memory. The step is the same up to rounding.
    #[arg(long, value_name = "IMAGES", value_parser = count)]
    pub micro_batch: Option<usize>,

    /// Crops of an image in a step; each step draws new ones
    #[arg(long, value_name = "N", default_value_t = TRAIN_CROPS, value_parser = count)]
    pub train_crops: usize,

    /// Do not mirror images; the default mirrors each with probability 1/2
    #[arg(long)]
    pub no_mirror: bool,

    /// Peak learning rate
    #[arg(long, value_name = "RATE", default_value = LEARNING_RATE_TEXT, value_parser = rate)]
    pub lr: f64,

    /// Epochs from the peak rate down to 0 on a cosine, and up again
    #[arg(long, value_name = "EPOCHS", default_value_t = 5, value_parser = count)]
    pub period: usize,

    /// Steps of the linear warm-up to the peak rate
    ///
    /// New weights need a warm-up. A trained CLIP needs none.
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    pub warm_up: usize,

    /// Decoupled weight decay, applied to all tensors
    #[arg(long, value_name = "DECAY", default_value = "5e-4", value_parser = rate)]
    pub weight_decay: f64,

    /// Train α, the weight of the resized image against the crops
    ///
    /// α starts at 0.5 (Xia et al., Eq. 7).
    #[arg(long, conflicts_with = "alpha")]
    pub learn_alpha: bool,

    /// Peak learning rate of α; default: that of --lr, at which α hardly moves
    #[arg(long, value_name = "RATE", requires = "learn_alpha", value_parser = rate)]
    pub alpha_lr: Option<f64>,

    /// Number types of the computation
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = TrainingPrecision::F32)]
    pub precision: TrainingPrecision,

    /// Recompute activations in the backward pass: less memory, more time
    #[arg(long)]
    pub checkpointing: bool,

    /// Tower whose weights stay fixed
    #[arg(long, value_name = "TOWER", value_enum, default_value_t = Freeze::None)]
    pub freeze: Freeze,

    /// Number of checkpoints to keep
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = count)]
    pub keep: usize,

    /// Steps between checkpoints; default: one at the end of each epoch
    #[arg(long, value_name = "STEPS", value_parser = count)]
    pub checkpoint_every: Option<usize>,
}
