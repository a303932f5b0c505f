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

/// Flags of `trainer train`; the groups come last, as a group's heading holds for what follows it.
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    /// Folder of the run: made, or gone on with
    ///
    /// An interrupted run goes on where it was when the same command is given again.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Train one model for both tasks
    ///
    /// Not in the paper: the towers are shared, both losses are added, and a browser downloads one model
    /// instead of two.
    #[arg(long, conflicts_with = "task")]
    pub joint: bool,

    /// Decides everything that is drawn: splits, order, windows, mirroring, new weights
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// Where to compute: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Threads that prepare images; default: all but one
    #[arg(long, value_name = "N", value_parser = positive::<std::num::NonZeroUsize>)]
    pub workers: Option<std::num::NonZeroUsize>,

    /// Folder of decoded images, shared by runs; default: image-cache beside the run's folder
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Print nothing but the result
    #[arg(long, conflicts_with = "tui")]
    pub quiet: bool,

    /// Show loss, learning rate and each task's correlations above the progress bar
    #[arg(long)]
    pub tui: bool,

    /// Images, prompts and opinion scores
    #[command(flatten)]
    pub data: DataArgs,

    /// Which images train
    #[command(flatten)]
    pub split: SplitArgs,

    /// Weights to start from
    #[command(flatten)]
    pub start: StartArgs,

    /// How weights move
    #[command(flatten)]
    pub optimiser: OptimiserArgs,

    /// How scores are computed
    #[command(flatten)]
    pub options: OptionArgs,
}

/// Which images train and which judge.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Split")]
pub struct SplitArgs {
    /// Folder of split lists, N/train.csv and N/val.csv, as IPCE has them
    ///
    /// Without it, four fifths of the prompts are drawn for training from the seed: no prompt stands in
    /// both parts.
    #[arg(long, value_name = "DIR")]
    pub splits: Option<PathBuf>,

    /// Which split: the folder's number, or of the drawn ones the number from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub split: usize,

    /// Share of the training prompts that is held out to choose an epoch
    ///
    /// The honest protocol then takes the best epoch on this part instead of the last one.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub validation: f64,
}

/// The weights that training starts from.
#[derive(Clone, Debug, Args)]
#[group(id = "start", required = true, multiple = true, args = ["clip", "model", "scratch"])]
pub struct StartArgs {
    /// Files of weights
    #[command(flatten)]
    pub weights: ModelArgs,

    /// New random weights of these sizes instead
    #[arg(long, value_name = "SIZES", value_enum, conflicts_with_all = ["clip", "model"], help_heading = "Model")]
    pub scratch: Option<Scratch>,
}

/// How weights move; the defaults are the paper's (§4.1), or IPCE's where it is silent.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Training (the paper's, where not given)")]
pub struct OptimiserArgs {
    /// Times that every training image is seen
    #[arg(long, value_name = "EPOCHS", default_value_t = EPOCHS, value_parser = count)]
    pub epochs: usize,

    /// Images in a step
    #[arg(long, value_name = "IMAGES", default_value_t = BATCH, value_parser = count)]
    pub batch: usize,

    /// Images whose gradients are computed at once; default: the whole batch
    ///
    /// Fewer need less memory and give the same step, up to rounding.
    #[arg(long, value_name = "IMAGES", value_parser = count)]
    pub micro_batch: Option<usize>,

    /// Windows of an image in a step, drawn anew each time
    #[arg(long, value_name = "N", default_value_t = TRAIN_CROPS, value_parser = count)]
    pub train_crops: usize,

    /// Never mirror images; by default each is, with probability one half
    #[arg(long)]
    pub no_mirror: bool,

    /// Highest learning rate
    #[arg(long, value_name = "RATE", default_value = LEARNING_RATE_TEXT, value_parser = rate)]
    pub lr: f64,

    /// Epochs in which the rate falls to 0 along a cosine, and then rises again
    #[arg(long, value_name = "EPOCHS", default_value_t = 5, value_parser = count)]
    pub period: usize,

    /// Steps at the start over which the rate rises to its highest
    ///
    /// New weights need some; a trained CLIP needs none.
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    pub warm_up: usize,

    /// Decoupled weight decay of every tensor
    #[arg(long, value_name = "DECAY", default_value = "5e-4", value_parser = rate)]
    pub weight_decay: f64,

    /// Learn the weight of the whole image against its crops, starting from one half
    #[arg(long, conflicts_with = "alpha")]
    pub learn_alpha: bool,

    /// Learning rate of that weight; default: that of the others, at which it hardly moves
    #[arg(long, value_name = "RATE", requires = "learn_alpha", value_parser = rate)]
    pub alpha_lr: Option<f64>,

    /// Element types
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = TrainingPrecision::F32)]
    pub precision: TrainingPrecision,

    /// Compute activations again in the backward pass: less memory, more time
    #[arg(long)]
    pub checkpointing: bool,

    /// A tower to leave as it is
    #[arg(long, value_name = "TOWER", value_enum, default_value_t = Freeze::None)]
    pub freeze: Freeze,

    /// Checkpoints to keep
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = count)]
    pub keep: usize,

    /// Steps between checkpoints within an epoch; default: only at its end
    #[arg(long, value_name = "STEPS", value_parser = count)]
    pub checkpoint_every: Option<usize>,
}
