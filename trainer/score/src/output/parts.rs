//! The folder of parts beside an output file, from which a run can be resumed.
//!
//! A part is written under a temporary name, and renamed when it is on the disk. Its final name contains what a resumed
//! run has to know: the number of its rows, the number of rows with an error, the number of rows without a prompt, and
//! a hash of the ids. The parts cover the input in order and without gaps, so that each image is scored once. The
//! joined file does not depend on where one part ends and the next begins.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use tsp_mgs_core::result::Run;
use tsp_mgs_data::failpoint::failpoint;
use tsp_mgs_data::files::{UNFINISHED, UnfinishedFile, flush_folder, parent, write_atomically};

use super::encode::{Encoder, OutputFile, join};
use super::run_settings::Settings;
use crate::args::ExistingOutput;
use crate::results::row::ResultRow;
use crate::results::tally::{IdHash, Tally};

const EXTENSION: &str = "part";
const SETTINGS: &str = "run.json";

/// The parts of one output file.
pub struct Parts {
    output: OutputFile,
    folder: PathBuf,
    settings: String,
    /// Held by one process at a time. The operating system releases it when the process ends for any reason.
    lock: File,
    finished: Vec<Part>,
    open: Option<OpenPart>,
}

/// A finished part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    index: usize,
    /// The counts of its rows.
    pub tally: Tally,
    /// The hash of the ids of its rows, in hexadecimal.
    pub ids: String,
}

/// The part that is being written.
struct OpenPart {
    file: UnfinishedFile,
    encoder: Encoder,
    tally: Tally,
    ids: IdHash,
}

impl Parts {
    /// Opens the folder of parts, or creates it.
    ///
    /// Returns `None` if the output is to be resumed and is complete.
    ///
    /// # Errors
    /// Returns an error if `existing` forbids the files of an earlier run, if that run had other settings, or if
    /// another process writes to the folder.
    pub fn open(output: &OutputFile, existing: ExistingOutput, settings: &Settings) -> Result<Option<Self>> {
        let folder = with_suffix(&output.path, ".parts");
        // A run leaves this folder if it is killed between renaming and removing its parts.
        let joined = with_suffix(&output.path, ".joined");
        if joined.exists() {
            fs::remove_dir_all(&joined).with_context(|| format!("removing {}", joined.display()))?;
        }
        let has_parts = folder.join(SETTINGS).exists();
        let (out, parts) = (output.path.display(), folder.display());
        match existing {
            ExistingOutput::Refuse if has_parts => {
                bail!(
                    "{parts} has the results of an unfinished run; pass --resume to continue it, or --overwrite to start again"
                )
            }
            ExistingOutput::Refuse if output.path.exists() => bail!("{out} exists; pass --overwrite to replace it"),
            ExistingOutput::Resume if !has_parts && output.path.exists() => return Ok(None),
            _ => {}
        }
        fs::create_dir_all(&folder).with_context(|| format!("creating the folder {parts}"))?;
        let lock = lock(&folder)?;
        if existing == ExistingOutput::Overwrite {
            // The settings are removed last: without them, a folder cannot be resumed.
            for file in files(&folder)? {
                remove(&file)?;
            }
            let settings = folder.join(SETTINGS);
            if settings.exists() {
                remove(&settings)?;
            }
        }
        let path = folder.join(SETTINGS);
        if path.exists() {
            settings.check(&fs::read(&path)?).with_context(|| {
                format!("{parts} was started with other settings; pass the same ones, or --overwrite to start again")
            })?;
        } else {
            write_atomically(&path, settings.json().as_bytes())?;
        }
        let finished = finished(&folder)?;
        let settings = settings.json();
        Ok(Some(Self { output: output.clone(), folder, settings, lock, finished, open: None }))
    }

    /// Returns the finished parts in order.
    pub fn finished(&self) -> &[Part] {
        &self.finished
    }

    /// Adds rows to the open part.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be written. Finished parts are kept.
    pub fn add(&mut self, rows: &[ResultRow], tally: Tally, run: &Run) -> Result<()> {
        let add = |open: &mut OpenPart| {
            open.tally += tally;
            rows.iter().for_each(|row| open.ids.add(&row.name.id));
            open.encoder.add(rows, run)
        };
        let added = match &mut self.open {
            Some(open) => add(open),
            None => self.begin().and_then(|open| add(self.open.insert(open))),
        };
        failpoint("rows-added");
        added.map_err(|error| self.with_advice(error))
    }

