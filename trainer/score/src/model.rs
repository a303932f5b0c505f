//! Opens the model that the flags `--clip` and `--model` name, or the built-in one.

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

use crate::hub;
use crate::options::named;
use crate::weights::clip_file;

/// The built-in demonstration: a bundle that was trained on synthetic images. `docs/train.md` has the command.
const DEMO: [(&str, &[u8]); 2] = [
    (MANIFEST, include_bytes!("../../assets/demo/model.json")),
    ("weights-01.safetensors", include_bytes!("../../assets/demo/weights-01.safetensors")),
];

/// Flags that select the weights. Without a flag, the built-in demonstration is used, which is trained on synthetic
/// images.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// CLIP weights: a file, a folder, or the name of a model such as openai/clip-vit-base-patch32
    ///
    /// The model scores zero-shot: its weights are not changed. A file is .safetensors, .bin or .pt with the tensor
    /// names of Hugging Face or OpenAI, or the index of several files (.index.json). A name is ORG/NAME or
    /// ORG/NAME@REVISION on the Hugging Face Hub. A model that is not on this machine yet is downloaded into
    /// HF_HUB_CACHE. An existing path takes precedence over a name. The variables HF_ENDPOINT, HF_TOKEN and
    /// HF_HUB_OFFLINE are used. `trainer models` lists names.
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "model")]
    pub clip: Option<PathBuf>,

    /// A model bundle that `trainer export` wrote: a folder, or its name on the Hugging Face Hub
    #[arg(long, value_name = "DIR|NAME")]
    pub model: Option<PathBuf>,

    /// Activation of a weights file: quick_gelu (OpenAI; the default) or gelu (most models of LAION)
    ///
    /// For a model by name, and for a folder with config.json or open_clip_config.json, the activation is read from the
    /// configuration. A flag that contradicts the configuration is an error.
    #[arg(long, value_name = "NAME", value_parser = named::<Activation>(&["quick_gelu", "gelu"]), requires = "clip")]
    pub activation: Option<Activation>,
}

/// The weights of a model in host memory, and what is known about them.
pub struct Model {
    /// All parameters of the model.
    pub checkpoint: Checkpoint<'static>,
    /// The options of each task that the model scores.
    pub tasks: Vec<Options>,
    /// The name of the weights file or the bundle, to be shown.
    pub name: String,
    /// The SHA-256 of the weights file in hexadecimal. For a bundle, that of `model.json`, which contains the hashes of
    /// the shards.
    pub sha256: String,
    /// A warning to show with every result.
    pub warning: Option<String>,
    /// The features of the prompts, if the model has no text tower.
    pub prompt_features: Option<PromptFeatures>,
    /// The folder of the bundle, unless the bundle is built in.
    pub folder: Option<PathBuf>,
    /// The commit of the model, if it comes from the Hugging Face Hub.
    pub commit: Option<String>,
}

impl Model {
    /// Opens the model that the flags name, or the built-in demonstration if they name none.
    ///
    /// # Errors
    /// Returns an error that names the file and the problem in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_score::model::{Model, ModelArgs};
    ///
    /// let model = Model::open(&ModelArgs::default())?;
    /// assert_eq!(model.tasks.len(), 2);
    /// assert!(model.warning.is_some(), "the demonstration is trained on synthetic images only");
    /// # anyhow::Ok(())
    /// ```
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

    /// Returns the source of the weights: the name, and the commit of a model from the Hugging Face Hub.
    pub fn source(&self) -> String {
        match &self.commit {
            Some(commit) => format!("{}@{commit}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the key of stored features: the start of the hash, and the activation if it is not QuickGELU. The hash
    /// does not determine the activation.
    pub fn features_key(&self) -> String {
        let hash = &self.sha256[..16];
        match self.checkpoint.config().activation {
            Activation::QuickGelu => hash.to_owned(),
            Activation::Gelu => format!("{hash}.gelu"),
        }
    }

    /// Returns the name and the start of the hash, as results contain them.
    pub fn label(&self) -> String {
        format!("{} sha256:{}", self.name, &self.sha256[..12])
    }

    /// Creates a scorer, and moves the weights to the device tensor by tensor.
    ///
    /// # Errors
    /// Returns an error if the options contradict each other or the model.
    pub fn into_scorer(self, tasks: Vec<Options>, tower: ImageTower, device: &Device) -> Result<Scorer, Error> {
        Scorer::load(self.checkpoint, self.prompt_features.as_ref(), tasks, tower, device.clone())
    }

    /// Creates a scorer with a copy of the weights.
    ///
    /// # Errors
    /// Returns an error in the cases of [`Self::into_scorer`].
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

    /// Opens the bundle in a folder.
    ///
    /// # Errors
    /// Returns an error that names the file and the problem in it.
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

/// Returns the default options of both tasks, for CLIP weights without training.
fn zero_shot() -> Vec<Options> {
    [Task::Perception, Task::Alignment].map(Options::default_for).into()
}
