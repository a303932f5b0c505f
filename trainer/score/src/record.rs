//! One image to score, before it is read.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tsp_mgs_core::result::FoundPrompt;

/// Records as they are found.
pub type Records = Box<dyn Iterator<Item = Record> + Send>;

/// What the input says of one image.
pub struct Record {
    /// What it is called in the results.
    pub name: Name,
    /// The image, or what is wrong with this place of the input.
    pub image: Result<Image>,
    /// The prompt, where the input has one.
    pub prompt: Option<FoundPrompt>,
}

/// What a row of the results is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The row's id in a table; else its path, else its place in the table.
    pub id: String,
    /// The image's file; none for an image that came as bytes.
    pub path: Option<String>,
}

/// An image in its file format.
pub enum Image {
    /// In a file, which has not been opened.
    File(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

impl Record {
    /// An image file without more.
    pub fn file(path: PathBuf) -> Self {
        Self { name: Name::of_path(&path), image: Ok(Image::File(path)), prompt: None }
    }

    /// A place of the input where no image can be had.
    pub fn failed(id: impl Into<String>, error: anyhow::Error) -> Self {
        Self { name: Name { id: id.into(), path: None }, image: Err(error), prompt: None }
    }

    /// A file or folder that cannot be read.
    pub fn failed_path(path: &Path, error: anyhow::Error) -> Self {
        Self { name: Name::of_path(path), image: Err(error), prompt: None }
    }
}

impl Name {
    /// Of a file that is called by its path.
    pub fn of_path(path: &Path) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self { id: path.clone(), path: Some(path) }
    }
}

impl Image {
    /// The file's bytes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => {
                // A pipe that a table names would be waited for, a device read without end.
                ensure!(fs::metadata(path).context("opening the file")?.is_file(), "not a file");
                fs::read(path).map(Cow::Owned).context("reading the file")
            }
            Self::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Its file, if it has one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes(_) => None,
        }
    }
}
