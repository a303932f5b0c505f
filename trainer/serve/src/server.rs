//! `trainer serve`: starts the server and shuts it down.

use std::io::Cursor;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use image::ImageReader;
use tokio::sync::watch;
use tsp_mgs_core::preprocess::ViewPlan;
use tsp_mgs_core::result::FoundPrompt;
use tsp_mgs_core::scorer::Scorer;
use tsp_mgs_data::parallel::catch_panic;
use tsp_mgs_score::batching::score_each;
use tsp_mgs_score::model::Model;
use tsp_mgs_score::prepare::{PreparedImage, blank, prepare};
use tsp_mgs_score::record::Image;
use tsp_mgs_score::row::ScoredImage;
use tsp_mgs_score::slow_start::SlowStartNote;

use crate::access::{self, Access};
use crate::api::{self, App};
use crate::args::{LimitArgs, ServeArgs};
use crate::connections::{self, ConnectionLimits};
use crate::error_response::TooLarge;
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Sizes};
use crate::upload::{self, Upload};

/// Number of threads that read and write on connections. Other threads decode and compute.
const IO_THREADS: usize = 2;
/// Number of threads that read files of the page, in addition to the decoding threads.
const FILE_THREADS: usize = 8;
/// Smallest number of images that may be prepared ahead, in addition to those in preparation. It is two batches if they
/// are larger.
const MIN_PREPARED: usize = 4;

