//! `trainer synth`: writes the folder of a synthetic data set, with its table and its images.

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

use crate::plan::{self, Plan};
use crate::random::{Purpose, RandomStream};
use crate::{defects, degrade, render};

/// JPEG quality of the files. People see no difference from lossless files, which are four times as large.
const FILE_QUALITY: u8 = 93;

/// Version of the images of a seed. It changes when the same seed gives other images, so that a folder never mixes two
/// versions.
const GENERATION: u32 = 2;

const TABLE: &str = "data.csv";
const README: &str = "README.txt";
const IMAGES: &str = "images";

/// Flags of `trainer synth`.
#[derive(Args, Clone, Debug)]
pub struct SynthArgs {
    /// Folder to write: data.csv, README.txt and images/
    ///
    /// The folder must be empty or absent. The same command continues an interrupted data set.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Number of images; eight images share a prompt
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000), default_value_t = 4000)]
    pub images: u32,

    /// Seed of all random choices
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Number of threads; default: one per processor
    ///
    /// The images do not depend on the number of threads.
    #[arg(long, value_name = "COUNT", value_parser = positive::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,
}

/// Writes a synthetic data set as the flags say.
///
/// # Errors
/// Fails if the folder holds other files or cannot be written.
///
/// # Examples
///
/// ```no_run
/// use tsp_mgs_synth::data_set::{SynthArgs, run};
///
/// run(&SynthArgs { out: "data/synthetic".into(), images: 800, seed: 1, threads: None })?;
/// # anyhow::Ok(())
/// ```
pub fn run(args: &SynthArgs) -> Result<()> {
    let out = args.out.as_path();
    let n_images = args.images as usize;
    let readme = readme(args);
    let plans: Vec<Plan> = (0..n_images).map(|index| plan::plan(args.seed, n_images, index)).collect();
    let table = table(&plans)?;
    prepare_folder(out, &readme)?;
    if fs::read(out.join(TABLE)).is_ok_and(|found| found == table) {
        println!("{} already holds this synthetic data set of {n_images} images", out.display());
        return Ok(());
    }
    let images = out.join(IMAGES);
    fs::create_dir_all(&images).with_context(|| format!("creating {}", images.display()))?;
    remove_unfinished(&images)?;
    draw_all(args, &plans, &images)?;
    // The table is written last, so that a table always has all of its images.
    write_whole(&out.join(TABLE), &table)?;
    println!("wrote {} ({n_images} synthetic images)", out.display());
    Ok(())
}

/// Creates the folder with its README, or checks that it holds this data set.
///
/// # Errors
/// Fails if it holds another data set or other files.
fn prepare_folder(out: &Path, readme: &str) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let path = out.join(README);
    match fs::read_to_string(&path) {
        Ok(found) if found == readme => return remove_unfinished(out),
        Ok(_) => bail!(
            "{} says that the folder holds another data set; pass another --out, or the --images and --seed in that file",
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

/// Draws the images that do not exist yet.
fn draw_all(args: &SynthArgs, plans: &[Plan], images: &Path) -> Result<()> {
    let threads = match args.threads {
        Some(threads) => threads.get(),
        None => thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    // indicatif draws nothing if standard error is not a terminal.
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
                // The other threads stop after their current image.
                written.inspect_err(|_| next.store(plans.len(), Ordering::Relaxed))?;
            }
            bar.inc(1);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a thread that draws images panicked"))?);
        joined.collect::<Result<()>>()
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// Draws an image and encodes it as JPEG.
fn image(seed: u64, index: usize, plan: &Plan) -> Result<Vec<u8>> {
    let mut random = RandomStream::new(seed, Purpose::Pixels, index);
    let mut canvas = render::render(&plan.depiction.scene, plan.prompt.style, plan.prompt.light, &mut random);
    for &degradation in &plan.degradations {
        canvas = degrade::apply(canvas, degradation, &mut random)?;
    }
    defects::jpeg(&canvas.to_bytes(), FILE_QUALITY)
}

/// The table as CSV, sorted by name like AGIQA-3K's.
fn table(plans: &[Plan]) -> Result<Vec<u8>> {
    let mut sorted: Vec<&Plan> = plans.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for plan in sorted {
        let scores = [plan.quality.mos, plan.quality.std, plan.alignment.mos, plan.alignment.std];
        let scores = scores.map(|score| format!("{score:.6}"));
        // AGIQA-3K has a column for styles, and the columns adj1 and adj2 for other additions to the prompt.
        let style = match plan.prompt.style.word() {
            "" => String::new(),
            word => format!("{word} style"),
        };
        let words = [&plan.name, &plan.prompt.text, plan.prompt.light.words(), "", &style];
        writer.write_record(words.into_iter().chain(scores.iter().map(String::as_str)))?;
    }
    writer.into_inner().context("writing a table to memory")
}

/// The text of README.txt. A folder is recognised by it.
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
