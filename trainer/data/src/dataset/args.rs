//! Flags that select a data set.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::columns::{Columns, PropertySource};
use super::layout::Layout;
use crate::flags::column_roles;

/// Flags that select a data set: images, prompts and opinion scores.
#[derive(Clone, Debug, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Table of opinion scores, or its folder
    ///
    /// Known layouts: AGIQA-3K, AGIQA-1K, AIGCIQA2023 and AIGIQA-20K as published, and data sets of `trainer synth`.
    /// Another CSV or Parquet file needs --columns. A Parquet file may hold the images themselves. A file AGIQA-3K.parquet,
    /// or one with the name of another known layout, needs no --columns: it has the columns of the published table and a
    /// column `image`.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,

    /// Layout of the table; default: detected from its first row
    #[arg(long, value_name = "LAYOUT", value_enum, conflicts_with = "columns")]
    #[serde(default)]
    pub layout: Option<Layout>,

    /// Folder of the images; default: the folder of the table
    ///
    /// The folder is searched with its subfolders. With this flag, the file DIR/NAME takes precedence over other files
    /// of this name.
    #[arg(long, value_name = "DIR")]
    #[serde(default)]
    pub images: Option<PathBuf>,

    /// Columns of another table: image=NAME,prompt=NAME,mos=NAME
    ///
    /// image is required, and so is at least one of perception and alignment; mos means perception. prompt, generator
    /// and style are optional. Scores may be any finite numbers. The scale of the model is 0 to 5. Images are paths or,
    /// in Parquet, bytes or Hugging Face's images; for these, name=NAME may name the images.
    #[arg(long, value_name = "NAMES")]
    #[serde(default)]
    pub columns: Option<OpinionColumns>,

    /// Omit wrong rows instead of stopping; the report lists them
    #[arg(long)]
    #[serde(default)]
    pub skip_bad: bool,
}

/// The names of a table's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpinionColumns {
    /// The column of images, or of their paths relative to the folder of images.
    pub image: String,
    /// The column of names, for images that the table itself has. By default, the paths beside the images are names.
    pub name: Option<String>,
    /// The column of prompts.
    pub prompt: Option<String>,
    /// The column of perception scores.
    pub perception: Option<String>,
    /// The column of alignment scores.
    pub alignment: Option<String>,
    /// The column of generators, which are the models that generated the images.
    pub generator: Option<String>,
    /// The column of the styles that prompts ask for.
    pub style: Option<String>,
}

impl OpinionColumns {
    /// Returns the names of all columns, in the order of the fields and without repetition.
    pub(crate) fn all(&self) -> Vec<&str> {
        let optional = [&self.name, &self.prompt, &self.perception, &self.alignment, &self.generator, &self.style];
        let mut names = vec![self.image.as_str()];
        for name in optional.into_iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Finds the columns in a header.
    ///
    /// # Errors
    /// Returns the name of the first column that is missing.
    pub(crate) fn find<'a>(&'a self, header: &[String]) -> Result<Columns, &'a str> {
        let column = |name: &'a str| header.iter().position(|found| found.trim() == name).ok_or(name);
        let optional = |name: &'a Option<String>| name.as_deref().map(column).transpose();
        let source = |name| optional(name).map(|column| column.map_or(PropertySource::Absent, PropertySource::Column));
        Ok(Columns {
            prompt: optional(&self.prompt)?,
            perception: optional(&self.perception)?,
            alignment: optional(&self.alignment)?,
            generator: source(&self.generator)?,
            style: source(&self.style)?,
            ..Columns::with_name(column(self.name.as_ref().unwrap_or(&self.image))?)
        })
    }

    /// Finds the columns of images and, if there is one, of prompts in the header of a list.
    ///
    /// # Errors
    /// Returns the name of the image column if it is missing.
    pub(crate) fn find_in_list<'a>(&'a self, header: &[String]) -> Result<Columns, &'a str> {
        let column = |name: &str| header.iter().position(|found| found.trim() == name);
        let name = self.name.as_ref().unwrap_or(&self.image);
        let image = column(name).ok_or(name.as_str())?;
        Ok(Columns { prompt: self.prompt.as_deref().and_then(column), ..Columns::with_name(image) })
    }
}

impl FromStr for OpinionColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for (role, name) in column_roles(text)? {
            let name = name.to_owned();
            let column = match role {
                "image" if columns.image.is_empty() => {
                    columns.image = name;
                    continue;
                }
                "image" => return Err("image is given twice".to_owned()),
                "name" => &mut columns.name,
                "prompt" => &mut columns.prompt,
                "mos" | "perception" => &mut columns.perception,
                "alignment" => &mut columns.alignment,
                "generator" => &mut columns.generator,
                "style" => &mut columns.style,
                role => {
                    return Err(format!(
                        "expected image, name, prompt, mos, perception, alignment, generator or style before `=`, found `{role}`"
                    ));
                }
            };
            if column.replace(name).is_some() {
                return Err(format!("{role} is given twice, or as mos and as perception"));
            }
        }
        if columns.image.is_empty() {
            return Err("expected image=NAME".to_owned());
        }
        if columns.perception.is_none() && columns.alignment.is_none() {
            return Err("expected a column of scores: mos=NAME, perception=NAME or alignment=NAME".to_owned());
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_and_mos_means_perception() {
        let columns: OpinionColumns = "image=file,mos=q,alignment=a,style=s".parse().expect("it reads");
        assert_eq!(columns.all(), ["file", "q", "a", "s"]);
        assert_eq!((columns.perception.as_deref(), columns.prompt), (Some("q"), None));
    }

    #[test]
    fn wrong_columns_say_what_was_expected() {
        for (text, expected) in [
            ("image", "expected ROLE=NAME"),
            ("image=,mos=a", "name of a column after `image=`"),
            ("image=a", "a column of scores"),
            ("mos=a", "expected image=NAME"),
            ("image=a,mos=b,perception=c", "given twice"),
            ("image=a,picture=b", "found `picture`"),
        ] {
            let error = text.parse::<OpinionColumns>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
