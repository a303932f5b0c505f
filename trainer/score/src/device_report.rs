//! `trainer device`: prints a device's name, checks its results, and measures its speed.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use serde::Serialize;
use tsp_mgs_core::clip::WeightFormat;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::encoder::ClipEncoder;
use tsp_mgs_core::work::Counter;
use tsp_mgs_core::{seeded, selfcheck};

use crate::device::{self, DeviceChoice};
use crate::model::{Model, ModelArgs};
use crate::slow_start::SlowStartNote;

/// The number of runs of the self-check. A device may replace a kernel after the first call, so that one run is not
/// enough.
const SELF_CHECK_RUNS: usize = 3;
/// The minimum duration of a measurement in seconds.
const MIN_SECONDS: f64 = 1.0;
const SEED: u64 = 1;

/// Flags of `trainer device`.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// Device: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Batch sizes of the image tower to measure, in views
    #[arg(long, value_name = "VIEWS,…", value_delimiter = ',', default_value = "16,64")]
    pub views: Vec<usize>,

    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,

    /// The weights
    #[command(flatten)]
    pub model: ModelArgs,
}

/// The report of `trainer device`.
#[derive(Debug, Serialize)]
struct Report {
    device: String,
    model: String,
    /// The largest difference between the computed and the known results of the self-check, over all runs.
    self_check: f32,
    speeds: Vec<Speed>,
}

#[derive(Debug, Serialize)]
struct Speed {
    views: usize,
    /// The duration of the first batch, including the compilation of kernels.
    first_seconds: f64,
    /// The mean duration of a later batch.
    seconds: f64,
    views_per_second: f64,
    dispatches: usize,
    kernels: usize,
    new_kernels: usize,
}

/// Runs `trainer device`.
///
/// # Errors
/// Returns an error if the device does not exist or fails, or if its results are wrong.
pub fn run(args: &DeviceArgs) -> Result<()> {
    let model = Model::open(&args.model)?;
    let label = model.label();
    let selected = device::select(args.device)?;
    let note = SlowStartNote::with(&selected.name);
    let self_check = self_check(&selected.device)?;
    let config = model.checkpoint.config().clone();
    let encoder = ClipEncoder::load(model.checkpoint, &selected.device, WeightFormat::Float32);
    let mut counter = Counter::start();
    let mut speeds = Vec::new();
    for &views in &args.views {
        speeds.push(speed(&encoder, &config, views, &selected.device, &mut counter)?);
    }
    drop(note);
    let report = Report { device: selected.name, model: label, self_check, speeds };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write_report(&mut out, &report)?;
    }
    ensure!(
        report.self_check <= selfcheck::TOLERANCE,
        "{} computes wrong results: they differ from those of a known model by {:.3}",
        report.device,
        report.self_check
    );
    Ok(())
}

fn write_report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}: difference of {:.1e} from the results of a known model", report.device, report.self_check)?;
    for speed in &report.speeds {
        let Speed { views, first_seconds, seconds, views_per_second, dispatches, kernels, .. } = speed;
        writeln!(
            out,
            "{views} views with {}: {:.1} ms, {views_per_second:.0} views/s; first batch: {first_seconds:.2} s; \
             {dispatches} dispatches of {kernels} kernels",
            report.model,
            1e3 * seconds,
        )?;
    }
    Ok(())
}

fn self_check(device: &Device) -> Result<f32> {
    let model = selfcheck::model(device);
    let mut worst = 0.0f32;
    for _ in 0..SELF_CHECK_RUNS {
        worst = worst.max(selfcheck::difference(&read(selfcheck::run(&model, device))?));
    }
    Ok(worst)
}

/// Measures the image tower on pixels that are on the device.
fn speed(
    encoder: &ClipEncoder,
    config: &ClipConfig,
    views: usize,
    device: &Device,
    counter: &mut Counter,
) -> Result<Speed> {
    let side = config.vision.image_size;
    let pixels = TensorData::new(seeded::uniform("pixels", SEED, views * 3 * side * side), [views, 3, side, side]);
    let pixels = Tensor::<4>::from_data(pixels, device);
    let encode = || encoder.image_features(pixels.clone()).sum();
    read(pixels.clone().sum())?;
    counter.take();
    let start = Instant::now();
    read(encode())?;
    let first_seconds = start.elapsed().as_secs_f64();
    let first = counter.take();
    read(encode())?;
    let work = counter.take();

    // The number of batches is doubled until the wait for the last result is negligible.
    let mut times = 1;
    let seconds = loop {
        let start = Instant::now();
        let mut last = encode();
        for _ in 1..times {
            last = encode();
        }
        read(last)?;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= MIN_SECONDS {
            break seconds / times as f64;
        }
        times *= 2;
    };
    Ok(Speed {
        views,
        first_seconds,
        seconds,
        views_per_second: views as f64 / seconds,
        dispatches: work.dispatches,
        kernels: work.kernels,
        new_kernels: first.new_kernels,
    })
}

fn read(numbers: Tensor<1>) -> Result<Vec<f32>> {
    let data = numbers.try_into_data().context("reading from the device")?;
    data.try_to_vec().context("reading from the device")
}
