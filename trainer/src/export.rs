//! `trainer export`: a model as a bundle.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use tsp_mgs_core::bundle::{MANIFEST, Manifest, Provenance, ScoreDifference, Shard, WeightType, sha256, write_shards};
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::{PREPROCESS_ID, decode, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{ImageScore, WITHOUT_TEXT};
use tsp_mgs_core::scorer::{Input, PromptFeatures};

use crate::cli::{ExportArgs, task_name};
use crate::model::Model;
use crate::score::score_batch;

macro_rules! sample {
    ($image:literal, $prompt:literal) => {
        (
            include_bytes!(concat!("../../www/samples/", $image)).as_slice(),
            include_str!(concat!("../../www/samples/", $prompt)),
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

/// Runs `trainer export`.
///
/// # Errors
/// For wrong flags, an unreadable model, or a folder that cannot be written; then nothing is left behind.
pub fn run(args: &ExportArgs) -> Result<()> {
    check_target(&args.out, args.overwrite)?;
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
    let named = shards.iter().enumerate().map(|(i, bytes)| Shard {
        name: format!("weights-{:02}.safetensors", i + 1),
        size: bytes.len(),
        sha256: sha256(bytes),
    });
    let (format, version) = Manifest::current_format();
    let mut manifest = Manifest {
        format,
        version,
        name: args.name.clone().unwrap_or_else(|| model.name.clone()),
        warning: model.warning.clone(),
        tasks: tasks.iter().map(|options| (options.task(), options.clone())).collect(),
        clip,
        preprocess: PREPROCESS_ID.into(),
        dtype: args.dtype,
        score_difference: BTreeMap::new(),
        provenance: Provenance {
            source: model.name.clone(),
            sha256: model.sha256.clone(),
            exporter: concat!("trainer ", env!("CARGO_PKG_VERSION")).into(),
        },
        shards: named.collect(),
    };

    // Everything goes into a folder beside the target, which then takes its place in one step.
    let parent = parent(&args.out);
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".tsp-mgs-export-")
        .tempdir_in(parent)
        .with_context(|| format!("writing into {}", parent.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        fs::write(staging.path().join(name), bytes)
            .with_context(|| format!("writing {name} for {}", args.out.display()))
    };
    for (shard, bytes) in manifest.shards.iter().zip(&shards) {
        write(&shard.name, bytes)?;
    }
    write(MANIFEST, manifest.to_json().as_bytes())?;

    // Measured on the files as written: what a user of the bundle gets.
    eprintln!("measuring the score difference on {} images", SAMPLES.len());
    let exported = Model::open_bundle(staging.path()).context("reading the bundle back")?;
    manifest.score_difference =
        differences(&score_samples(&model, &source_tasks)?, &score_samples(&exported, &exported.tasks)?);
    write(MANIFEST, manifest.to_json().as_bytes())?;
    put_in_place(&staging.keep(), &args.out)?;

    let mut out = io::stdout().lock();
    let mut report = || -> io::Result<()> {
        for (task, ScoreDifference { images, mean, max }) in &manifest.score_difference {
            let task = task_name(*task);
            writeln!(out, "{task}: scores differ by {mean:.4} on average, {max:.4} at most, over {images} images")?;
        }
        let (shards, megabytes) = (manifest.shards.len(), manifest.total_bytes() as f64 / 1e6);
        writeln!(out, "wrote {} ({shards} shards, {megabytes:.1} MB)", args.out.display())
    };
    report().context("writing to standard output")
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
    let features = model.scorer(vec![options.clone()], &device)?.level_features(options)?;
    let features = features.try_into_data().context("reading prompt features")?;
    let values = features.try_to_vec::<f32>().context("reading prompt features")?;
    Ok(PromptFeatures { prompts: options.prompts, values })
}

fn score_samples(model: &Model, tasks: &[Options]) -> Result<Vec<ImageScore>> {
    let mut scorer = model.scorer(tasks.to_vec(), &Device::flex())?;
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
fn check_target(out: &Path, overwrite: bool) -> Result<()> {
    if fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    let manifest = fs::read(out.join(MANIFEST)).ok().and_then(|json| Manifest::parse(&json).ok());
    let Some(manifest) = manifest else {
        bail!("{} exists and is no model bundle; pass another --out", out.display());
    };
    if !overwrite {
        bail!("{} exists; pass --overwrite to replace the bundle, or another --out", out.display());
    }
    for entry in fs::read_dir(out).with_context(|| format!("reading {}", out.display()))? {
        let name = entry.with_context(|| format!("reading {}", out.display()))?.file_name();
        if name != MANIFEST && !manifest.shards.iter().any(|shard| name == shard.name.as_str()) {
            let (out, name) = (out.display(), name.display());
            bail!(
                "{out} holds {name}, which is no part of its bundle and would be lost; move it, or pass another --out"
            );
        }
    }
    Ok(())
}

/// Moves the finished folder to its place; an earlier bundle is removed only once the new one stands there.
fn put_in_place(staged: &Path, out: &Path) -> Result<()> {
    let moved = || -> io::Result<()> {
        make_readable(staged)?;
        if !out.exists() {
            return fs::rename(staged, out);
        }
        let old = tempfile::Builder::new().prefix(".tsp-mgs-replaced-").tempdir_in(parent(out))?.keep();
        fs::rename(out, old.join("bundle"))?;
        if let Err(error) = fs::rename(staged, out) {
            fs::rename(old.join("bundle"), out)?;
            fs::remove_dir(&old)?;
            return Err(error);
        }
        fs::remove_dir_all(&old)
    };
    moved().inspect_err(|_| drop(fs::remove_dir_all(staged))).with_context(|| format!("writing {}", out.display()))
}

/// A temporary folder is for its owner alone; a bundle is to be served.
#[cfg(unix)]
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> io::Result<()> {
    Ok(())
}

fn parent(out: &Path) -> &Path {
    match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn dtype_name(dtype: WeightType) -> &'static str {
    match dtype {
        WeightType::F32 => "32-bit floats",
        WeightType::F16 => "16-bit floats",
        WeightType::Q8 => "8-bit integers",
    }
}
