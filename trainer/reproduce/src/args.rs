//! Flags of `trainer reproduce`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::options::DEFAULT_CROPS;
use tsp_mgs_data::flags::{UsageError, count, positive, rate, share};
use tsp_mgs_score::device::DeviceChoice;
use tsp_mgs_train::config::TrainingPrecision;
use tsp_mgs_train::paper_settings::{BATCH, EPOCHS, LEARNING_RATE, LEARNING_RATE_TEXT, REPEATS, TRAIN_CROPS};

/// Flags of `trainer reproduce`.
#[derive(Clone, Debug, Args)]
pub struct ReproduceArgs {
    /// Table or figure of the paper
    #[arg(value_name = "EXPERIMENT", value_enum)]
    pub experiment: ExperimentChoice,

    /// Folder of the data sets: AGIQA-1K for table2, AGIQA-3K for all others
    ///
    /// A data set is recognised by its table, in this folder or in a folder directly below it.
    #[arg(long, value_name = "ROOT")]
    pub data: PathBuf,

    /// Initial CLIP weights; the paper's are openai/clip-vit-base-patch32
    ///
    /// A file, a folder, or the name of a model, as for `trainer train`.
    #[arg(long, value_name = "FILE|NAME")]
    pub clip: PathBuf,

    /// Activation of a --clip file: quick_gelu (OpenAI, default) or gelu (most of LAION's)
    #[arg(long, value_name = "NAME", value_parser = parse_activation)]
    pub activation: Option<Activation>,

    /// Folder of split lists in IPCE's layout; default: the folder splits of each data set
    ///
    /// It holds the folders 1, 2 and so on with train.csv and val.csv, or a folder AGIQA-3K or AGIQA-1K with these
    /// folders. Without lists, the splits are drawn from the seed.
    #[arg(long, value_name = "DIR")]
    pub splits: Option<PathBuf>,

    /// Folder of the results and of the runs; the same command resumes them
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Number of jobs that run at the same time; default: one per device
    #[arg(long, value_name = "N", value_parser = positive::<std::num::NonZeroUsize>)]
    pub jobs: Option<std::num::NonZeroUsize>,

    /// NVIDIA GPUs by number; 0,1 alternates between two
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub devices: Vec<usize>,

    /// Device, if --devices is not given: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = parse_device, conflicts_with = "devices")]
    pub device: String,

    /// Number of splits to train and test on
    #[arg(long, value_name = "N", default_value_t = REPEATS, value_parser = count)]
    pub repeats: usize,

    /// Seed of all random choices: splits without lists, order, crops, mirroring
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// Also train IPCE: adverb prompts, no words, mean of image and crops
    #[arg(long)]
    pub baselines: bool,

    /// Keep the weights of every run, for both protocols
    ///
    /// They are 1.2 GB a run for ViT-B/32. The default keeps reports and logs only. Checkpoints are removed when a run
    /// is finished.
    #[arg(long)]
    pub keep_models: bool,

    /// Skip wrong rows and images of AGIQA-3K
    ///
    /// Those of AGIQA-1K are always skipped, because its table has one name with two scores.
    #[arg(long)]
    pub skip_bad: bool,

    /// Cache of decoded images, shared by all jobs; default: image-cache in --out
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Print the names of the jobs, one per line, and run none
    #[arg(long, conflicts_with = "only")]
    pub list: bool,

    /// Run one job and write no table
    ///
    /// This is for a scheduler that distributes the jobs of --list over machines that share --out. Afterwards the
    /// command without this flag finds the jobs finished, and writes the tables.
    #[arg(long, value_name = "JOB")]
    pub only: Option<String>,

    /// Changes of the training
    #[command(flatten)]
    pub training: TrainingArgs,
}

/// Settings in which the training may differ from the paper's. Each result lists the differences.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Training (defaults: the paper's settings; results list differences)")]
pub struct TrainingArgs {
    /// Passes over the training images
    #[arg(long, value_name = "EPOCHS", default_value_t = EPOCHS, value_parser = count)]
    pub epochs: usize,

    /// Images of a step
    #[arg(long, value_name = "IMAGES", default_value_t = BATCH, value_parser = count)]
    pub batch: usize,

    /// Images whose gradients are computed at once; default: the whole batch
    #[arg(long, value_name = "IMAGES", value_parser = count)]
    pub micro_batch: Option<usize>,

    /// Crops of an image in a step
    #[arg(long, value_name = "N", default_value_t = TRAIN_CROPS, value_parser = count)]
    pub train_crops: usize,

    /// Crops of an image for scoring
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CROPS, value_parser = count)]
    pub crops: usize,

    /// Peak learning rate
    #[arg(long, value_name = "RATE", default_value = LEARNING_RATE_TEXT, value_parser = rate)]
    pub lr: f64,

    /// Number types of the computation
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = TrainingPrecision::F32)]
    pub precision: TrainingPrecision,

    /// Recompute activations in the backward pass: less memory, more time
    #[arg(long)]
    pub checkpointing: bool,

    /// Share of the training prompts held out to choose the honest protocol's epoch
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub validation: f64,
}

