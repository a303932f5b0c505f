//! `trainer synth`: the folder of a synthetic data set, its table and its images.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use csv::{Terminator, WriterBuilder};
use indicatif::{ProgressBar, ProgressStyle};
use tsp_mgs_data::dataset::agiqa_3k::HEADER;
use tsp_mgs_data::files::{remove_unfinished, write_whole};
use tsp_mgs_data::flags::positive;

use crate::draw::{Draw, Purpose};
use crate::plan::{self, Plan};
use crate::{defects, degrade, render};

/// JPEG quality of the files: as good as lossless for a person, at a quarter of the size.
const FILE_QUALITY: u8 = 93;

/// Counts up whenever the same seed would give other images, so that a folder holds one kind only.
const GENERATION: u32 = 2;

const TABLE: &str = "data.csv";
const README: &str = "README.txt";
const IMAGES: &str = "images";

/// Flags of `trainer synth`.
#[derive(Args, Clone, Debug)]
pub struct SynthArgs {
    /// Folder to write: data.csv, README.txt and images/
    ///
    /// It must be empty or not exist; a set that was interrupted is continued by the same command.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Number of images; eight share a prompt
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000), default_value_t = 4000)]
    pub images: u32,

    /// Another seed gives other images
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Number of threads; default: one a processor
    ///
    /// The images do not depend on it.
    #[arg(long, value_name = "COUNT", value_parser = positive::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,
}

/// Runs `trainer synth`.
///
/// # Errors
/// When the folder holds anything else, or cannot be written.
pub fn run(args: &SynthArgs) -> Result<()> {
    let out = args.out.as_path();
    let n_images = args.images as usize;
    let readme = readme(args);
    let plans: Vec<Plan> = (0..n_images).map(|index| plan::plan(args.seed, n_images, index)).collect();
    let table = table(&plans)?;
    claim(out, &readme)?;
    if fs::read(out.join(TABLE)).is_ok_and(|found| found == table) {
        println!("{} holds this synthetic set already: {n_images} images", out.display());
        return Ok(());
    }
    let images = out.join(IMAGES);
    fs::create_dir_all(&images).with_context(|| format!("creating {}", images.display()))?;
    remove_unfinished(&images)?;
    draw_all(args, &plans, &images)?;
    // Last, so that a table always has all of its images.
    write_whole(&out.join(TABLE), &table)?;
    println!("wrote {} ({n_images} synthetic images)", out.display());
    Ok(())
}

/// Makes the folder ours, or sees that it is.
fn claim(out: &Path, readme: &str) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let path = out.join(README);
    match fs::read_to_string(&path) {
        Ok(found) if found == readme => return remove_unfinished(out),
        Ok(_) => bail!(
            "{} says that the folder holds another data set; pass another --out, or the --images and --seed that it names",
            path.display()
        ),
        Err(_) => {}
    }
    remove_unfinished(out)?;
    let first = fs::read_dir(out).with_context(|| format!("reading {}", out.display()))?.next();
    if let Some(entry) = first {
        let name = entry.with_context(|| format!("reading {}", out.display()))?.file_name();
        bail!("{} is not empty (it holds {}); pass another --out", out.display(), name.display());
    }
    write_whole(&path, readme.as_bytes())
}

/// Draws the images that are not there yet.
fn draw_all(args: &SynthArgs, plans: &[Plan], images: &Path) -> Result<()> {
    let threads = match args.threads {
        Some(threads) => threads.get(),
        None => thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    // indicatif draws nothing when stderr is no terminal.
    let bar = ProgressBar::new(plans.len() as u64);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} images, {eta} left").expect("a constant"));
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(plan) = plans.get(index) else { return Ok(()) };
            let path = images.join(&plan.name);
            if !path.exists() {
                let written = image(args.seed, index, plan).and_then(|bytes| write_whole(&path, &bytes));
                // The other threads stop after the image they are at.
                written.inspect_err(|_| next.store(plans.len(), Ordering::Relaxed))?;
            }
            bar.inc(1);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a drawing thread died"))?);
        joined.collect::<Result<()>>()
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// Draws one image: a JPEG file's bytes.
fn image(seed: u64, index: usize, plan: &Plan) -> Result<Vec<u8>> {
    let mut draw = Draw::new(seed, Purpose::Pixels, index);
    let mut canvas = render::render(&plan.shown.scene, plan.prompt.style, plan.prompt.light, &mut draw);
    for &degradation in &plan.degradations {
        canvas = degrade::apply(canvas, degradation, &mut draw)?;
    }
    defects::jpeg(&canvas.to_bytes(), FILE_QUALITY)
}

/// The table, sorted by name as AGIQA-3K's is.
fn table(plans: &[Plan]) -> Result<Vec<u8>> {
    let mut sorted: Vec<&Plan> = plans.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for plan in sorted {
        let scores = [plan.quality.mos, plan.quality.std, plan.alignment.mos, plan.alignment.std];
        let scores = scores.map(|score| format!("{score:.6}"));
        // AGIQA-3K keeps styles in their own column, and other additions to the prompt in adj1 and adj2.
        let style = match plan.prompt.style.word() {
            "" => String::new(),
            word => format!("{word} style"),
        };
        let words = [&plan.name, &plan.prompt.text, plan.prompt.light.words(), "", &style];
        writer.write_record(words.into_iter().chain(scores.iter().map(String::as_str)))?;
    }
    writer.into_inner().context("writing a table to memory")
}

/// What the folder says about itself; also how a folder is recognised.
fn readme(args: &SynthArgs) -> String {
    let SynthArgs { images, seed, .. } = args;
    format!(
        "A SYNTHETIC data set in AGIQA-3K's layout, generation {GENERATION}.\n\
         \n\
         No person rated these images: drawn scenes are changed and degraded by known amounts, and scored by them.\n\
         Results on them say nothing about real images. Call them synthetic wherever their numbers appear.\n\
         \n\
         Made by: trainer synth --out DIR --images {images} --seed {seed}\n"
    )
}
