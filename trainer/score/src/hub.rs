//! Models by name: `ORG/NAME` or `ORG/NAME@REVISION` of the Hugging Face Hub, or of a mirror with the same interface.
//!
//! Files are kept in the cache folder of Python's `huggingface_hub`, in its layout, so that each uses what the other fetched.
//! The crate `hf-hub` (1.0) needs an asynchronous runtime, a TLS library in C and a second transfer protocol, and neither goes
//! on with a broken download nor checks hashes of plain HTTP; so the few requests are made here.

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

use crate::clip_file::WEIGHT_FILES;
use configuration::Configured;

pub use fetch::{Fetched, Hub};
pub use list::{ModelsArgs, run};
pub use name::Name;
pub use settings::Settings;

/// A model on this machine, however it was given.
#[derive(Debug)]
pub struct Found {
    /// The weights file, its folder, or a bundle's folder.
    pub path: PathBuf,
    /// For people: the file's or folder's name, or `ORG/NAME`.
    pub name: String,
    /// The commit of a model on the hub.
    pub commit: Option<String>,
    /// The activation of CLIP weights; a bundle has its own.
    pub activation: Activation,
}

/// CLIP weights: a path if anything stands there, else a name.
///
/// The activation is that of the configuration in a folder or on the hub; of a file alone it is what the flag says.
///
/// # Errors
/// When a name's files cannot be fetched, or the flag contradicts the configuration.
pub fn clip(given: &Path, activation: Option<Activation>) -> Result<Found> {
    if let Some(name) = Name::of_path(given) {
        let fetched = Hub::from_environment()?.clip(&name, activation)?;
        return Ok(Found::fetched(name, fetched));
    }
    let configured = match weights_in(given) {
        Some(weights) => Configured::read(given, weights)?,
        None => None,
    };
    let activation = match configured {
        Some(configured) => configured.agree(activation)?,
        None => activation.unwrap_or_default(),
    };
    Ok(Found { path: given.to_owned(), name: file_name(given), commit: None, activation })
}

/// A bundle: a folder if it is there, else a name.
///
/// # Errors
/// When a name's files cannot be fetched.
pub fn bundle(given: &Path) -> Result<Found> {
    if let Some(name) = Name::of_path(given) {
        let fetched = Hub::from_environment()?.bundle(&name)?;
        return Ok(Found::fetched(name, fetched));
    }
    ensure!(
        given.is_dir(),
        "no such folder; pass the folder of a bundle, as `trainer export` writes it, or a bundle's name on the Hugging Face Hub"
    );
    let activation = Activation::default();
    Ok(Found { path: given.to_owned(), name: file_name(given), commit: None, activation })
}

/// Whether the activation of CLIP weights is known without a flag: weights on the hub without a configuration are refused.
pub fn names_activation(given: &Path) -> bool {
    let is_configured = |weights| matches!(Configured::read(given, weights), Ok(Some(_)));
    Name::of_path(given).is_some() || weights_in(given).is_some_and(is_configured)
}

impl Found {
    fn fetched(name: Name, fetched: Fetched) -> Self {
        let Fetched { path, commit, activation } = fetched;
        Self { path, name: name.id, commit: Some(commit), activation }
    }
}

fn weights_in(folder: &Path) -> Option<&'static str> {
    WEIGHT_FILES.into_iter().find(|file| folder.join(file).is_file())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