/// A table or figure of the paper, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum ExperimentChoice {
    /// Perception on AGIQA-1K
    Table2,
    /// Perception on AGIQA-3K
    Table3,
    /// Alignment on AGIQA-3K
    Table4,
    /// Prompts and inputs
    Table5,
    /// With and without the prompt of the image
    Fig5,
    /// The resized image, its crops, or both
    Fig6,
    /// The weight α
    Fig7,
    /// All tables and figures
    All,
}

impl ExperimentChoice {
    /// Whether the choice includes the experiment `id` of `paper.json`.
    pub fn includes(self, id: &str) -> bool {
        self == Self::All || self.to_possible_value().is_some_and(|value| value.get_name() == id)
    }
}

impl ReproduceArgs {
    /// The device of each job that runs at the same time, as `trainer train --device` takes it.
    ///
    /// # Errors
    /// Fails if NVIDIA GPUs are given and the program was built without CUDA.
    pub fn slots(&self) -> Result<Vec<String>, UsageError> {
        if !self.devices.is_empty() && !cfg!(feature = "cuda") {
            let text = "--devices needs CUDA, but this program was built without it; build it with `cargo build --release \
                        --features cuda`, or pass --device";
            return Err(UsageError::new(text));
        }
        let devices: Vec<String> = match self.devices.as_slice() {
            [] => vec![self.device.clone()],
            numbers => numbers.iter().map(|number| format!("cuda:{number}")).collect(),
        };
        let jobs = self.jobs.map_or(devices.len(), std::num::NonZeroUsize::get);
        Ok(devices.into_iter().cycle().take(jobs).collect())
    }

    /// Descriptions of all settings that differ from the paper's.
    pub fn differences(&self) -> Vec<String> {
        let training = &self.training;
        let mut found = Vec::new();
        let mut number = |what: &str, is: usize, paper: usize| {
            if is != paper {
                found.push(format!("{what} {is} instead of {paper}"));
            }
        };
        number("splits", self.repeats, REPEATS);
        number("epochs", training.epochs, EPOCHS);
        number("batch", training.batch, BATCH);
        number("crops in training", training.train_crops, TRAIN_CROPS);
        number("crops in scoring", training.crops, DEFAULT_CROPS);
        if training.lr != LEARNING_RATE {
            found.push(format!("learning rate {:e} instead of {LEARNING_RATE:e}", training.lr));
        }
        if training.precision != TrainingPrecision::F32 {
            let name = precision_name(training.precision);
            found.push(format!("precision {name} instead of f32"));
        }
        if training.validation != 0.0 {
            found.push(format!(
                "a share of {} of the training prompts held out to choose an epoch",
                training.validation
            ));
        }
        if let Some(images) = training.micro_batch.filter(|&images| images < training.batch) {
            found.push(format!("gradients of {images} images at once, which changes rounding only"));
        }
        found
    }
}

/// The value of `--precision` on the command line.
pub fn precision_name(precision: TrainingPrecision) -> String {
    precision.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn parse_device(text: &str) -> Result<String, String> {
    text.parse::<DeviceChoice>().map(|_| text.to_owned())
}

fn parse_activation(text: &str) -> Result<Activation, String> {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let name: StrDeserializer<Error> = text.into_deserializer();
    Activation::deserialize(name).map_err(|_| "expected quick_gelu or gelu".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        args: ReproduceArgs,
    }

    fn parse(flags: &[&str]) -> ReproduceArgs {
        let required = ["trainer", "fig7", "--data", "a", "--clip", "b", "--out", "c"];
        Flags::try_parse_from(required.iter().chain(flags)).unwrap_or_else(|error| panic!("{error}")).args
    }

    #[test]
    fn without_flags_nothing_differs_from_the_paper_and_one_job_runs_at_a_time() {
        let args = parse(&[]);
        assert_eq!((args.differences(), args.slots().expect("no GPU is named")), (vec![], vec!["auto".to_owned()]));
    }

    #[test]
    fn jobs_share_a_device_and_differences_are_listed() {
        let args = parse(&["--device", "cpu", "--jobs", "3", "--lr", "1e-5", "--micro-batch", "4"]);
        assert_eq!(args.slots().expect("no GPU is named"), ["cpu"; 3]);
        let expected =
            ["learning rate 1e-5 instead of 5e-6", "gradients of 4 images at once, which changes rounding only"];
        assert_eq!(args.differences(), expected);
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn gpus_take_turns() {
        let slots = |flags: &[&str]| parse(flags).slots().expect("CUDA is built in");
        assert_eq!(slots(&["--devices", "0,1"]), ["cuda:0", "cuda:1"]);
        assert_eq!(slots(&["--devices", "0,1", "--jobs", "3"]), ["cuda:0", "cuda:1", "cuda:0"]);
    }

    #[test]
    fn a_name_includes_itself_and_all_includes_everything() {
        assert!(
            ExperimentChoice::Fig7.includes("fig7")
                && ExperimentChoice::All.includes("table2")
                && !ExperimentChoice::Fig7.includes("fig5")
        );
    }
}
