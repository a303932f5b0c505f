//! Checkpoints: everything that the next step depends on, written whole or not at all.
//!
//! A checkpoint is a folder that is written under another name, flushed, and then renamed. What a killed
//! process leaves behind has that other name, and is removed at the next start.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use burn::module::Param;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, Tensor};
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::checkpoint::{Checkpoint, Naming};
use tsp_mgs_core::parameters::named_tensors;
use tsp_mgs_core::weights::read_safetensors;
use tsp_mgs_data::files::{flush_folder, put_in_place, remove_unfinished, unfinished_folder, write_flushed};

use crate::history::Progress;
use crate::learner::{Learner, read};

const WEIGHTS: &str = "weights.safetensors";
const CLIP_MOMENTS: &str = "optimiser.bpk";
const ALPHA_MOMENTS: &str = "alpha-optimiser.bpk";
const STATE: &str = "state.json";
/// αs stand beside the towers' parameters as `alpha.0`, `alpha.1`.
const ALPHA: &str = "alpha.";

/// A folder of checkpoints.
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// What was done so far.
    pub progress: Progress,
    /// SHA-256 of the files beside this one, by name.
    pub files: Vec<(String, String)>,
}

impl Checkpoints {
    /// Opens or makes the folder, and removes what an earlier process left unfinished.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path, keep: usize) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        remove_unfinished(folder)?;
        Ok(Self { folder: folder.to_owned(), keep: keep.max(1) })
    }

    /// Writes a checkpoint, then removes all but the last ones.
    ///
    /// # Errors
    /// When it cannot be written: nothing of it is left, and the checkpoints before it stay.
    pub fn save(&self, learner: &Learner, progress: &Progress) -> Result<()> {
        let staging = unfinished_folder(&self.folder)?;
        let mut state = State { progress: progress.clone(), files: Vec::new() };
        let moments = |optimiser: &ModuleOptimizer| optimiser.into_bytes().context("packing the optimiser's state");
        let files = [
            (WEIGHTS, weights(learner)?),
            (CLIP_MOMENTS, moments(&learner.clip_optimiser)?.to_vec()),
            (ALPHA_MOMENTS, moments(&learner.alpha_optimiser)?.to_vec()),
        ];
        let name = format!("{:05}-{:06}", progress.epoch, progress.step);
        let write = |file: &str, bytes: &[u8]| {
            write_flushed(&staging.path().join(file), bytes).with_context(|| {
                let place = self.folder.join(&name);
                format!("writing {file} of the checkpoint {}; the checkpoints before it are whole", place.display())
            })
        };
        for (file, bytes) in files {
            write(file, &bytes)?;
            state.files.push((file.to_owned(), sha256(&bytes)));
        }
        write(STATE, serde_json::to_string_pretty(&state).expect("the state is plain data").as_bytes())?;
        let target = self.folder.join(&name);
        // One that stands there is damaged: a whole one would have been gone on from.
        put_in_place(&staging.keep(), &target)?;
        flush_folder(&self.folder).with_context(|| format!("writing {}", self.folder.display()))?;
        self.remove_old()
    }

    /// The newest whole checkpoint, loaded into `learner`; `None` when there is none.
    ///
    /// Says on standard error which damaged ones were passed over.
    ///
    /// # Errors
    /// When a whole checkpoint is of another model.
    pub fn load_newest(&self, learner: &mut Learner) -> Result<Option<Progress>> {
        for path in self.list()?.into_iter().rev() {
            let (state, files) = match read_whole(&path) {
                Ok(whole) => whole,
                Err(error) => {
                    eprintln!("note: passing over the damaged checkpoint {}: {error:#}", path.display());
                    continue;
                }
            };
            let [weights, clip_moments, alpha_moments] = files;
            restore(learner, &weights, clip_moments, alpha_moments)
                .with_context(|| format!("going on from {}", path.display()))?;
            return Ok(Some(state.progress));
        }
        Ok(None)
    }

    /// Finished checkpoints, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder).with_context(|| format!("reading {}", self.folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| {
            path.is_dir() && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
        });
        paths.sort();
        Ok(paths)
    }

    fn remove_old(&self) -> Result<()> {
        let paths = self.list()?;
        for path in &paths[..paths.len().saturating_sub(self.keep)] {
            fs::remove_dir_all(path).with_context(|| format!("removing the old checkpoint {}", path.display()))?;
        }
        Ok(())
    }
}

/// The towers' parameters and the αs, as safetensors.
fn weights(learner: &Learner) -> Result<Vec<u8>> {
    let mut tensors = Vec::new();
    for tensor in named_tensors(&learner.clip, learner.config()) {
        tensors.push((tensor.name, tensor.shape, read(tensor.values)?));
    }
    for (i, alpha) in learner.alphas.each.iter().enumerate() {
        tensors.push((format!("{ALPHA}{i}"), vec![1], read(alpha.val())?));
    }
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name, view.expect("shape and elements belong together"))
    });
    safetensors::serialize(views, None).context("packing the weights")
}

/// The state and the three files of a checkpoint, if all are there and as they were written.
fn read_whole(path: &Path) -> Result<(State, [Vec<u8>; 3])> {
    let text = fs::read(path.join(STATE)).with_context(|| format!("reading {STATE}"))?;
    let state: State = serde_json::from_slice(&text).with_context(|| format!("reading {STATE}"))?;
    let read = |name: &str| -> Result<Vec<u8>> {
        let bytes = fs::read(path.join(name)).with_context(|| format!("reading {name}"))?;
        let expected = state.files.iter().find(|(file, _)| file == name).map(|(_, sha256)| sha256.as_str());
        ensure!(expected == Some(sha256(&bytes).as_str()), "{name} is not what was written");
        Ok(bytes)
    };
    let files = [read(WEIGHTS)?, read(CLIP_MOMENTS)?, read(ALPHA_MOMENTS)?];
    Ok((state, files))
}

fn restore(learner: &mut Learner, weights: &[u8], clip_moments: Vec<u8>, alpha_moments: Vec<u8>) -> Result<()> {
    let mut tensors = read_safetensors(weights)?;
    for (i, alpha) in learner.alphas.each.iter_mut().enumerate() {
        let Some(tensor) = tensors.remove(&format!("{ALPHA}{i}")) else { bail!("the checkpoint has no {ALPHA}{i}") };
        let id = alpha.id;
        let device = alpha.val().device();
        *alpha = Param::from_tensor(Tensor::from_floats(tensor.to_f32().as_slice(), &device));
        alpha.id = id;
    }
    let checkpoint = Checkpoint::read_as(tensors, Naming::OpenAi, learner.config().clone())?;
    learner.restore_clip(checkpoint);
    learner.clip_optimiser = restore_moments(&learner.clip_optimiser, clip_moments)?;
    learner.alpha_optimiser = restore_moments(&learner.alpha_optimiser, alpha_moments)?;
    Ok(())
}

/// burn leaves out what it cannot read, so what came in is counted. It puts the state on its default
/// device, which `main` sets to the CPU; the next step moves it to where the parameters are.
fn restore_moments(optimiser: &ModuleOptimizer, bytes: Vec<u8>) -> Result<ModuleOptimizer> {
    let record =
        OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes)).context("unpacking the optimiser's state")?;
    let expected = record.len();
    let restored = optimiser.clone().load_record(record);
    let found = restored.to_record().len();
    ensure!(found == expected, "the optimiser took {found} of {expected} tensors of its saved state");
    Ok(restored)
}
