//! `trainer export`: a model as a bundle.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::Args;
use tempfile::TempDir;
use tsp_mgs_core::bundle::{MANIFEST, Manifest, Provenance, ScoreDifference, Shard, WeightType, sha256, write_shards};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::{PREPROCESS_ID, decode, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{ImageScore, WITHOUT_TEXT};
use tsp_mgs_core::scorer::{ImageTower, Input, PromptFeatures};
use tsp_mgs_data::files::{parent, put_in_place, unfinished_folder, write_flushed};

use crate::batching::score_batch;
use crate::hub::card;
use crate::model::{Model, ModelArgs};
use crate::options::{OptionArgs, named};

macro_rules! sample {
    ($image:literal, $prompt:literal) => {
        (
            include_bytes!(concat!("../../../www/samples/", $image)).as_slice(),
            include_str!(concat!("../../../www/samples/", $prompt)),
        )
    };
}

/// Images that the score difference is measured on, with their prompts; see `www/samples/README.md`.
const SAMPLES: [(&[u8], &str); 4] = [
    sample!("astronaut.jpg", "astronaut.txt"),
    sample!("cat.jpg", "cat.txt"),
    sample!("cat_degraded.jpg", "cat_degraded.txt"),
    sample!("coffee.jpg", "coffee.txt"),
];

/// Flags of `trainer export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Element type of the weights
    ///
    /// f16 halves the download, q8 quarters it; the score difference is measured and printed.
    #[arg(long, value_name = "TYPE", value_parser = named::<WeightType>(&["f32", "f16", "q8"]), default_value = "f16")]
    pub dtype: WeightType,

    /// Leave the text tower out: perception only, without the words of the prompt
    #[arg(long)]
    pub vision_only: bool,

    /// The model's name; default: the name of its file or bundle
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Folder to write; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Replace the bundle that stands in the folder, and its model card
    #[arg(long)]
    pub overwrite: bool,

    /// Also write a model card, so that the folder can be uploaded to the Hugging Face Hub as it is
    ///
    /// The card is README.md: what the model scores, how, where its weights come from, and how to use it.
    #[arg(long)]
    pub push_ready: bool,

    /// Licence of the weights in the model card, as the hub spells it: mit, apache-2.0, cc-by-nc-4.0
    ///
    /// Default: that of the weights, where `trainer models` knows it.
    #[arg(long, value_name = "ID", requires = "push_ready", value_parser = parse_license)]
    pub license: Option<String>,

    /// Which weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// How to score
    #[command(flatten)]
    pub options: OptionArgs,
}

fn parse_license(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let is_id = !text.is_empty() && text.chars().all(is_plain);
    if is_id { Ok(text.to_owned()) } else { Err("expected an identifier such as mit, apache-2.0 or cc-by-nc-4.0") }
}

