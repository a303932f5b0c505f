//! A record of the input: an image to score, before it is read.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tsp_mgs_core::result::FoundPrompt;

/// The records of an input, in order. They are produced one by one.
pub type Records = Box<dyn Iterator<Item = Record> + Send>;

/// An image of the input.
pub struct Record {
    /// The id and the path in the results.
    pub name: RecordName,
    /// The image, or an error of the input.
    pub image: Result<Image>,
    /// The prompt, if the input has one.
    pub prompt: Option<FoundPrompt>,
}

/// The id and the path of an image in the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordName {
    /// The id of the row in a table. Without one, the path of the image; without a path, the number of the row.
    pub id: String,
    /// The path of the image file. An image in a table's cell has none.
    pub path: Option<String>,
}

/// An encoded image, such as a PNG or JPEG file.
pub enum Image {
    /// The path of a file, which is not yet open.
    File(PathBuf),
    /// The content of a file.
    Bytes(Vec<u8>),
}

impl Record {
    /// Creates a record of an image file.
    pub fn file(path: PathBuf) -> Self {
        Self { name: RecordName::of_path(&path), image: Ok(Image::File(path)), prompt: None }
    }

    /// Creates a record for an item of the input that has no readable image.
    pub fn failed(id: impl Into<String>, error: anyhow::Error) -> Self {
        Self { name: RecordName { id: id.into(), path: None }, image: Err(error), prompt: None }
    }

    /// Creates a record for a file or folder that cannot be read.
    pub fn failed_path(path: &Path, error: anyhow::Error) -> Self {
        Self { name: RecordName::of_path(path), image: Err(error), prompt: None }
    }
}

impl RecordName {
    /// Creates the name of a file, whose id is its path.
    pub fn of_path(path: &Path) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self { id: path.clone(), path: Some(path) }
    }
}

impl Image {
    /// Returns the content of the image file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => {
                // Reading a pipe would block, and reading a device might never end.
                ensure!(fs::metadata(path).context("opening the file")?.is_file(), "not a file");
                fs::read(path).map(Cow::Owned).context("reading the file")
            }
            Self::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Returns the path of the file, if the image is in a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes(_) => None,
        }
    }
}
