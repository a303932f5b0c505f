//! `trainer export`: writes a model as a bundle.

mod folder;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::Args;
use tsp_mgs_core::bundle::{MANIFEST, Manifest, Provenance, ScoreDifference, Shard, WeightType, sha256, write_shards};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::{PREPROCESS_ID, decode, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{ImageScore, WITHOUT_TEXT};
use tsp_mgs_core::scorer::{ImageTower, Input, PromptFeatures};
use tsp_mgs_data::files::put_in_place;

use crate::batching::score_batch;
use crate::hub::card;
use crate::model::{Model, ModelArgs};
use crate::options::{OptionArgs, named};
use folder::{stage, write_into};

macro_rules! sample {
    ($image:literal, $prompt:literal) => {
        (
            include_bytes!(concat!("../../../www/samples/", $image)).as_slice(),
            include_str!(concat!("../../../www/samples/", $prompt)),
        )
    };
}

/// The images and prompts on which the score difference is measured. `www/samples/README.md` has their sources.
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
    /// Compared with f32, f16 halves the size and q8 quarters it. The effect on scores is measured and printed.
    #[arg(long, value_name = "TYPE", value_parser = named::<WeightType>(&["f32", "f16", "q8"]), default_value = "f16")]
    pub dtype: WeightType,

    /// Omit the text tower: the bundle scores perception only, without the words of the prompt
    #[arg(long)]
    pub vision_only: bool,

    /// Name of the model; default: the name of its file or bundle
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Folder to write, which must not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Replace the bundle in the folder, and its model card
    #[arg(long)]
    pub overwrite: bool,

    /// Also write a model card, so that the folder can be uploaded to the Hugging Face Hub
    ///
    /// The card is the file README.md. It describes what the model scores, its options, the source of its weights and
    /// its use.
    #[arg(long)]
    pub push_ready: bool,

    /// Licence of the weights in the model card, as an identifier of the hub: mit, apache-2.0, cc-by-nc-4.0
    ///
    /// Default: the licence that `trainer models` lists for the weights.
    #[arg(long, value_name = "ID", requires = "push_ready", value_parser = parse_license)]
    pub license: Option<String>,

    /// The weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// The options of a score
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
/// Returns an error for wrong flags, a model that cannot be read, or a folder that cannot be written. No partial bundle
/// is left behind.
pub fn run(args: &ExportArgs) -> Result<()> {
    folder::check(args)?;
    let model = Model::open(&args.model)?;
    let mut tasks = args.options.apply(model.tasks.clone())?;
    let source_tasks = tasks.clone();
    let prompt_features = match &model.prompt_features {
        Some(features) => Some(features.clone()),
        None if args.vision_only => Some(encode_prompts(&model, &mut tasks)?),
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

    // The difference is measured on the written files, which are what a user of the bundle reads.
    eprintln!("measuring the score difference on {} images", SAMPLES.len());
    let exported = Model::open_bundle(staging.path()).context("reading the bundle back")?;
    manifest.score_difference =
        differences(&score_samples(&model, &source_tasks)?, &score_samples(&exported, &exported.tasks)?);
    write_into(staging.path(), MANIFEST, manifest.to_json().as_bytes())?;
    if args.push_ready {
        let license = args.license.as_deref().or_else(|| card::license(&manifest));
        if license.is_none() {
            eprintln!(
                "note: the model card has no licence, which the hub shows and filters by; pass --license to add it"
            );
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

/// Writes a model in training as a bundle of 32-bit floats. An existing bundle is replaced.
///
/// # Errors
/// Returns an error if the folder cannot be written. An existing bundle is kept in this case.
pub fn write_trained(out: &Path, model: &TrainedModel) -> Result<()> {
    let clip = model.checkpoint.config();
    let shards = write_shards(model.checkpoint, clip, WeightType::F32, None);
    let warning = model.warning.map(str::to_owned);
    let mut manifest = manifest(model.name.into(), warning, model.tasks, clip.clone(), WeightType::F32, &shards);
    manifest.provenance.source = model.source.into();
    manifest.provenance.sha256 = model.source_sha256.into();
    let staging = stage(out, &manifest, &shards)?;
    put_in_place(&staging.keep(), out)
}

/// A model in training, and its source.
pub struct TrainedModel<'a> {
    /// All parameters of the model.
    pub checkpoint: &'a Checkpoint<'a>,
    /// The options of each task that the model scores.
    pub tasks: &'a [Options],
    /// The name of the model, to be shown.
    pub name: &'a str,
    /// A warning to show with every result.
    pub warning: Option<&'a str>,
    /// The source of the weights from which training started.
    pub source: &'a str,
    /// The SHA-256 of these weights in hexadecimal.
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
        tasks: tasks.iter().map(|options| (options.task, options.clone())).collect(),
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

/// Encodes the task-specific prompts of a bundle without a text tower.
///
/// Reduces `tasks` to perception without the words of the prompt, which is all that such a bundle can score.
fn encode_prompts(model: &Model, tasks: &mut Vec<Options>) -> Result<PromptFeatures> {
    tasks.retain(|options| options.task == Task::Perception);
    let [options] = tasks.as_mut_slice() else {
        bail!("a bundle with --vision-only scores perception only, and this model does not score perception");
    };
    if options.prompts.contain_prompt() {
        let levels = options.prompts.levels().join("/");
        bail!("the texts of the levels {levels} contain the prompt, which a bundle with --vision-only cannot encode");
    }
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

fn dtype_name(dtype: WeightType) -> &'static str {
    match dtype {
        WeightType::F32 => "32-bit floats",
        WeightType::F16 => "16-bit floats",
        WeightType::Q8 => "8-bit integers",
    }
}