/// Runs `trainer export`.
///
/// # Errors
/// For wrong flags, an unreadable model, or a folder that cannot be written; then nothing is left behind.
pub fn run(args: &ExportArgs) -> Result<()> {
    check_target(args)?;
    let model = Model::open(&args.model)?;
    let mut tasks = args.options.apply(model.tasks.clone())?;
    let source_tasks = tasks.clone();
    let prompt_features = match &model.prompt_features {
        Some(features) => Some(features.clone()),
        None if args.vision_only => Some(leave_text_out(&model, &mut tasks)?),
        None => None,
    };
    let mut clip = model.checkpoint.config().clone();
    if prompt_features.is_some() {
        clip.text = None;
    }

    eprintln!("writing weights as {}", dtype_name(args.dtype));
    let shards = write_shards(&model.checkpoint, &clip, args.dtype, prompt_features.as_ref());
    let name = args.name.clone().unwrap_or_else(|| model.name.clone());
    let mut manifest = manifest(name, model.warning.clone(), &tasks, clip, args.dtype, &shards);
    manifest.provenance.source = model.source();
    manifest.provenance.sha256 = model.sha256.clone();
    let staging = stage(&args.out, &manifest, &shards)?;

    // Measured on the files as written: what a user of the bundle gets.
    eprintln!("measuring the score difference on {} images", SAMPLES.len());
    let exported = Model::open_bundle(staging.path()).context("reading the bundle back")?;
    manifest.score_difference =
        differences(&score_samples(&model, &source_tasks)?, &score_samples(&exported, &exported.tasks)?);
    write_into(staging.path(), MANIFEST, manifest.to_json().as_bytes())?;
    if args.push_ready {
        let license = args.license.as_deref().or_else(|| card::license(&manifest));
        if license.is_none() {
            eprintln!("note: the model card names no licence; pass --license, which the hub's pages and filters show");
        }
        write_into(staging.path(), card::FILE, card::write(&manifest, license).as_bytes())?;
    }
    put_in_place(&staging.keep(), &args.out)?;

    let mut out = io::stdout().lock();
    let mut report = || -> io::Result<()> {
        for (task, ScoreDifference { images, mean, max }) in &manifest.score_difference {
            let task = task.name();
            writeln!(out, "{task}: scores differ by {mean:.4} on average, {max:.4} at most, over {images} images")?;
        }
        let (shards, megabytes) = (manifest.shards.len(), manifest.total_bytes() as f64 / 1e6);
        let out_folder = args.out.display();
        if args.push_ready {
            writeln!(out, "upload it with: hf upload ORG/NAME {out_folder}")?;
        }
        writeln!(out, "wrote {out_folder} ({shards} shards, {megabytes:.1} MB)")
    };
    report().context("writing to standard output")
}

/// Writes a model in training as a bundle of 32-bit floats; an earlier one is replaced.
///
/// # Errors
/// When the folder cannot be written; then an earlier bundle stays.
pub fn write_trained(out: &Path, model: &Trained) -> Result<()> {
    let clip = model.checkpoint.config();
    let shards = write_shards(model.checkpoint, clip, WeightType::F32, None);
    let warning = model.warning.map(str::to_owned);
    let mut manifest = manifest(model.name.into(), warning, model.tasks, clip.clone(), WeightType::F32, &shards);
    manifest.provenance.source = model.source.into();
    manifest.provenance.sha256 = model.source_sha256.into();
    let staging = stage(out, &manifest, &shards)?;
    put_in_place(&staging.keep(), out)
}

/// A model in training, and where it comes from.
pub struct Trained<'a> {
    /// Its weights.
    pub checkpoint: &'a Checkpoint<'a>,
    /// What it scores.
    pub tasks: &'a [Options],
    /// For people.
    pub name: &'a str,
    /// What every result must say.
    pub warning: Option<&'a str>,
    /// The weights that training started from.
    pub source: &'a str,
    /// Their SHA-256.
    pub source_sha256: &'a str,
}

fn manifest(
    name: String,
    warning: Option<String>,
    tasks: &[Options],
    clip: ClipConfig,
    dtype: WeightType,
    shards: &[Vec<u8>],
) -> Manifest {
    let named = shards.iter().enumerate().map(|(i, bytes)| Shard {
        name: format!("weights-{:02}.safetensors", i + 1),
        size: bytes.len(),
        sha256: sha256(bytes),
    });
    let (format, version) = Manifest::current_format();
    Manifest {
        format,
        version,
        name,
        warning,
        tasks: tasks.iter().map(|options| (options.task(), options.clone())).collect(),
        clip,
        preprocess: PREPROCESS_ID.into(),
        dtype,
        score_difference: BTreeMap::new(),
        provenance: Provenance {
            source: String::new(),
            sha256: String::new(),
            exporter: concat!("trainer ", env!("CARGO_PKG_VERSION")).into(),
        },
        shards: named.collect(),
    }
}

