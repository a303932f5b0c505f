//! From `--clip`, `--model` or nothing to a model that scores.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::Args;
use tsp_mgs_core::bundle::{BundleReader, MANIFEST, Manifest, sha256};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::error::Error;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::scorer::{ImageTower, PromptFeatures, Scorer};

use crate::clip_file;
use crate::options::named;

/// The built-in demonstration, a bundle trained on synthetic images: the command in docs/train.md makes it.
const DEMO: [(&str, &[u8]); 2] = [
    (MANIFEST, include_bytes!("../../assets/demo/model.json")),
    ("weights-01.safetensors", include_bytes!("../../assets/demo/weights-01.safetensors")),
];

/// Which weights; without a flag, the built-in demonstration, trained on synthetic images.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// CLIP weights: .safetensors, .bin or .pt with Hugging Face's or OpenAI's names
    ///
    /// Or their folder, or the index of weights in several files (.index.json). Scores zero-shot, with CLIP as it is.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub clip: Option<PathBuf>,

    /// A model bundle, as `trainer export` writes it
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// Activation of --clip: quick_gelu (OpenAI; the default) or gelu (most of LAION's weights)
    #[arg(long, value_name = "NAME", value_parser = named::<Activation>(&["quick_gelu", "gelu"]), requires = "clip")]
    pub activation: Option<Activation>,
}

/// Weights in host memory with all that is known of them.
pub struct Model {
    /// The weights.
    pub checkpoint: Checkpoint<'static>,
    /// The options of each task that it scores.
    pub tasks: Vec<Options>,
    /// For people: the name of its file or bundle.
    pub name: String,
    /// SHA-256 of the weights' file, or of a bundle's `model.json`, which holds those of its shards.
    pub sha256: String,
    /// What every result must say.
    pub warning: Option<String>,
    /// Features of its prompts, where it has no text tower.
    pub prompt_features: Option<PromptFeatures>,
}

impl Model {
    /// Opens what the flags name; the built-in demonstration when they name nothing.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn open(args: &ModelArgs) -> Result<Self> {
        match (&args.clip, &args.model) {
            (Some(file), _) => Self::open_clip(file, args.activation.unwrap_or_default())
                .with_context(|| format!("reading CLIP weights from {}", file.display())),
            (None, Some(folder)) => {
                Self::open_bundle(folder).with_context(|| format!("reading the model bundle {}", folder.display()))
            }
            (None, None) => Self::built_in().context("reading the built-in weights"),
        }
    }

    /// The name with the start of the hash, as results give it.
    pub fn label(&self) -> String {
        format!("{} sha256:{}", self.name, &self.sha256[..12])
    }

    /// Moves the weights to a device, piece by piece, and makes a scorer with these options.
    ///
    /// # Errors
    /// When the options contradict each other or the model.
    pub fn into_scorer(self, tasks: Vec<Options>, tower: ImageTower, device: &Device) -> Result<Scorer, Error> {
        Scorer::load(self.checkpoint, self.prompt_features.as_ref(), tasks, tower, device.clone())
    }

    /// The same of a copy of the weights.
    ///
    /// # Errors
    /// As [`Self::into_scorer`].
    pub fn scorer(&self, tasks: Vec<Options>, tower: ImageTower, device: &Device) -> Result<Scorer, Error> {
        Scorer::load(self.checkpoint.clone(), self.prompt_features.as_ref(), tasks, tower, device.clone())
    }

    fn built_in() -> Result<Self> {
        Self::read_bundle(|name| {
            let file = DEMO.iter().find(|(file, _)| *file == name);
            file.map(|(_, bytes)| Cow::Borrowed(*bytes)).with_context(|| format!("{name} is not built in"))
        })
    }

    fn open_clip(path: &Path, activation: Activation) -> Result<Self> {
        let (tensors, sha256) = clip_file::read(path)?;
        Ok(Self {
            checkpoint: Checkpoint::read(tensors, activation)?,
            tasks: zero_shot(),
            name: file_name(path),
            sha256,
            warning: None,
            prompt_features: None,
        })
    }

    /// Opens a bundle's folder.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn open_bundle(folder: &Path) -> Result<Self> {
        Self::read_bundle(|name| fs::read(folder.join(name)).map(Cow::Owned).with_context(|| format!("reading {name}")))
    }

    fn read_bundle(file: impl Fn(&str) -> Result<Cow<'static, [u8]>>) -> Result<Self> {
        let json = file(MANIFEST)?;
        let mut reader = BundleReader::new(Manifest::parse(&json)?);
        while let Some(shard) = reader.next_shard() {
            let bytes = file(&shard.name)?;
            reader.add(&bytes)?;
        }
        let bundle = reader.finish()?;
        Ok(Self {
            checkpoint: bundle.checkpoint,
            tasks: bundle.manifest.tasks.into_values().collect(),
            name: bundle.manifest.name,
            sha256: sha256(&json),
            warning: bundle.manifest.warning,
            prompt_features: bundle.prompt_features,
        })
    }
}

/// CLIP as it is scores both tasks.
fn zero_shot() -> Vec<Options> {
    [Task::Perception, Task::Alignment].map(Options::default_for).into()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
