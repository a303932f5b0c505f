//! Checkpoints of a run: all state that the next step depends on.
//!
//! A checkpoint is a folder. It is written under a temporary name, flushed, and then renamed, so that it is complete or
//! absent. [`Checkpoints::open`] removes the temporary folders of a killed process.

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
use tsp_mgs_data::failpoint::failpoint;
use tsp_mgs_data::files::{flush_folder, put_in_place, remove_unfinished, unfinished_folder, write_flushed};

use crate::history::Progress;
use crate::learner::Learner;
use crate::read_back::read;

const WEIGHTS: &str = "weights.safetensors";
const CLIP_MOMENTS: &str = "optimiser.bpk";
const ALPHA_MOMENTS: &str = "alpha-optimiser.bpk";
const STATE: &str = "state.json";
/// Prefix of the names of the αs, `alpha.0` and `alpha.1`, in the weight file.
const ALPHA: &str = "alpha.";

/// The folder `checkpoints` of a run.
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

/// The content of `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The progress of the run.
    pub progress: Progress,
    /// Names and SHA-256 of the other files of the checkpoint.
    pub files: Vec<(String, String)>,
}

impl Checkpoints {
    /// Opens the folder, or creates it, and removes unfinished checkpoints.
    ///
    /// # Errors
    /// Fails if the folder cannot be created or read.
    pub fn open(folder: &Path, keep: usize) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        remove_unfinished(folder)?;
        Ok(Self { folder: folder.to_owned(), keep: keep.max(1) })
    }

    /// Writes a checkpoint, then removes all but the newest `keep` checkpoints.
    ///
    /// # Errors
    /// Fails if the checkpoint cannot be written. No part of it remains then, and the earlier checkpoints stay.
    pub fn save(&self, learner: &Learner, progress: &Progress) -> Result<()> {
        let staging = unfinished_folder(&self.folder)?;
        let mut state = State { progress: progress.clone(), files: Vec::new() };
        let moments =
            |optimiser: &ModuleOptimizer| optimiser.into_bytes().context("serialising the state of the optimiser");
        let files = [
            (WEIGHTS, weights(learner)?),
            (CLIP_MOMENTS, moments(&learner.clip_optimiser)?.to_vec()),
            (ALPHA_MOMENTS, moments(&learner.alpha_optimiser)?.to_vec()),
        ];
        let name = format!("{:05}-{:06}", progress.epoch, progress.step);
        let write = |file: &str, bytes: &[u8]| {
            write_flushed(&staging.path().join(file), bytes).with_context(|| {
                let place = self.folder.join(&name);
                format!("writing {file} of the checkpoint {}; the earlier checkpoints are complete", place.display())
            })
        };
        for (file, bytes) in files {
            write(file, &bytes)?;
            state.files.push((file.to_owned(), sha256(&bytes)));
        }
        write(STATE, serde_json::to_string_pretty(&state).expect("the state is plain data").as_bytes())?;
        failpoint("checkpoint-written");
        let target = self.folder.join(&name);
        // A checkpoint of this name is damaged: `load_newest` would have resumed from a complete one.
        put_in_place(&staging.keep(), &target)?;
        flush_folder(&self.folder).with_context(|| format!("writing {}", self.folder.display()))?;
        failpoint("checkpoint-in-place");
        self.remove_old()
    }

    /// Loads the newest complete checkpoint into `learner` and returns its progress, or `None` if there is no
    /// checkpoint.
    ///
    /// Damaged checkpoints are skipped, with a note on standard error.
    ///
    /// # Errors
    /// Fails if the newest complete checkpoint belongs to another model.
    pub fn load_newest(&self, learner: &mut Learner) -> Result<Option<Progress>> {
        for path in self.list()?.into_iter().rev() {
            let (state, files) = match read_complete(&path) {
                Ok(complete) => complete,
                Err(error) => {
                    eprintln!("note: skipping the damaged checkpoint {}: {error:#}", path.display());
                    continue;
                }
            };
            let [weights, clip_moments, alpha_moments] = files;
            restore(learner, &weights, clip_moments, alpha_moments)
                .with_context(|| format!("resuming from {}", path.display()))?;
            return Ok(Some(state.progress));
        }
        Ok(None)
    }

    /// Finished checkpoints, oldest first.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
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

/// The parameters of the towers and the αs as a safetensors file.
fn weights(learner: &Learner) -> Result<Vec<u8>> {
    let mut tensors = Vec::new();
    for tensor in named_tensors(&learner.clip, learner.config()) {
        tensors.push((tensor.name, tensor.shape, read(tensor.values)?));
    }
    for (i, alpha) in learner.alphas.logits.iter().enumerate() {
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
    safetensors::serialize(views, None).context("serialising the weights")
}

/// Reads the state and the three other files of a checkpoint.
///
/// # Errors
/// Fails if a file is missing or its hash differs from the one in the state.
fn read_complete(path: &Path) -> Result<(State, [Vec<u8>; 3])> {
    let text = fs::read(path.join(STATE)).with_context(|| format!("reading {STATE}"))?;
    let state: State = serde_json::from_slice(&text).with_context(|| format!("reading {STATE}"))?;
    let read = |name: &str| -> Result<Vec<u8>> {
        let bytes = fs::read(path.join(name)).with_context(|| format!("reading {name}"))?;
        let expected = state.files.iter().find(|(file, _)| file == name).map(|(_, sha256)| sha256.as_str());
        ensure!(expected == Some(sha256(&bytes).as_str()), "{name} differs from the hash in {STATE}");
        Ok(bytes)
    };
    let files = [read(WEIGHTS)?, read(CLIP_MOMENTS)?, read(ALPHA_MOMENTS)?];
    Ok((state, files))
}

fn restore(learner: &mut Learner, weights: &[u8], clip_moments: Vec<u8>, alpha_moments: Vec<u8>) -> Result<()> {
    let mut tensors = read_safetensors(weights)?;
    for (i, alpha) in learner.alphas.logits.iter_mut().enumerate() {
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

/// Reads the moments of an optimiser.
///
/// burn skips entries that it cannot read, so the number of entries is compared. burn puts the state on its default
/// device, which `main` sets to the CPU. The next step moves it to the device of the parameters.
fn restore_moments(optimiser: &ModuleOptimizer, bytes: Vec<u8>) -> Result<ModuleOptimizer> {
    let record =
        OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes)).context("reading the state of the optimiser")?;
    let expected = record.len();
    let restored = optimiser.clone().load_record(record);
    let found = restored.to_record().len();
    ensure!(found == expected, "the optimiser restored {found} of {expected} tensors of its saved state");
    Ok(restored)
}