    /// Finishes the open part, if there is one.
    ///
    /// # Errors
    /// Returns an error if the part cannot be written. Parts that were finished before are kept.
    pub fn finish_part(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let part = Part { index: self.finished.len(), tally: open.tally, ids: open.ids.finish() };
        let finish = || -> Result<()> {
            open.encoder.finish()?;
            open.file.finish(&self.folder.join(part.file_name()))?;
            Ok(flush_folder(&self.folder)?)
        };
        finish().map_err(|error| self.with_advice(error))?;
        failpoint("part-finished");
        self.finished.push(part);
        Ok(())
    }

    /// Joins all parts to the output file, and removes them.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written. The parts are kept in this case.
    pub fn join(mut self) -> Result<()> {
        self.finish_part()?;
        let joined = || -> Result<()> {
            let file = UnfinishedFile::in_folder(&self.folder)?;
            let parts = self.finished.iter().map(|part| self.folder.join(part.file_name()));
            join(self.output.format, parts, file.reopen()?, &self.settings)?;
            file.finish(&self.output.path)?;
            Ok(flush_folder(parent(&self.output.path))?)
        };
        joined().map_err(|error| self.with_advice(error))?;
        failpoint("parts-joined");
        // Windows does not rename a folder with an open file.
        drop(self.lock);
        // Renaming is one step. A folder with only some of the parts would look like an unfinished run.
        let done = with_suffix(&self.output.path, ".joined");
        let remove = || {
            fs::rename(&self.folder, &done)?;
            failpoint("parts-renamed");
            fs::remove_dir_all(&done)
        };
        remove().with_context(|| {
            format!("{} is written; removing its parts {}", self.output.path.display(), self.folder.display())
        })
    }

    fn begin(&self) -> Result<OpenPart> {
        let file = UnfinishedFile::in_folder(&self.folder)?;
        let encoder = Encoder::new(self.output.format, file.reopen()?)?;
        Ok(OpenPart { file, encoder, tally: Tally::default(), ids: IdHash::default() })
    }

    /// Adds to an error how many rows are kept, and how to continue.
    fn with_advice(&self, error: anyhow::Error) -> anyhow::Error {
        let rows: u64 = self.finished.iter().map(|part| part.tally.rows).sum();
        error.context(format!(
            "writing results to {}: the first {rows} rows are kept; solve the problem or free disk space, then pass --resume",
            self.folder.display()
        ))
    }
}

impl Part {
    fn file_name(&self) -> String {
        let Self { index, tally: Tally { rows, failures, without_prompt }, ids } = self;
        format!("{index:08}.rows-{rows}.errors-{failures}.unprompted-{without_prompt}.ids-{ids}.{EXTENSION}")
    }
}

impl FromStr for Part {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let fields: Vec<&str> = name.split('.').collect();
        let [index, rows, failures, without_prompt, ids, EXTENSION] = fields[..] else { return Err(()) };
        let number = |field: &str, prefix| field.strip_prefix(prefix).and_then(|number| number.parse().ok()).ok_or(());
        Ok(Self {
            index: index.parse().map_err(drop)?,
            tally: Tally {
                rows: number(rows, "rows-")?,
                failures: number(failures, "errors-")?,
                without_prompt: number(without_prompt, "unprompted-")?,
            },
            ids: ids.strip_prefix("ids-").ok_or(())?.to_owned(),
        })
    }
}

/// Returns the finished parts in order, and removes unfinished ones.
fn finished(folder: &Path) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match name.parse::<Part>() {
            Ok(part) => parts.push(part),
            Err(()) => remove(&path)?,
        }
    }
    parts.sort_unstable_by_key(|part| part.index);
    match parts.iter().enumerate().find(|(index, part)| *index != part.index) {
        None => Ok(parts),
        Some((index, _)) => Err(anyhow!("{} has no part {index}; pass --overwrite to start again", folder.display())),
    }
}

/// Returns the paths of all parts, finished or not.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        paths.filter(|path| path.as_ref().is_ok_and(|path| is_part(path)) || path.is_err()).collect()
    };
    list().with_context(|| format!("reading the folder {}", folder.display()))
}

fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(UNFINISHED) || path.extension().is_some_and(|extension| extension == EXTENSION)
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another process writes to {}; wait until it ends", folder.display()),
        // The file system has no locks, so that another process cannot be detected.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// Returns `path` with `suffix` appended to the file name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
