//! `--gallery`: a static web site with a page, the table that the page shows, and thumbnails.
//!
//! The site is written to a temporary folder, which is moved to its place at the end. A run that fails or is killed changes
//! nothing.

mod assets;
mod entry;
mod folder;
mod names;
mod page;
pub mod thumbnail;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tsp_mgs_core::result::Run;
use tsp_mgs_data::files::{parent, put_in_place, unfinished_folder, write_flushed};
use tsp_mgs_data::terminal::printable;

use crate::results::row::ResultRow;
use assets::{SCRIPTS, SCRIPTS_FOLDER};
use entry::Entry;
use names::Names;
use page::About;

const PAGE: &str = "index.html";
const TABLE: &str = "scores.jsonl";
const STYLES: &str = "page.css";
const ICON: &str = "icon.svg";
const THUMBNAILS: &str = "thumbnails";
/// The number of images in the HTML of the page. A script shows the others.
const IN_PAGE: usize = 200;

/// A gallery that is being written.
pub struct Gallery {
    out: PathBuf,
    staging: TempDir,
    table: BufWriter<File>,
    names: Names,
    title: String,
    images: u64,
    /// The best images so far: at least [`IN_PAGE`] of them, and less than twice as many.
    best: Vec<Entry>,
    /// The notes that all scored images have in common. `None` before the first scored image.
    notes: Option<Vec<String>>,
}

impl Gallery {
    /// Checks that a gallery of the images in `inputs` can be written to `out`.
    ///
    /// # Errors
    /// Returns an error if `out` holds something else than a gallery, if it holds a gallery that is not to be overwritten,
    /// or if it lies among the images.
    pub fn check(out: &Path, is_overwritten: bool, inputs: &[PathBuf]) -> Result<()> {
        folder::check(out, is_overwritten, inputs)
    }

    /// Creates a gallery of the images in `inputs`, in a temporary folder beside `out`.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be written.
    pub fn begin(out: &Path, inputs: &[PathBuf]) -> Result<Self> {
        let staging = unfinished_folder(parent(out))?;
        let begin = || -> std::io::Result<BufWriter<File>> {
            fs::create_dir(staging.path().join(THUMBNAILS))?;
            Ok(BufWriter::new(File::create(staging.path().join(TABLE))?))
        };
        let table = begin().with_context(|| format!("writing into {}", staging.path().display()))?;
        let title = match inputs {
            [folder] if folder.is_dir() => folder.file_name().map(|name| name.to_string_lossy().into_owned()),
            _ => None,
        };
        Ok(Self {
            out: out.to_owned(),
            staging,
            table,
            names: Names::new(inputs),
            title: title.unwrap_or_else(|| "Scored images".into()),
            images: 0,
            best: Vec::new(),
            notes: None,
        })
    }

    /// Writes the rows of a batch and their thumbnails.
    ///
    /// # Errors
    /// Returns an error if they cannot be written.
    pub fn add(&mut self, rows: &[ResultRow], run: &Run) -> Result<()> {
        for row in rows {
            self.keep_thumbnail(row)?;
            let error = row.result.as_ref().err().map(|error| Names::error(&row.name, error));
            let entry = Entry::new(row, self.names.of(&row.name), error, run)?;
            writeln!(self.table, "{}", entry.line).with_context(|| self.writing())?;
            if row.result.is_ok() {
                match &mut self.notes {
                    Some(notes) => notes.retain(|note| entry.notes.contains(note)),
                    None => self.notes = Some(entry.notes.clone()),
                }
            }
            self.best.push(entry);
            self.images += 1;
        }
        if self.best.len() >= 2 * IN_PAGE {
            self.keep_best();
        }
        Ok(())
    }

    /// Writes the page, and moves the gallery to its place. Returns a message that says so.
    ///
    /// # Errors
    /// Returns an error if the gallery cannot be written. An earlier gallery is kept then.
    pub fn finish(mut self, run: &Run) -> Result<String> {
        self.keep_best();
        let about = About {
            title: self.title.clone(),
            images: self.images,
            notes: self.notes.clone().unwrap_or_default(),
            model: run.model.clone(),
        };
        let page = page::page(&about, &self.best)?;
        let folder = self.staging.path();
        let mut finish = || -> std::io::Result<()> {
            self.table.flush()?;
            self.table.get_ref().sync_all()?;
            for (path, text) in SCRIPTS {
                let path = folder.join(SCRIPTS_FOLDER).join(path);
                fs::create_dir_all(parent(&path))?;
                write_flushed(&path, assets::without_comments(text).as_bytes())?;
            }
            write_flushed(&folder.join(ICON), assets::ICON.as_bytes())?;
            write_flushed(&folder.join(STYLES), assets::styles().as_bytes())?;
            write_flushed(&folder.join(PAGE), page.as_bytes())
        };
        let written = finish();
        written.with_context(|| self.writing())?;
        // Windows moves no folder with an open file.
        drop(self.table);
        put_in_place(&self.staging.keep(), &self.out)?;
        let out = printable(&self.out.to_string_lossy());
        Ok(format!("wrote a gallery of {} images to {out}", self.images))
    }

    /// Writes the thumbnail of a row. Files with equal content share a thumbnail.
    fn keep_thumbnail(&self, row: &ResultRow) -> Result<()> {
        let Some(thumbnail) = row.result.as_ref().ok().and_then(|scored| scored.thumbnail.as_ref()) else {
            return Ok(());
        };
        let path = self.staging.path().join(THUMBNAILS).join(&thumbnail.name);
        if path.exists() {
            return Ok(());
        }
        fs::write(&path, &thumbnail.jpeg).with_context(|| self.writing())
    }

    /// Sorts the images, and drops those beyond [`IN_PAGE`]. Images with equal scores stay in the order of the input.
    fn keep_best(&mut self) {
        self.best.sort_by(Entry::order);
        self.best.truncate(IN_PAGE);
    }

    fn writing(&self) -> String {
        format!("writing the gallery {}", self.out.display())
    }
}
