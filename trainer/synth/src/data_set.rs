//! `trainer synth`: writes the folder of a synthetic data set, with its table and its images.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use csv::{Terminator, WriterBuilder};
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use tsp_mgs_data::dataset::agiqa_3k::HEADER;
use tsp_mgs_data::files::{remove_unfinished, write_whole};
use tsp_mgs_data::flags::positive;

use crate::pictures::{self, Picture};
use crate::plan::{self, Content, Plan};
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

    /// Folder of pictures; half of the images are degraded parts of them
    ///
    /// `make pictures` fetches freely licensed ones. JPEG, PNG and WebP files of at least 512 pixels on each side are
    /// read. The prompt of a picture is its file name, so that no picture is in both parts of a split. Without this
    /// flag, all images are drawn scenes.
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,

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
/// run(&SynthArgs { out: "data/synthetic".into(), images: 800, pictures: None, seed: 1, threads: None })?;
/// # anyhow::Ok(())
/// ```
pub fn run(args: &SynthArgs) -> Result<()> {
    let out = args.out.as_path();
    let n_images = args.images as usize;
    let pictures = args.pictures.as_deref().map(pictures::find).transpose()?.unwrap_or_default();
    let readme = readme(args, &pictures)?;
    let plans: Vec<Plan> = (0..n_images).map(|index| plan::plan(args.seed, n_images, index, &pictures)).collect();
    let table = table(&plans)?;
    prepare_folder(out, &readme)?;
    if fs::read(out.join(TABLE)).is_ok_and(|found| found == table) {
        println!("{} already holds this synthetic data set of {n_images} images", out.display());
        return Ok(());
    }
    let images = out.join(IMAGES);
    fs::create_dir_all(&images).with_context(|| format!("creating {}", images.display()))?;
    remove_unfinished(&images)?;
    let pictures = pictures.iter().map(Picture::decode).collect::<Result<Vec<_>>>()?;
    make_all(args, &plans, &pictures, &images)?;
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
            "{} says that the folder holds another data set; pass another --out, or the flags in that file",
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

/// Makes the images that do not exist yet.
fn make_all(args: &SynthArgs, plans: &[Plan], pictures: &[RgbImage], images: &Path) -> Result<()> {
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
                let written = image(args.seed, index, plan, pictures).and_then(|bytes| write_whole(&path, &bytes));
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
            .map(|worker| worker.join().map_err(|_| anyhow!("a thread that makes images panicked"))?);
        joined.collect::<Result<()>>()
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// Makes an image and encodes it as JPEG.
fn image(seed: u64, index: usize, plan: &Plan, pictures: &[RgbImage]) -> Result<Vec<u8>> {
    let mut random = RandomStream::new(seed, Purpose::Pixels, index);
    let mut canvas = match &plan.content {
        Content::Scene(prompt, depiction) => render::render(&depiction.scene, prompt.style, prompt.light, &mut random),
        Content::Picture(index, _) => pictures::cut(&pictures[*index], &mut random),
    };
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
        let (prompt, light, style) = match &plan.content {
            Content::Scene(prompt, _) => (&prompt.text, prompt.light.words(), prompt.style.word()),
            Content::Picture(_, title) => (title, "", ""),
        };
        let style = if style.is_empty() { String::new() } else { format!("{style} style") };
        let words = [&plan.name, prompt, light, "", &style];
        writer.write_record(words.into_iter().chain(scores.iter().map(String::as_str)))?;
    }
    writer.into_inner().context("writing a table to memory")
}

/// The text of README.txt. A folder is recognised by it.
///
/// # Errors
/// Fails if a picture cannot be read.
fn readme(args: &SynthArgs, pictures: &[Picture]) -> Result<String> {
    let SynthArgs { images, seed, .. } = args;
    let (made_of, flag) = match pictures.len() {
        0 => (String::new(), ""),
        count => {
            let hash = pictures::hash(pictures)?;
            (
                format!(
                    "Half of the images are parts of {count} pictures (SHA-256 {hash}), degraded and scored likewise.\n"
                ),
                " --pictures DIR",
            )
        }
    };
    Ok(format!(
        "A SYNTHETIC data set in AGIQA-3K's layout, generation {GENERATION}.\n\
         \n\
         No person rated these images: drawn scenes are changed and degraded by known amounts, and scored by them.\n\
         {made_of}\
         Results on them say nothing about real images. Call them synthetic wherever their numbers appear.\n\
         \n\
         Made by: trainer synth --out DIR --images {images} --seed {seed}{flag}\n"
    ))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn args(folder: &Path, out: &str, threads: usize) -> SynthArgs {
        let [out, pictures] = [out, "pictures"].map(|name| folder.join(name));
        SynthArgs { out, images: 32, pictures: Some(pictures), seed: 3, threads: NonZeroUsize::new(threads) }
    }

    fn save(folder: &Path, name: &str, period: u32) {
        let picture = RgbImage::from_fn(600, 520, |x, y| Rgb([(x % period * 9) as u8, (y % period * 7) as u8, 80]));
        fs::create_dir_all(folder.join("pictures")).expect("creating");
        picture.save(folder.join("pictures").join(name)).expect("saving");
    }

    #[test]
    fn a_set_with_pictures_is_the_same_on_any_number_of_threads_and_knows_its_pictures() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        save(folder.path(), "fine-stripes.png", 5);
        save(folder.path(), "wide-stripes.png", 19);
        for (out, threads) in [("one", 1), ("three", 3)] {
            run(&args(folder.path(), out, threads)).expect("a data set");
        }
        let names: Vec<_> = fs::read_dir(folder.path().join("one/images")).expect("a folder").collect();
        assert_eq!(names.len(), 32);
        for name in names {
            let name = name.expect("an entry").file_name();
            let [one, three] = ["one", "three"].map(|out| fs::read(folder.path().join(out).join(IMAGES).join(&name)));
            assert!(one.expect("an image") == three.expect("an image"), "{}", name.display());
        }
        let table = fs::read_to_string(folder.path().join("one").join(TABLE)).expect("a table");
        for title in ["fine stripes", "wide stripes"] {
            assert_eq!(table.lines().filter(|line| line.starts_with("picture_") && line.contains(title)).count(), 8);
        }

        // The folder is another data set as soon as a picture differs.
        save(folder.path(), "wide-stripes.png", 23);
        let error = run(&args(folder.path(), "one", 1)).expect_err("another picture");
        assert!(error.to_string().contains("another data set"), "{error}");
    }
}
