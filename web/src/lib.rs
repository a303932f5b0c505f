//! TSP-MGS in the browser: the JavaScript interface of `tsp-mgs-core`. It only converts types.

#![recursion_limit = "256"]

mod constructors;
mod device;
mod fetch;

use std::cell::RefCell;

use burn::tensor::{TensorData, Transaction};
use js_sys::{Function, Promise, Uint8Array};
use serde::Serialize;
use tsp_mgs_core::bundle::{BundleReader, LoadedBundle, MANIFEST, Manifest, WeightType, sha256};
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::{ViewPlan, decode, image_notes, is_flat, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{FoundPrompt, Run, TaskScore};
use tsp_mgs_core::scorer::{self, ImageTower, Input};
use tsp_mgs_core::selfcheck;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The number of runs of the self-check. A kernel that is tuned in the first run can be wrong from the second run on.
const SELF_CHECK_RUNS: usize = 3;

/// Runs constructors, and shows panics in the console. After a panic the module cannot be used any more: its worker must be
/// replaced.
#[wasm_bindgen(start)]
fn start() {
    constructors::run();
    console_error_panic_hook::set_once();
    // Burn reports a shader that the browser rejects only as a log record.
    let _ = console_log::init_with_level(log::Level::Warn);
}

/// A loaded model that scores images.
///
/// ```js
/// const scorer = await Scorer.load("model/model.json");
/// const { perception, alignment } = await scorer.score(bytes, "a cat on a sofa");
/// ```
#[wasm_bindgen]
pub struct Scorer {
    inner: RefCell<scorer::Scorer>,
    run: Run,
    /// Crops that a task looks at, unless a call says otherwise.
    crops: usize,
    dtype: WeightType,
}

#[derive(Serialize)]
struct Info<'a> {
    backend: &'static str,
    device: &'a str,
    model: &'a str,
    warning: Option<&'a str>,
    notes: Vec<&'a str>,
    tasks: Vec<Task>,
    crops: usize,
    #[serde(rename = "maxCrops")]
    max_crops: usize,
    dtype: WeightType,
}

#[wasm_bindgen]
extern "C" {
    /// `{ crops?: number, isHashed?: boolean, onProgress?: (loadedBytes: number, totalBytes: number) => void }`.
    ///
    /// With `isHashed`, the SHA-256 of files that a function returns is not checked. The caller must have checked it; the browser's
    /// own SHA-256 is several times faster. `onProgress` is called only for downloads from a URL.
    pub type LoadOptions;
    #[wasm_bindgen(method, getter)]
    fn crops(this: &LoadOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = isHashed)]
    fn is_hashed(this: &LoadOptions) -> Option<bool>;
    #[wasm_bindgen(method, getter, js_name = onProgress)]
    fn on_progress(this: &LoadOptions) -> Option<Function>;
}

#[wasm_bindgen]
impl Scorer {
    /// Loads a model bundle. `source` is the URL of its `model.json`, or a function. The function is called with the name of each
    /// file, one after the other, and returns a `Uint8Array` or a promise of one.
    ///
    /// # Errors
    /// Rejects with an `Error` that names the file and the problem, or with the error that the function threw.
    pub async fn load(source: JsValue, options: Option<LoadOptions>) -> Result<Scorer, JsValue> {
        let on_progress = options.as_ref().and_then(LoadOptions::on_progress);
        let (bundle, hash) = match source.as_string() {
            Some(url) => fetch_bundle(&url, on_progress.as_ref()).await?,
            None => read_bundle(source, options.as_ref().and_then(LoadOptions::is_hashed) == Some(true)).await?,
        };
        let (device, name) = device::open().await?;
        let mut tasks: Vec<Options> = bundle.manifest.tasks.values().cloned().collect();
        if let Some(crops) = options.as_ref().and_then(LoadOptions::crops) {
            for options in &mut tasks {
                options.crops = crops as usize; // saturates at a number that is rejected
            }
        }
        let mut inner = scorer::Scorer::load(
            bundle.checkpoint,
            bundle.prompt_features.as_ref(),
            tasks,
            ImageTower::default(),
            device,
        )
        .map_err(JsError::from)?;
        device::prepare(&mut inner)?;
        let label = format!("{} sha256:{}", bundle.manifest.name, &hash[..12]);
        let run = inner.run(name, label, bundle.manifest.warning);
        let crops = inner.tasks()[0].crops; // A scorer has a task, and all have the same number.
        Ok(Self { inner: RefCell::new(inner), run, crops, dtype: bundle.manifest.dtype })
    }

    /// Runs a small known model three times and compares its features with the expected ones.
    ///
    /// # Errors
    /// Rejects if they differ. Then the device must not be used.
    #[wasm_bindgen(js_name = selfCheck)]
    pub async fn self_check() -> Result<(), JsError> {
        let (device, name) = device::open().await?;
        let model = selfcheck::model(&device);
        for run in 1..=SELF_CHECK_RUNS {
            let features = read(Transaction::default().register(selfcheck::run(&model, &device))).await?;
            let difference = selfcheck::difference(features[0].as_slice().unwrap_or_default());
            if difference > selfcheck::TOLERANCE {
                return Err(JsError::new(&format!(
                    "{name} computes wrong numbers: run {run} of a known model is off by {difference:.3}"
                )));
            }
        }
        Ok(())
    }

