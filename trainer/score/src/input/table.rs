//! The columns and rows of a table in any format, and the conversion of a row to a record.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tsp_mgs_core::result::FoundPrompt;
use tsp_mgs_data::flags::column_roles;
use tsp_mgs_data::image_cell::ImageCell;

use super::images::check_no_address;
use super::record::{Image, Record, RecordName};

/// The value of `--columns`: the names of columns that the user chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputColumns {
    id: Option<String>,
    image: Option<String>,
    prompt: Option<String>,
}

/// The names of the columns of a table that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumns {
    /// The column of the ids, if the table has one.
    pub id: Option<String>,
    /// The column of the images or their paths.
    pub image: String,
    /// The column of the prompts, if the table has one.
    pub prompt: Option<String>,
}

/// One row of a table.
pub struct InputRow {
    /// The number of the row, counted from 1 after the header.
    pub number: u64,
    /// The id. An empty one counts as none.
    pub id: Option<String>,
    /// The image or its path.
    pub image: ImageCell,
    /// The prompt. An empty one counts as none.
    pub prompt: Option<String>,
}

/// The name of a table, and the folder of its images.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name in messages and ids.
    pub name: String,
    /// The folder that paths in the table are relative to.
    pub folder: PathBuf,
}

impl FromStr for InputColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for (role, name) in column_roles(text)? {
            let column = match role {
                "id" => &mut columns.id,
                "image" => &mut columns.image,
                "prompt" => &mut columns.prompt,
                role => return Err(format!("expected id, image or prompt before `=`, found `{role}`")),
            };
            if column.replace(name.to_owned()).is_some() {
                return Err(format!("{role} is given twice"));
            }
        }
        Ok(columns)
    }
}

impl InputColumns {
    /// Returns whether the user chose the column of the ids. A column that is merely named `id` may contain anything.
    pub fn names_id(&self) -> bool {
        self.id.is_some()
    }

    /// Selects columns of a table that has the columns `found`. A column that the user did not choose gets its default
    /// name.
    ///
    /// # Errors
    /// Returns an error if a chosen column or the image column is missing.
    pub fn find<'a>(&self, found: impl Iterator<Item = &'a str> + Clone) -> Result<FoundColumns> {
        let has = |name: &str| found.clone().any(|column| column == name);
        let all = || found.clone().collect::<Vec<_>>().join(", ");
        let column = |chosen: &Option<String>, defaults: &[&str]| match chosen {
            Some(name) if has(name) => Ok(Some(name.clone())),
            Some(name) => Err(anyhow!("expected a column `{name}`, found {}", all())),
            None => Ok(defaults.iter().find(|name| has(name)).map(|&name| name.to_owned())),
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
    /// Creates the table of a file. Paths are relative to `images`, or else to the folder of the file.
    pub fn new(file: &Path, images: Option<&Path>) -> Self {
        let folder = images.or(file.parent()).unwrap_or(Path::new("")).to_owned();
        Self { name: file.display().to_string(), folder }
    }

    /// Returns the record of a row.
    pub fn record(&self, row: InputRow) -> Record {
        let InputRow { number, id, image, prompt } = row;
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
            ImageCell::Empty | ImageCell::Text(_) => (None, Err(anyhow!("row {number} of {} has no image", self.name))),
        };
        let id = id.filter(|id| !id.is_empty()).or_else(|| path.clone()).unwrap_or_else(|| self.id(number));
        Record { name: RecordName { id, path }, image, prompt }
    }

    /// Returns the record of a row that cannot be read.
    pub fn failed(&self, number: u64, error: anyhow::Error) -> Record {
        Record::failed(self.id(number), error)
    }

    fn id(&self, number: u64) -> String {
        format!("{}#{number}", self.name)
    }
}

fn data_url(url: &str) -> Result<Vec<u8>> {
    let (_, data) = url.split_once(";base64,").context("expected a URL data:TYPE;base64,…, found another data: URL")?;
    STANDARD.decode(data.trim()).context("the content of the data: URL is not base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_not_chosen_are_found_by_their_default_names() {
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
