//! Models by name: `ORG/NAME` or `ORG/NAME@REVISION` of the Hugging Face Hub, or of a mirror with the same interface.
//!
//! Files are stored in the cache folder of the Python package `huggingface_hub`, in its layout, so that both programs
//! share their downloads.
//!
//! The crate `hf-hub` (1.0) is not used. It needs an asynchronous runtime, a TLS library in C and a second transfer
//! protocol. It does not resume downloads, and does not check the hashes of files from plain HTTP.

mod cache;
pub mod card;
mod client;
mod configuration;
mod download;
mod failure;
mod fetch;
mod known;
mod list;
mod name;
mod partial;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tsp_mgs_core::config::Activation;

use crate::weights::clip_file::WEIGHT_FILES;
use configuration::ConfiguredActivation;

pub use fetch::{FetchedModel, Hub};
pub use list::{ModelsArgs, run};
pub use name::Name;
pub use settings::Settings;

/// A model on this machine, which was given by path or by name.
#[derive(Debug)]
pub struct LocalModel {
    /// The weights file, the folder of the weights file, or the folder of a bundle.
    pub path: PathBuf,
    /// The name of the file or folder, or `ORG/NAME`, to be shown.
    pub name: String,
    /// The commit of the model, if it comes from the hub.
    pub commit: Option<String>,
    /// The activation of CLIP weights. It has no meaning for a bundle, whose manifest has the activation.
    pub activation: Activation,
}

/// Finds CLIP weights. An existing path takes precedence over a name on the hub, whose files are fetched.
///
/// The activation is read from the configuration in the folder or on the hub. For a file alone, `activation` is used.
///
/// # Errors
/// Returns an error if the files of a name cannot be fetched, or if `activation` contradicts the configuration.
pub fn clip(given: &Path, activation: Option<Activation>) -> Result<LocalModel> {
    if let Some(name) = Name::of_path(given) {
        let fetched = Hub::from_environment()?.clip(&name, activation)?;
        return Ok(LocalModel::from_hub(name, fetched));
    }
    let configured = match weights_in(given) {
        Some(weights) => ConfiguredActivation::read(given, weights)?,
        None => None,
    };
    let activation = match configured {
        Some(configured) => configured.check_flag(activation)?,
        None => activation.unwrap_or_default(),
    };
    Ok(LocalModel { path: given.to_owned(), name: file_name(given), commit: None, activation })
}

/// Finds a bundle. An existing folder takes precedence over a name on the hub, whose files are fetched.
///
/// # Errors
/// Returns an error if the files of a name cannot be fetched.
pub fn bundle(given: &Path) -> Result<LocalModel> {
    if let Some(name) = Name::of_path(given) {
        let fetched = Hub::from_environment()?.bundle(&name)?;
        return Ok(LocalModel::from_hub(name, fetched));
    }
    ensure!(
        given.is_dir(),
        "no such folder; pass a folder that `trainer export` wrote, or the name of a bundle on the Hugging Face Hub"
    );
    let activation = Activation::default();
    Ok(LocalModel { path: given.to_owned(), name: file_name(given), commit: None, activation })
}

/// Returns whether the activation of CLIP weights is known without a flag.
///
/// This is true for every name on the hub: weights there without a configuration are an error.
pub fn names_activation(given: &Path) -> bool {
    let is_configured = |weights| matches!(ConfiguredActivation::read(given, weights), Ok(Some(_)));
    Name::of_path(given).is_some() || weights_in(given).is_some_and(is_configured)
}

impl LocalModel {
    fn from_hub(name: Name, fetched: FetchedModel) -> Self {
        let FetchedModel { path, commit, activation } = fetched;
        Self { path, name: name.id, commit: Some(commit), activation }
    }
}

/// Returns the name of the weights file in a folder.
fn weights_in(folder: &Path) -> Option<&'static str> {
    WEIGHT_FILES.into_iter().find(|file| folder.join(file).is_file())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