/// Serves until SIGINT or SIGTERM. The exit code is 1 if accepted requests were not finished in time.
///
/// # Errors
/// Fails if a flag is wrong, the model, the token or the page cannot be read, or the address is in use.
///
/// # Examples
///
/// ```no_run
/// use clap::Parser;
/// use tsp_mgs_serve::args::ServeArgs;
/// use tsp_mgs_serve::server::run;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     serve: ServeArgs,
/// }
///
/// let flags = "serve --listen 127.0.0.1:8080 --www www/dist";
/// run(&Cli::parse_from(flags.split(' ')).serve)?;
/// # anyhow::Ok(())
/// ```
pub fn run(args: &ServeArgs) -> Result<ExitCode> {
    args.check()?;
    let access = Arc::new(Access::new(args.token_file.as_deref())?);
    if let Some(www) = &args.www {
        let hint = "expected the folder of the page, which `make web` builds";
        ensure!(www.join("index.html").is_file(), "{} has no index.html: {hint}", www.display());
    }
    let listener = TcpListener::bind(args.listen)
        .with_context(|| format!("listening on {}: choose another address or port with --listen", args.listen))?;
    listener.set_nonblocking(true)?;

    let model = Model::open(&args.model)?;
    let folder = model.folder.clone();
    let tasks = args.options.apply(model.tasks.clone())?;
    let (scorer, run) = args.compute.scorer(model, tasks)?;
    let metrics = Arc::new(Metrics::new(&run.model, &run.device)?);
    let threads = args.limits.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let app = Arc::new(App {
        pipeline: pipeline(scorer, run.device.clone(), args.limits, threads, &metrics),
        metrics,
        access,
        run,
        max_body: args.limits.body_bytes(),
        timeout: seconds(args.limits.timeout.get()),
        is_logging: args.log,
        is_shutting_down: AtomicBool::new(false),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .max_blocking_threads(threads.get() + FILE_THREADS)
        .enable_all()
        .build()
        .context("starting the threads of the server")?;
    let cut = runtime.block_on(serve(args, listener, app.clone(), folder))?;
    if cut > 0 {
        // Images in preparation are abandoned.
        runtime.shutdown_background();
        eprintln!("error: {cut} connections were cut, because their requests took longer than --grace");
        return Ok(ExitCode::FAILURE);
    }
    app.pipeline.end();
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &ServeArgs, listener: TcpListener, app: Arc<App>, model: Option<PathBuf>) -> Result<usize> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (shutdown_sender, shutdown) = watch::channel(false);
    let mut signals = Signals::new()?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    if let Some(file) = args.token_file.as_ref().filter(|file| access::others_may_read(file)) {
        eprintln!("warning: other users can read the token in {0}; run: chmod 600 {0}", file.display());
    }
    for note in app.run.notes() {
        eprintln!("note: {note}");
    }
    let router = api::router(app.clone(), args.www.as_deref(), model.as_deref());
    tokio::spawn(async move {
        signals.next().await;
        app.is_shutting_down.store(true, Ordering::Relaxed);
        // The receiver is gone if the server has stopped already.
        let _ = shutdown_sender.send(true);
        eprintln!("note: shutting down after the accepted requests; a second signal stops the server at once");
        signals.next().await;
        process::exit(1);
    });
    let limits = ConnectionLimits {
        max: args.limits.max_connections.get() as usize,
        idle: seconds(args.limits.idle.get()),
        grace: seconds(args.limits.grace.get()),
    };
    Ok(connections::serve(listener, router, limits, shutdown).await)
}

fn pipeline(
    mut scorer: Scorer,
    device: String,
    limits: LimitArgs,
    threads: NonZeroUsize,
    metrics: &Arc<Metrics>,
) -> Pipeline<Upload, PreparedImage, ScoredImage> {
    let (plan, batch) = (scorer.view_plan(), scorer.images_at_once());
    let sizes = Sizes {
        requests: limits.max_waiting.get() as usize,
        prepared: threads.saturating_add(MIN_PREPARED.max(2 * batch)),
        threads,
        batch,
    };
    let decoding = metrics.clone();
    let prepare = move |upload| {
        let start = Instant::now();
        let ready = read(upload, plan, limits);
        decoding.decode_seconds.observe(start.elapsed().as_secs_f64());
        ready
    };
    let scoring = metrics.clone();
    let begin = move || {
        warm_up(&mut scorer, &device);
        move |images: Vec<PreparedImage>| {
            let start = Instant::now();
            let scores = score(&mut scorer, images);
            scoring.batch.observe(scores.len() as f64);
            scoring.score_seconds.observe(start.elapsed().as_secs_f64());
            scoring.images.inc_by(scores.iter().filter(|score| score.is_ok()).count() as u64);
            scores
        }
    };
    Pipeline::start(sizes, prepare, begin)
}

/// Scores a blank image on a GPU, which compiles the kernels. A CPU has no kernels to compile.
fn warm_up(scorer: &mut Scorer, device: &str) {
    if device.starts_with("cpu") {
        return;
    }
    let _note = SlowStartNote::with(device);
    let plan = scorer.view_plan();
    if let Err(error) = catch_panic(|| score_each(scorer, &[&blank(plan)?]).remove(0)) {
        eprintln!("warning: {device} failed to score a blank image: {error:#}");
    }
}

/// Decodes and crops an image, after checking the size in its header.
fn read(Upload { image, prompt, .. }: Upload, plan: ViewPlan, limits: LimitArgs) -> Result<PreparedImage> {
    // If the header has no size, decoding reports the error.
    let reader = ImageReader::new(Cursor::new(&image)).with_guessed_format()?;
    if let Ok((width, height)) = reader.into_dimensions() {
        let max = limits.max_pixels.get();
        ensure!(u64::from(width) * u64::from(height) <= limits.pixels(), TooLarge::Pixels { width, height, max });
    }
    let prompt = prompt.map(|text| FoundPrompt { text, source: "argument" });
    let ready = prepare(&Image::Bytes(image), prompt, plan, None)?;
    // A prompt in the image's metadata may be longer than one in a request.
    upload::check_prompt(ready.prompt(), upload::MAX_METADATA_PROMPT)?;
    Ok(ready)
}

/// Scores a batch. If the batch panics, each image is scored alone, so that only the faulty one fails.
fn score(scorer: &mut Scorer, images: Vec<PreparedImage>) -> Vec<Result<ScoredImage>> {
    let all: Vec<&PreparedImage> = images.iter().collect();
    let scores = catch_panic(|| Ok(score_each(scorer, &all)))
        .unwrap_or_else(|_| all.iter().map(|&image| catch_panic(|| score_each(scorer, &[image]).remove(0))).collect());
    images.into_iter().zip(scores).map(|(image, score)| Ok(image.scored(score?))).collect()
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// The signals that shut down the server: Ctrl-C and, on Unix, SIGTERM.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Without a handler for Ctrl-C, the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