    /// Describes the model and the device.
    ///
    /// # Errors
    /// None in practice: the description can always be converted to an object.
    pub fn info(&self) -> Result<JsValue, JsError> {
        let Run { device, model, warning, .. } = &self.run;
        to_js(&Info {
            backend: device::BACKEND,
            device,
            model,
            warning: warning.as_deref(),
            notes: self.run.notes(),
            tasks: self.inner.borrow().tasks().iter().map(Options::task).collect(),
            crops: self.run.crops(),
            max_crops: ViewPlan::max_crops(self.inner.borrow().view_plan().side),
            dtype: self.dtype,
        })
    }

    /// Scores an image, given as the bytes of a PNG, JPEG, WebP, GIF, BMP or TIFF file. Without `prompt`, the prompt is read from
    /// the metadata of the image. `crops` is the number of crops of each task in this call; without it, the number that the
    /// model was loaded with. Several calls can run at the same time.
    ///
    /// # Errors
    /// Rejects with an `Error` that describes the problem with the image or with `crops`.
    pub async fn score(&self, image: Vec<u8>, prompt: Option<String>, crops: Option<f64>) -> Result<JsValue, JsError> {
        // A large number saturates, and is rejected.
        let crops = crops.map_or(self.crops, |crops| crops as usize);
        // Another call may have set another number.
        self.inner.borrow_mut().set_crops(crops)?;
        let plan = self.inner.borrow().view_plan();
        let prompt = match prompt {
            Some(text) => Some(FoundPrompt { text, source: "argument" }),
            None => {
                embedded_prompt(&image).map(|found| FoundPrompt { text: found.text, source: found.source.as_str() })
            }
        };
        let (views, is_flat) = {
            let pixels = decode(&image)?;
            drop(image);
            (views(&pixels, plan)?, is_flat(&pixels))
        };
        let text = prompt.as_ref().map(|prompt| prompt.text.as_str());
        // The borrow ends before the wait, so another call can start.
        let pending = self.inner.borrow_mut().score_batch(&[Input { views: &views, prompt: text }])?;
        let run = self.run.with_crops(plan.crops);
        let mut score = pending.scores(&read(pending.transaction()).await?)?.remove(0);
        for task in [&mut score.perception, &mut score.alignment].into_iter().flatten() {
            spans_in_utf16(task, text.unwrap_or_default());
        }
        let result = run.result((views.width, views.height), prompt.as_ref(), &score);
        to_js(&result.with_notes(image_notes(views.width, views.height, is_flat)))
    }
}

async fn fetch_bundle(url: &str, on_progress: Option<&Function>) -> Result<(LoadedBundle, String), JsError> {
    let manifest = fetch::bytes(url, |_| ()).await?;
    let hash = sha256(&manifest);
    let mut reader = BundleReader::new(Manifest::parse(&manifest)?);
    let total = reader.manifest().total_bytes();
    let mut loaded = 0;
    while let Some(shard) = reader.next_shard() {
        let url = fetch::beside(url, &shard.name)?;
        let report = |bytes: usize| {
            if let Some(on_progress) = on_progress {
                // An exception in the callback does not stop the download.
                let _ = on_progress.call2(&JsValue::NULL, &((loaded + bytes) as f64).into(), &(total as f64).into());
            }
        };
        let bytes = fetch::bytes(&url, report).await?;
        reader.add(&bytes)?;
        loaded += bytes.len();
    }
    Ok((reader.finish()?, hash))
}

async fn read_bundle(source: JsValue, is_hashed: bool) -> Result<(LoadedBundle, String), JsValue> {
    let source: Function = source.dyn_into().map_err(|_| {
        JsError::new(&format!("expected the URL of {MANIFEST}, or a function that gives a bundle's files by name"))
    })?;
    let read = async |name: &str| -> Result<Vec<u8>, JsValue> {
        let file = JsFuture::from(Promise::resolve(&source.call1(&JsValue::NULL, &name.into())?)).await?;
        let bytes: Uint8Array =
            file.dyn_into().map_err(|_| JsError::new(&format!("expected the bytes of {name} as a Uint8Array")))?;
        Ok(bytes.to_vec())
    };
    let manifest = read(MANIFEST).await?;
    let mut reader = BundleReader::new(Manifest::parse(&manifest).map_err(JsError::from)?);
    while let Some(shard) = reader.next_shard() {
        let bytes = read(&shard.name).await?;
        let added = if is_hashed { reader.add_hashed(&bytes) } else { reader.add(&bytes) };
        added.map_err(JsError::from)?;
    }
    Ok((reader.finish().map_err(JsError::from)?, sha256(&manifest)))
}

/// Reads tensors back from the device.
async fn read(transaction: Transaction) -> Result<Vec<TensorData>, JsError> {
    transaction.execute_async().await.map_err(|error| JsError::new(&format!("the device failed: {error}")))
}

/// Converts the positions of words from characters to UTF-16 code units, which JavaScript counts.
fn spans_in_utf16(task: &mut TaskScore, prompt: &str) {
    let units: Vec<usize> = std::iter::once(0)
        .chain(prompt.chars().scan(0, |units, c| {
            *units += c.len_utf16();
            Some(*units)
        }))
        .collect();
    for word in &mut task.words {
        (word.start, word.end) = (units[word.start], units[word.end]);
    }
}

fn to_js(value: &impl Serialize) -> Result<JsValue, JsError> {
    Ok(value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?)
}