/// Writes a bundle into a folder beside its place, which it then takes in one step.
fn stage(out: &Path, manifest: &Manifest, shards: &[Vec<u8>]) -> Result<TempDir> {
    let staging = unfinished_folder(parent(out))?;
    for (shard, bytes) in manifest.shards.iter().zip(shards) {
        write_into(staging.path(), &shard.name, bytes)?;
    }
    write_into(staging.path(), MANIFEST, manifest.to_json().as_bytes())?;
    Ok(staging)
}

fn write_into(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    write_flushed(&folder.join(name), bytes).with_context(|| format!("writing {name} into {}", folder.display()))
}

/// Prepares a model without text tower: perception alone, without words, its prompts encoded beforehand.
fn leave_text_out(model: &Model, tasks: &mut Vec<Options>) -> Result<PromptFeatures> {
    tasks.retain(|options| options.task() == Task::Perception);
    let [options] = tasks.as_mut_slice() else {
        bail!("--vision-only leaves perception alone, which this model does not score");
    };
    options.fine = false;
    eprintln!("note: {WITHOUT_TEXT}");
    let device = Device::flex();
    let features = model.scorer(vec![options.clone()], ImageTower::default(), &device)?.level_features(options)?;
    let features = features.try_into_data().context("reading prompt features")?;
    let values = features.try_to_vec::<f32>().context("reading prompt features")?;
    Ok(PromptFeatures { prompts: options.prompts, values })
}

fn score_samples(model: &Model, tasks: &[Options]) -> Result<Vec<ImageScore>> {
    let mut scorer = model.scorer(tasks.to_vec(), ImageTower::default(), &Device::flex())?;
    let score = |&(image, prompt): &(&[u8], &str)| {
        let views = views(&decode(image)?, scorer.view_plan())?;
        Ok(score_batch(&mut scorer, &[Input { views: &views, prompt: Some(prompt.trim()) }])?.remove(0))
    };
    SAMPLES.iter().map(score).collect()
}

fn differences(before: &[ImageScore], after: &[ImageScore]) -> BTreeMap<Task, ScoreDifference> {
    let mut differences = BTreeMap::<Task, ScoreDifference>::new();
    for (before, after) in before.iter().zip(after) {
        let tasks = [
            (Task::Perception, &before.perception, &after.perception),
            (Task::Alignment, &before.alignment, &after.alignment),
        ];
        for (task, before, after) in tasks {
            if let (Some(before), Some(after)) = (before, after) {
                let difference = f64::from((before.score - after.score).abs());
                let entry = differences.entry(task).or_default();
                entry.images += 1;
                entry.mean += (difference - entry.mean) / entry.images as f64;
                entry.max = entry.max.max(difference);
            }
        }
    }
    differences
}

/// Refuses to touch anything that is not an earlier bundle and nothing else, before any work is done.
fn check_target(args: &ExportArgs) -> Result<()> {
    let out = args.out.as_path();
    if fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    let manifest = fs::read(out.join(MANIFEST)).ok().and_then(|json| Manifest::parse(&json).ok());
    let Some(manifest) = manifest else {
        bail!("{} exists and is no model bundle; pass another --out", out.display());
    };
    if !args.overwrite {
        bail!("{} exists; pass --overwrite to replace the bundle, or another --out", out.display());
    }
    for entry in fs::read_dir(out).with_context(|| format!("reading {}", out.display()))? {
        let name = entry.with_context(|| format!("reading {}", out.display()))?.file_name();
        let is_replaced = name == MANIFEST || (args.push_ready && name == card::FILE);
        if !is_replaced && !manifest.shards.iter().any(|shard| name == shard.name.as_str()) {
            let (out, name) = (out.display(), name.display());
            bail!(
                "{out} holds {name}, which is no part of its bundle and would be lost; move it, or pass another --out"
            );
        }
    }
    Ok(())
}

fn dtype_name(dtype: WeightType) -> &'static str {
    match dtype {
        WeightType::F32 => "32-bit floats",
        WeightType::F16 => "16-bit floats",
        WeightType::Q8 => "8-bit integers",
    }
}
