//! Rows of tables, whatever their format, as records.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tsp_mgs_core::result::FoundPrompt;
use tsp_mgs_data::flags::column_roles;

use crate::images::check_no_address;
use crate::record::{Image, Record, RecordName};

/// The value of `--columns`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputColumns {
    id: Option<String>,
    image: Option<String>,
    prompt: Option<String>,
}

/// Columns that a table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumns {
    /// What results are called by.
    pub id: Option<String>,
    /// Paths or images.
    pub image: String,
    /// Prompts.
    pub prompt: Option<String>,
}

/// What a table says of one image.
pub struct InputRow {
    /// Counted from 1, without the header.
    pub place: u64,
    /// Its id.
    pub id: Option<String>,
    /// The image.
    pub image: ImageCell,
    /// Its prompt.
    pub prompt: Option<String>,
}

/// An image's cell.
pub enum ImageCell {
    /// Null or empty.
    Nothing,
    /// A path, or a `data:` URL.
    Text(String),
    /// The image itself.
    Bytes(Vec<u8>),
}

/// A table's name, and where its images are.
#[derive(Clone, Debug)]
pub struct Table {
    /// For people and for ids.
    pub name: String,
    /// What paths in it are relative to.
    pub folder: PathBuf,
}

impl FromStr for InputColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for (role, name) in column_roles(text)? {
            let place = match role {
                "id" => &mut columns.id,
                "image" => &mut columns.image,
                "prompt" => &mut columns.prompt,
                role => return Err(format!("expected id, image or prompt before `=`, found `{role}`")),
            };
            if place.replace(name.to_owned()).is_some() {
                return Err(format!("{role} is given twice"));
            }
        }
        Ok(columns)
    }
}

impl InputColumns {
    /// Whether somebody said which column has the ids; one that is only called so may be anything.
    pub fn names_id(&self) -> bool {
        self.id.is_some()
    }

    /// The columns of a table that has `found`: what was named has to be there, the rest is taken where it is.
    ///
    /// # Errors
    /// Names the column that is missing.
    pub fn find<'a>(&self, found: impl Iterator<Item = &'a str> + Clone) -> Result<FoundColumns> {
        let has = |name: &str| found.clone().any(|column| column == name);
        let all = || found.clone().collect::<Vec<_>>().join(", ");
        let column = |named: &Option<String>, usual: &[&str]| match named {
            Some(name) if has(name) => Ok(Some(name.clone())),
            Some(name) => Err(anyhow!("expected a column `{name}`, found {}", all())),
            None => Ok(usual.iter().find(|name| has(name)).map(|&name| name.to_owned())),
        };
        Ok(FoundColumns {
            id: column(&self.id, &["id"])?,
            image: column(&self.image, &["image", "path"])?.with_context(|| {
                format!("expected a column `image` or `path`, or --columns image=NAME, found {}", all())
            })?,
            prompt: column(&self.prompt, &["prompt"])?,
        })
    }
}

impl Table {
    /// Of a table file; paths in it are relative to `images`, else to its folder.
    pub fn new(file: &Path, images: Option<&Path>) -> Self {
        let folder = images.or(file.parent()).unwrap_or(Path::new("")).to_owned();
        Self { name: file.display().to_string(), folder }
    }

    /// What a row says, as a record.
    pub fn record(&self, row: InputRow) -> Record {
        let InputRow { place, id, image, prompt } = row;
        let prompt = prompt.map(|prompt| prompt.trim().to_owned()).filter(|prompt| !prompt.is_empty());
        let prompt = prompt.map(|text| FoundPrompt { text, source: "table" });
        let (path, image) = match image {
            ImageCell::Bytes(bytes) => (None, Ok(Image::Bytes(bytes))),
            ImageCell::Text(url) if url.starts_with("data:") => (None, data_url(&url).map(Image::Bytes)),
            ImageCell::Text(path) if !path.trim().is_empty() => match check_no_address(&path) {
                Ok(()) => {
                    let path = self.folder.join(path);
                    (Some(path.to_string_lossy().into_owned()), Ok(Image::File(path)))
                }
                Err(error) => (Some(path), Err(error)),
            },
            ImageCell::Nothing | ImageCell::Text(_) => {
                (None, Err(anyhow!("row {place} of {} has no image", self.name)))
            }
        };
        let id = id.filter(|id| !id.is_empty()).or_else(|| path.clone()).unwrap_or_else(|| self.id(place));
        Record { name: RecordName { id, path }, image, prompt }
    }

    /// A row that cannot be read.
    pub fn failed(&self, place: u64, error: anyhow::Error) -> Record {
        Record::failed(self.id(place), error)
    }

    fn id(&self, place: u64) -> String {
        format!("{}#{place}", self.name)
    }
}

fn data_url(url: &str) -> Result<Vec<u8>> {
    let (_, data) = url.split_once(";base64,").context("expected data:TYPE;base64,…, found another data: URL")?;
    STANDARD.decode(data.trim()).context("the data: URL is not base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_not_named_are_found_by_their_usual_names() {
        let found = |columns: &str, header: &[&str]| {
            let columns: InputColumns = if columns.is_empty() { InputColumns::default() } else { columns.parse()? };
            columns.find(header.iter().copied()).map_err(|error| error.to_string())
        };
        let columns = found("", &["prompt", "path", "id"]).expect("they are there");
        assert_eq!((columns.image.as_str(), columns.id.as_deref()), ("path", Some("id")));
        let columns = found("image=file,id=key", &["file", "key", "image"]).expect("they are there");
        assert_eq!((columns.image.as_str(), columns.id.as_deref(), columns.prompt), ("file", Some("key"), None));
        assert_eq!(found("prompt=text", &["image"]).unwrap_err(), "expected a column `text`, found image");
        assert!(found("", &["a", "b"]).unwrap_err().ends_with("found a, b"));
        assert_eq!(found("mos=a", &["a"]).unwrap_err(), "expected id, image or prompt before `=`, found `mos`");
    }
}
