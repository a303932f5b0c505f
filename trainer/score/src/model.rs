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

use crate::options::named;
use crate::{clip_file, hub};

/// The built-in demonstration, a bundle trained on synthetic images: the command in docs/train.md makes it.
const DEMO: [(&str, &[u8]); 2] = [
    (MANIFEST, include_bytes!("../../assets/demo/model.json")),
    ("weights-01.safetensors", include_bytes!("../../assets/demo/weights-01.safetensors")),
];

/// Which weights; without a flag, the built-in demonstration, trained on synthetic images.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// CLIP weights: a file, a folder, or a model's name, such as openai/clip-vit-base-patch32
    ///
    /// Scores zero-shot, with CLIP as it is. Files are .safetensors, .bin or .pt with Hugging Face's or OpenAI's names, or the
    /// index of several (.index.json). A name is ORG/NAME or ORG/NAME@REVISION on the Hugging Face Hub: a model that is not on
    /// this machine yet is downloaded into HF_HUB_CACHE. What stands at a path goes before a name. HF_ENDPOINT, HF_TOKEN and
    /// HF_HUB_OFFLINE are followed; `trainer models` lists names.
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "model")]
    pub clip: Option<PathBuf>,

    /// A model bundle, as `trainer export` writes it: a folder, or its name on the Hugging Face Hub
    #[arg(long, value_name = "DIR|NAME")]
    pub model: Option<PathBuf>,

    /// Activation of --clip, if it is a file: quick_gelu (OpenAI; the default) or gelu (most of LAION's)
    ///
    /// A name's, and a folder's with a config.json or open_clip_config.json, is taken from there; a flag that contradicts it is
    /// an error.
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
    /// The folder of a bundle that is not built in.
    pub folder: Option<PathBuf>,
    /// The commit of a model on the hub.
    pub commit: Option<String>,
}

impl Model {
    /// Opens what the flags name; the built-in demonstration when they name nothing.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn open(args: &ModelArgs) -> Result<Self> {
        match (&args.clip, &args.model) {
            (Some(given), _) => Self::open_clip(given, args.activation)
                .with_context(|| format!("reading CLIP weights from {}", given.display())),
            (None, Some(given)) => {
                Self::open_named_bundle(given).with_context(|| format!("reading the model bundle {}", given.display()))
            }
            (None, None) => Self::built_in().context("reading the built-in weights"),
        }
    }

    /// Where its weights come from: the name, with its commit if it is of the hub.
    pub fn source(&self) -> String {
        match &self.commit {
            Some(commit) => format!("{}@{commit}", self.name),
            None => self.name.clone(),
        }
    }

    /// What features are kept under: the start of the hash, and the activation that no tensor tells, if it is not CLIP's own.
    pub fn features_key(&self) -> String {
        let hash = &self.sha256[..16];
        match self.checkpoint.config().activation {
            Activation::QuickGelu => hash.to_owned(),
            Activation::Gelu => format!("{hash}.gelu"),
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

    fn open_clip(given: &Path, activation: Option<Activation>) -> Result<Self> {
        let found = hub::clip(given, activation)?;
        let (tensors, sha256) = clip_file::read(&found.path)?;
        Ok(Self {
            checkpoint: Checkpoint::read(tensors, found.activation)?,
            tasks: zero_shot(),
            name: found.name,
            sha256,
            warning: None,
            prompt_features: None,
            folder: None,
            commit: found.commit,
        })
    }

    fn open_named_bundle(given: &Path) -> Result<Self> {
        let found = hub::bundle(given)?;
        Ok(Self { commit: found.commit, ..Self::open_bundle(&found.path)? })
    }

    /// Opens a bundle's folder.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn open_bundle(folder: &Path) -> Result<Self> {
        let read = |name: &str| fs::read(folder.join(name)).map(Cow::Owned).with_context(|| format!("reading {name}"));
        Ok(Self { folder: Some(folder.to_owned()), ..Self::read_bundle(read)? })
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
            folder: None,
            commit: None,
        })
    }
}

/// CLIP as it is scores both tasks.
fn zero_shot() -> Vec<Options> {
    [Task::Perception, Task::Alignment].map(Options::default_for).into()
}
