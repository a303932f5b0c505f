//! `trainer train`: resolves the flags to the settings of a run, and trains.

use anyhow::Result;
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::options::{Alpha, Options};
use tsp_mgs_core::preprocess::ViewPlan;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::decoded::DecodedSet;
use tsp_mgs_data::files::parent;
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_data::splits::Split;
use tsp_mgs_score::model::Model;
use tsp_mgs_score::options::TaskChoice;

use crate::args::{StartArgs, TrainArgs};
use crate::config::{InitialWeights, Optimiser, RunConfig, SplitConfig};
use crate::schedule::Schedule;
use crate::training_run::Run;

/// Trains a model as the flags say, or resumes the run in `args.out`.
///
/// # Errors
/// Fails before the training if a flag, the data set, a split or the weights are wrong. Fails during the training if
/// the loss is not finite or the folder cannot be written. The checkpoints stay then, and the same call resumes the
/// run.
///
/// # Examples
///
/// ```no_run
/// use clap::Parser;
/// use tsp_mgs_train::args::TrainArgs;
/// use tsp_mgs_train::run::run;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     train: TrainArgs,
/// }
///
/// let flags = "train --data AGIQA-3K --clip model.safetensors --task perception --out run";
/// run(&Cli::parse_from(flags.split(' ')).train)?;
/// # anyhow::Ok(())
/// ```
pub fn run(args: &TrainArgs) -> Result<()> {
    let (start, checkpoint) = open_start(&args.start, args.seed)?;
    let tasks = tasks(args, &checkpoint)?;
    let default_cache = || parent(&args.out).join("image-cache");
    let data = DecodedSet::open(&args.data, &tasks, &args.cache.clone().unwrap_or_else(default_cache))?;
    let split = data.split(&args.data, args.split.splits.as_deref(), args.split.split, args.seed)?;
    let config = resolve(args, start, tasks, &data, &split);
    let mut run = Run::open(args, config, checkpoint, data, split)?;
    run.train()?;
    run.finish()
}

/// Opens the weights that training starts from.
fn open_start(args: &StartArgs, seed: u64) -> Result<(InitialWeights, Checkpoint<'static>)> {
    if let Some(scratch) = args.scratch {
        let checkpoint = scratch.checkpoint(seed);
        let name = format!("new weights, {}", scratch.name());
        let activation = checkpoint.config().activation;
        return Ok((InitialWeights { name, sha256: format!("seed {seed}"), activation }, checkpoint));
    }
    let model = Model::open(&args.weights)?;
    let activation = model.checkpoint.config().activation;
    Ok((InitialWeights { name: model.name, sha256: model.sha256, activation }, model.checkpoint))
}

/// The options of the tasks to train. Options without a flag are the paper's.
fn tasks(args: &TrainArgs, checkpoint: &Checkpoint) -> Result<Vec<Options>> {
    let all = [Task::Perception, Task::Alignment].map(Options::default_for).to_vec();
    let mut tasks = args.options.apply(all)?;
    let is_both = args.options.task == Some(TaskChoice::Both);
    if !args.joint && (tasks.len() > 1 || is_both) {
        let text =
            "expected one task; pass --task perception or --task alignment, or --joint to train one model for both";
        return Err(UsageError::new(text).into());
    }
    for task in &mut tasks {
        if args.optimiser.learn_alpha {
            task.alpha = Alpha::Learned { learned: 0.0 };
        }
    }
    let side = checkpoint.config().vision.image_size as u32;
    let most = ViewPlan::max_crops(side);
    if args.optimiser.train_crops > most {
        let text = format!("--train-crops is {}, expected at most {most}", args.optimiser.train_crops);
        return Err(UsageError::new(text).into());
    }
    Ok(tasks)
}

fn resolve(
    args: &TrainArgs,
    start: InitialWeights,
    tasks: Vec<Options>,
    data: &DecodedSet,
    split: &Split,
) -> RunConfig {
    let optimiser = &args.optimiser;
    RunConfig {
        version: env!("CARGO_PKG_VERSION").into(),
        tasks,
        start,
        data_set: data.set.name.clone(),
        is_synthetic: data.set.is_synthetic,
        data_sha256: data.set.sha256.clone(),
        images_sha256: data.images_sha256.clone(),
        split: SplitConfig {
            lists: args.split.splits.clone(),
            number: args.split.split,
            sha256: split.sha256(&data.set.items),
            validation: args.split.validation,
        },
        seed: args.seed,
        epochs: optimiser.epochs,
        batch: optimiser.batch,
        train_crops: optimiser.train_crops,
        mirror: !optimiser.no_mirror,
        optimiser: Optimiser {
            schedule: Schedule { peak: optimiser.lr, period: optimiser.period, warm_up: optimiser.warm_up },
            weight_decay: optimiser.weight_decay,
            alpha_rate: optimiser.alpha_lr.unwrap_or(optimiser.lr),
            micro_batch: optimiser.micro_batch.unwrap_or(optimiser.batch),
            precision: optimiser.precision,
            checkpointing: optimiser.checkpointing,
            freeze: optimiser.freeze,
        },
    }
}
