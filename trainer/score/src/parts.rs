//! The folder of parts beside an output file: what is kept while a run goes on, so that it can be killed.
//!
//! A part is written under another name and gets its own once the disk has it. The name says what a run that goes
//! on has to know: how many rows it holds, how many of them are errors or have no prompt, and a hash of their ids.
//! Parts follow each other without gaps, so rows are scored and written exactly once, and the joined file does not
//! depend on where they were cut.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use tsp_mgs_core::result::Run;
use tsp_mgs_data::files::{UNFINISHED, UnfinishedFile, flush_folder, parent, write_atomically};

use crate::args::ExistingOutput;
use crate::encode::{Encoder, OutputFile, join};
use crate::row::ResultRow;
use crate::run_settings::Settings;
use crate::tally::{IdHash, Tally};

const ENDING: &str = "part";
const SETTINGS: &str = "run.json";

/// The parts of one output file.
pub struct Parts {
    output: OutputFile,
    folder: PathBuf,
    settings: String,
    /// Held by one process at a time; the system lets go of it when that one ends, however it ends.
    lock: File,
    finished: Vec<Part>,
    open: Option<Open>,
}

/// A finished part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    index: usize,
    /// What it holds.
    pub tally: Tally,
    /// Hash of its rows' ids.
    pub ids: String,
}

/// The part that is being written.
struct Open {
    file: UnfinishedFile,
    encoder: Encoder,
    tally: Tally,
    ids: IdHash,
}

impl Parts {
    /// Opens the folder, new or with an earlier run's parts; `None` when the output is finished already.
    ///
    /// # Errors
    /// When an earlier run's files stand in the way, it had other settings, or it still runs.
    pub fn open(output: &OutputFile, existing: ExistingOutput, settings: &Settings) -> Result<Option<Self>> {
        let folder = beside(&output.path, ".parts");
        // Of a run that was killed after its output was put in place.
        let joined = beside(&output.path, ".joined");
        if joined.exists() {
            fs::remove_dir_all(&joined).with_context(|| format!("removing {}", joined.display()))?;
        }
        let has_parts = folder.join(SETTINGS).exists();
        let (out, parts) = (output.path.display(), folder.display());
        match existing {
            ExistingOutput::Refuse if has_parts => {
                bail!(
                    "{parts} holds the results of a run that did not end: --resume goes on with it, --overwrite starts anew"
                )
            }
            ExistingOutput::Refuse if output.path.exists() => bail!("{out} exists; pass --overwrite to replace it"),
            ExistingOutput::Resume if !has_parts && output.path.exists() => return Ok(None),
            _ => {}
        }
        fs::create_dir_all(&folder).with_context(|| format!("making the folder {parts}"))?;
        let lock = lock(&folder)?;
        if existing == ExistingOutput::Overwrite {
            // The settings last: without them, nothing is gone on with.
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
                format!("{parts} was begun with other settings; pass the same, or --overwrite to start anew")
            })?;
        } else {
            write_atomically(&path, settings.json().as_bytes())?;
        }
        let finished = finished(&folder)?;
        let settings = settings.json();
        Ok(Some(Self { output: output.clone(), folder, settings, lock, finished, open: None }))
    }

    /// The parts that are there.
    pub fn finished(&self) -> &[Part] {
        &self.finished
    }

    /// Adds rows to the part that is being written.
    ///
    /// # Errors
    /// When they cannot be written; what was finished stays.
    pub fn add(&mut self, rows: &[ResultRow], tally: Tally, run: &Run) -> Result<()> {
        let add = |open: &mut Open| {
            open.tally += tally;
            rows.iter().for_each(|row| open.ids.add(&row.name.id));
            open.encoder.add(rows, run)
        };
        let added = match &mut self.open {
            Some(open) => add(open),
            None => self.begin().and_then(|open| add(self.open.insert(open))),
        };
        added.map_err(|error| self.broken(error))
    }

    /// Ends the part that is being written, and gives it its name.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish_part(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let part = Part { index: self.finished.len(), tally: open.tally, ids: open.ids.finish() };
        let finish = || -> Result<()> {
            open.encoder.finish()?;
            open.file.finish(&self.folder.join(part.file_name()))?;
            Ok(flush_folder(&self.folder)?)
        };
        finish().map_err(|error| self.broken(error))?;
        self.finished.push(part);
        Ok(())
    }

    /// Joins all parts to the output file, puts it in place and removes them.
    ///
    /// # Errors
    /// When it cannot be written; then the parts stay.
    pub fn join(mut self) -> Result<()> {
        self.finish_part()?;
        let joined = || -> Result<()> {
            let file = UnfinishedFile::in_folder(&self.folder)?;
            let parts = self.finished.iter().map(|part| self.folder.join(part.file_name()));
            join(self.output.format, parts, file.reopen()?, &self.settings)?;
            file.finish(&self.output.path)?;
            Ok(flush_folder(parent(&self.output.path))?)
        };
        joined().map_err(|error| self.broken(error))?;
        // Windows moves no folder with an open file.
        drop(self.lock);
        // In one step: half of the parts would look like a run to go on with.
        let done = beside(&self.output.path, ".joined");
        fs::rename(&self.folder, &done).and_then(|()| fs::remove_dir_all(&done)).with_context(|| {
            format!("{} is written; removing its parts {}", self.output.path.display(), self.folder.display())
        })
    }

    fn begin(&self) -> Result<Open> {
        let file = UnfinishedFile::in_folder(&self.folder)?;
        let encoder = Encoder::new(self.output.format, file.reopen()?)?;
        Ok(Open { file, encoder, tally: Tally::default(), ids: IdHash::default() })
    }

    /// An error with what was saved and what to do.
    fn broken(&self, error: anyhow::Error) -> anyhow::Error {
        let rows: u64 = self.finished.iter().map(|part| part.tally.rows).sum();
        error.context(format!(
            "writing results to {}: the first {rows} rows are kept; make room or mend what is wrong, then pass --resume",
            self.folder.display()
        ))
    }
}

impl Part {
    fn file_name(&self) -> String {
        let Self { index, tally: Tally { rows, failures, without_prompt }, ids } = self;
        format!("{index:08}.rows-{rows}.errors-{failures}.unprompted-{without_prompt}.ids-{ids}.{ENDING}")
    }
}

impl FromStr for Part {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let fields: Vec<&str> = name.split('.').collect();
        let [index, rows, failures, without_prompt, ids, ENDING] = fields[..] else { return Err(()) };
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

/// The finished parts in order; what was not finished is removed.
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
        Some((index, _)) => Err(anyhow!("{} lacks its part {index}; pass --overwrite to start anew", folder.display())),
    }
}

/// Parts, finished or not.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        paths.filter(|path| path.as_ref().is_ok_and(|path| is_part(path)) || path.is_err()).collect()
    };
    list().with_context(|| format!("reading the folder {}", folder.display()))
}

fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(UNFINISHED) || path.extension().is_some_and(|ending| ending == ENDING)
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another process writes to {}; wait for it to end", folder.display()),
        // A file system without locks: then nobody can tell.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// A path with more behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
