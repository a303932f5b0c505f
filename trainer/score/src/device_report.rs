//! `trainer device`: what a device is, whether it computes right, and how fast.

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
use crate::patience::Patience;

/// Runs of the self-check: a wrong kernel can come with a later call.
const SELF_CHECK_RUNS: usize = 3;
/// What one measurement takes at least.
const SECONDS: f64 = 1.0;
const SEED: u64 = 1;

/// Flags of `trainer device`.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// Which: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Views that go through the image tower at once, to be timed one after the other
    #[arg(long, value_name = "VIEWS,…", value_delimiter = ',', default_value = "16,64")]
    pub views: Vec<usize>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Which weights
    #[command(flatten)]
    pub model: ModelArgs,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    device: String,
    model: String,
    /// Largest difference of the known model's numbers from the right ones, in all runs.
    self_check: f32,
    speeds: Vec<Speed>,
}

#[derive(Debug, Serialize)]
struct Speed {
    views: usize,
    /// The first time, kernels included.
    first_seconds: f64,
    /// Later ones, of the whole batch.
    seconds: f64,
    views_per_second: f64,
    dispatches: usize,
    kernels: usize,
    new_kernels: usize,
}

/// Runs `trainer device`.
///
/// # Errors
/// When the device is not there, fails, or computes wrong numbers.
pub fn run(args: &DeviceArgs) -> Result<()> {
    let model = Model::open(&args.model)?;
    let label = model.label();
    let selected = device::select(args.device)?;
    let patience = Patience::with(&selected.name);
    let self_check = self_check(&selected.device)?;
    let config = model.checkpoint.config().clone();
    let encoder = ClipEncoder::load(model.checkpoint, &selected.device, WeightFormat::Float32);
    let mut counter = Counter::start();
    let mut speeds = Vec::new();
    for &views in &args.views {
        speeds.push(speed(&encoder, &config, views, &selected.device, &mut counter)?);
    }
    drop(patience);
    let report = Report { device: selected.name, model: label, self_check, speeds };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write_report(&mut out, &report)?;
    }
    ensure!(
        report.self_check <= selfcheck::TOLERANCE,
        "{} computes wrong numbers: a known model is off by {:.3}",
        report.device,
        report.self_check
    );
    Ok(())
}

fn write_report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}: off by {:.1e} on a known model", report.device, report.self_check)?;
    for speed in &report.speeds {
        let Speed { views, first_seconds, seconds, views_per_second, dispatches, kernels, .. } = speed;
        writeln!(
            out,
            "{views} views of {}: {:.1} ms, {views_per_second:.0} views/s; {first_seconds:.2} s the first time; \
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

/// Times the image tower on pixels that lie ready on the device.
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

    // As many times that the wait for the last result does not count.
    let mut times = 1;
    let seconds = loop {
        let start = Instant::now();
        let mut last = encode();
        for _ in 1..times {
            last = encode();
        }
        read(last)?;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= SECONDS {
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
