//! TSP-MGS in the browser: the JavaScript interface of `tsp-mgs-core`. It only converts types.

#![recursion_limit = "256"]

mod constructors;
mod device;
mod error;

use std::cell::RefCell;

use burn::tensor::{TensorData, Transaction};
pub use error::Error;
use image::RgbImage;
use js_sys::{Function, Promise, Uint8Array};
use serde::Serialize;
use tsp_mgs_core::bundle::{BundleReader, LoadedBundle, MANIFEST, Manifest, WeightType, sha256};
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::{BROWSER_DECODED, ViewPlan, decode, from_rgba, image_notes, is_flat, views};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::result::{FoundPrompt, Run, TaskScore};
use tsp_mgs_core::scorer::{self, ImageTower, Input};
use tsp_mgs_core::selfcheck;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::ImageData;

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
/// const scorer = await Scorer.load(async (name) => new Uint8Array(await (await fetch(`model/${name}`)).arrayBuffer()));
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
    /// `{ crops?: number, isHashed?: boolean }`.
    ///
    /// With `isHashed`, the SHA-256 of the files is not checked. The caller must have checked it; the browser's own SHA-256 is
    /// several times faster.
    pub type LoadOptions;
    #[wasm_bindgen(method, getter)]
    fn crops(this: &LoadOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = isHashed)]
    fn is_hashed(this: &LoadOptions) -> Option<bool>;
}

#[wasm_bindgen]
impl Scorer {
    /// Loads a model bundle. `source` is a function. It is called with the name of each file, one after the other, and returns a
    /// `Uint8Array` or a promise of one.
    ///
    /// # Errors
    /// Rejects with an `Error` that has a `code`: "argument", "image", "model", "device" or "fault". An error that the function
    /// threw is passed on.
    pub async fn load(source: JsValue, options: Option<LoadOptions>) -> Result<Scorer, Error> {
        let is_hashed = options.as_ref().and_then(LoadOptions::is_hashed) == Some(true);
        let (bundle, hash) = read_bundle(source, is_hashed).await?;
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
        )?;
        device::prepare(&mut inner)?;
        let label = format!("{} sha256:{}", bundle.manifest.name, &hash[..12]);
        let run = inner.run(name, label, bundle.manifest.warning);
        let crops = inner.tasks()[0].crops; // A scorer has a task, and all have the same number.
        Ok(Self { inner: RefCell::new(inner), run, crops, dtype: bundle.manifest.dtype })
    }

    /// Runs a small known model three times and compares its features with the expected ones.
    ///
    /// # Errors
    /// Rejects with the code `device` if they differ. Then the device must not be used.
    #[wasm_bindgen(js_name = selfCheck)]
    pub async fn self_check() -> Result<(), Error> {
        let (device, name) = device::open().await?;
        let model = selfcheck::model(&device);
        for run in 1..=SELF_CHECK_RUNS {
            let features = read(Transaction::default().register(selfcheck::run(&model, &device))).await?;
            let difference = selfcheck::difference(features[0].as_slice().unwrap_or_default());
            if difference > selfcheck::TOLERANCE {
                return Err(Error::device(&format!(
                    "{name} computes wrong numbers: run {run} of a known model is off by {difference:.3}"
                )));
            }
        }
        Ok(())
    }

    /// Describes the model and the device.
    pub fn info(&self) -> JsValue {
        let Run { device, model, warning, .. } = &self.run;
        to_js(&Info {
            backend: device::BACKEND,
            device,
            model,
            warning: warning.as_deref(),
            notes: self.run.notes(),
            tasks: self.inner.borrow().tasks().iter().map(|options| options.task).collect(),
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
    /// Rejects with an `Error` that has a `code`.
    pub async fn score(&self, image: Vec<u8>, prompt: Option<String>, crops: Option<f64>) -> Result<JsValue, Error> {
        let prompt = match prompt {
            Some(text) => Some(FoundPrompt { text, source: "argument" }),
            None => {
                embedded_prompt(&image).map(|found| FoundPrompt { text: found.text, source: found.source.as_str() })
            }
        };
        let pixels = decode(&image)?;
        drop(image);
        self.score_image(pixels, prompt, crops, None).await
    }

    /// Scores pixels that the browser decoded, for formats that [`Scorer::score`] does not read. The result has a note on it.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    #[wasm_bindgen(js_name = scorePixels)]
    pub async fn score_pixels(
        &self,
        image: ImageData,
        prompt: Option<String>,
        crops: Option<f64>,
    ) -> Result<JsValue, Error> {
        let pixels = from_rgba(image.width(), image.height(), image.data().0)?;
        drop(image);
        let prompt = prompt.map(|text| FoundPrompt { text, source: "argument" });
        self.score_image(pixels, prompt, crops, Some(BROWSER_DECODED)).await
    }
}

impl Scorer {
    async fn score_image(
        &self,
        pixels: RgbImage,
        prompt: Option<FoundPrompt>,
        crops: Option<f64>,
        note: Option<&str>,
    ) -> Result<JsValue, Error> {
        // A large number saturates, and is rejected.
        let crops = crops.map_or(self.crops, |crops| crops as usize);
        // Another call may have set another number.
        self.inner.borrow_mut().set_crops(crops)?;
        let plan = self.inner.borrow().view_plan();
        let (views, is_flat) = (views(&pixels, plan)?, is_flat(&pixels));
        drop(pixels);
        let text = prompt.as_ref().map(|prompt| prompt.text.as_str());
        // The borrow ends before the wait, so another call can start.
        let pending = self.inner.borrow_mut().score_batch(&[Input { views: &views, prompt: text }])?;
        let run = self.run.with_crops(plan.crops);
        let mut score = pending.scores(&read(pending.transaction()).await?)?.remove(0);
        for task in [&mut score.perception, &mut score.alignment].into_iter().flatten() {
            spans_in_utf16(task, text.unwrap_or_default());
        }
        let result = run.result((views.width, views.height), prompt.as_ref(), &score);
        Ok(to_js(&result.with_notes(image_notes(views.width, views.height, is_flat).chain(note))))
    }
}

/// Reads a bundle through the caller's function. Returns it with the SHA-256 of its `model.json`.
async fn read_bundle(source: JsValue, is_hashed: bool) -> Result<(LoadedBundle, String), Error> {
    let source: Function =
        source.dyn_into().map_err(|_| Error::argument("expected a function that returns a bundle's files by name"))?;
    let read = async |name: &str| -> Result<Vec<u8>, Error> {
        let file = JsFuture::from(Promise::resolve(&source.call1(&JsValue::NULL, &name.into())?)).await?;
        let bytes: Uint8Array =
            file.dyn_into().map_err(|_| Error::argument(&format!("expected the bytes of {name} as a Uint8Array")))?;
        Ok(bytes.to_vec())
    };
    let manifest = read(MANIFEST).await?;
    let mut reader = BundleReader::new(Manifest::parse(&manifest)?);
    while let Some(shard) = reader.next_shard() {
        let bytes = read(&shard.name).await?;
        let added = if is_hashed { reader.add_hashed(&bytes) } else { reader.add(&bytes) };
        added?;
    }
    Ok((reader.finish()?, sha256(&manifest)))
}

/// Reads tensors back from the device.
async fn read(transaction: Transaction) -> Result<Vec<TensorData>, Error> {
    transaction.execute_async().await.map_err(|error| Error::fault(&format!("the device failed: {error}")))
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

/// Converts a struct to a plain object.
fn to_js(value: &impl Serialize) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).expect("a struct of numbers, texts and lists has a plain object")
}
