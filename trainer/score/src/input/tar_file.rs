//! Tar files in WebDataset's layout: files of one sample follow each other and differ after the first dot of their
//! names; `000.jpg`, `000.txt`.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry};
use tsp_mgs_core::result::FoundPrompt;

use crate::images::{SkippedImages, is_image, json_prompt, sidecar_prompt};
use crate::record::{Image, Record, RecordName, Records};

/// Samples that are read ahead.
const AHEAD: usize = 1;
/// No image in a sample is larger than this: memory stays bounded whatever a header claims.
const MAX_FILE: u64 = 1 << 30;
/// A tar file is made of blocks of this size, and ends with two of zeros.
const BLOCK: u64 = 512;
/// The first bytes of a gzipped file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of files that are compressed in other ways: Zstandard, xz, bzip2.
const COMPRESSED: [&[u8]; 3] = [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];

/// The images of a tar file, in its order.
///
/// A file that ends too early, or cannot be read on, gives its whole samples, and then an error.
pub fn records(path: &Path, skipped: &SkippedImages) -> Records {
    let (sender, receiver) = sync_channel(AHEAD);
    let (path, skipped) = (path.to_owned(), skipped.clone());
    // The archive lends its entries, so that they cannot be kept together; a thread reads ahead at the same time.
    thread::spawn(move || {
        if let Err(Stopped::Broken(error)) =
            (TarFile { path: &path, sender: &sender, skipped, keys: Keys::default() }).read()
        {
            // Nobody may want it any more.
            let _ = sender.send(Record::failed_path(&path, error));
        }
    });
    Box::new(receiver.into_iter())
}

/// How many images a tar file has, from its headers; `None` for a gzipped one, which would have to be read whole.
///
/// # Errors
/// When it cannot be read.
pub fn count(path: &Path) -> Result<Option<u64>> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&GZIP) {
        return Ok(None);
    }
    let mut archive = Archive::new(file);
    let mut images = 0;
    for entry in archive.entries_with_seek()? {
        images += u64::from(is_image(&entry?.path()?));
    }
    Ok(Some(images))
}

/// Why no more is read.
enum Stopped {
    /// The file is damaged, or not there.
    Broken(anyhow::Error),
    /// Nobody takes the records.
    Unwanted,
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

/// What is known of a sample whose files are being read.
#[derive(Default)]
struct Sample {
    key: PathBuf,
    /// Names of the files that were used.
    names: Vec<PathBuf>,
    images: Vec<(PathBuf, Result<Vec<u8>>)>,
    text: Option<Result<FoundPrompt>>,
    json: Option<Result<FoundPrompt>>,
    /// A name that came twice.
    twice: Option<PathBuf>,
}

/// Keys of the samples that were read, by their hashes, some 16 bytes each: files of one sample that do not follow each
/// other are found.
#[derive(Default)]
struct Keys {
    hasher: RandomState,
    seen: HashSet<u64>,
    /// The first file with a prompt whose image stands elsewhere, and how many there are.
    apart: Option<(PathBuf, u64)>,
}

/// A tar file that is read.
struct TarFile<'a> {
    path: &'a Path,
    sender: &'a SyncSender<Record>,
    skipped: SkippedImages,
    keys: Keys,
}

impl TarFile<'_> {
    fn read(&mut self) -> Result<(), Stopped> {
        let mut file = BufReader::new(File::open(self.path).context("opening the file")?);
        let start = file.fill_buf().context("reading the file")?;
        if start.is_empty() {
            return Err(anyhow!("the file is empty, expected a tar file").into());
        }
        if COMPRESSED.iter().any(|magic| start.starts_with(magic)) {
            return Err(anyhow!("a compressed file, expected a tar file, plain or gzipped: unpack it").into());
        }
        let is_gzipped = start.starts_with(&GZIP);
        if is_gzipped { self.read_tar(MultiGzDecoder::new(file)) } else { self.read_tar(file) }
    }

    fn read_tar(&mut self, file: impl Read) -> Result<(), Stopped> {
        let mut archive = Archive::new(Ending { file, zeros: 0 });
        let mut sample = Sample::default();
        let ended = match self.read_samples(&mut archive, &mut sample) {
            Err(Stopped::Unwanted) => return Err(Stopped::Unwanted),
            Ok(()) if archive.into_inner().zeros < BLOCK => {
                Err(anyhow!("the tar file ends without its end mark: it was cut off, and images may be missing").into())
            }
            ended => ended,
        };
        if ended.is_err() && sample.text.is_none() && sample.json.is_none() {
            for (_, image) in &mut sample.images {
                *image = Err(anyhow!("the tar file is damaged behind this image, where its prompt may have been"));
            }
        }
        self.send(sample)?;
        match self.keys.apart.take() {
            Some((first, files)) if ended.is_ok() => Err(anyhow!(
                "{files} files with prompts do not follow their images, the first is {}: these images were scored without \
                 them; files of a sample must follow each other, as `tar --sort=name` writes them",
                first.display()
            )
            .into()),
            _ => ended,
        }
    }

    /// Gives out each sample but the last.
    fn read_samples(&mut self, archive: &mut Archive<impl Read>, sample: &mut Sample) -> Result<(), Stopped> {
        for entry in archive.entries().context("reading the tar file")? {
            let mut entry = entry.context("the rest of the tar file cannot be read")?;
            let name = entry.path().context("reading a file's name")?.into_owned();
            let kind = entry.header().entry_type();
            if !kind.is_file() && !kind.is_symlink() && !kind.is_hard_link() {
                continue;
            }
            let (key, ending) = split(&name);
            if key != sample.key {
                self.send(std::mem::take(sample))?;
                sample.key = key;
            }
            let is_prompt = matches!(ending.as_str(), "txt" | "json");
            if !is_prompt && !is_image(&name) {
                self.skipped.count(&name);
                continue;
            }
            if sample.names.contains(&name) {
                sample.twice.get_or_insert(name);
                continue;
            }
            let read = if kind.is_file() { whole(&mut entry, &name)? } else { Err(link_error(&mut entry)) };
            match ending.as_str() {
                "txt" => sample.text = Some(read.and_then(sidecar_prompt).with_context(|| display(&name))),
                "json" => sample.json = read.and_then(json_prompt).with_context(|| display(&name)).transpose(),
                _ => sample.images.push((name.clone(), read)),
            }
            sample.names.push(name);
        }
        Ok(())
    }

    fn send(&mut self, sample: Sample) -> Result<(), Stopped> {
        let has_prompt = sample.text.is_some() || sample.json.is_some();
        let is_apart = (has_prompt || !sample.images.is_empty()) && !self.keys.add(&sample.key);
        if is_apart && sample.images.is_empty() {
            let name = sample.names.into_iter().next().unwrap_or(sample.key);
            self.keys.apart.get_or_insert((name, 0)).1 += 1;
            return Ok(());
        }
        let prompt = sample.text.or(sample.json).transpose();
        for (name, image) in sample.images {
            let (prompt, image) = match (&prompt, image) {
                _ if sample.twice.is_some() || is_apart => {
                    (None, Err(wrong_place(&sample.key, sample.twice.as_deref())))
                }
                (Ok(prompt), Ok(bytes)) => (prompt.clone(), Ok(Image::Bytes(bytes))),
                (Err(error), Ok(_)) => (None, Err(anyhow!("reading the prompt: {error:#}"))),
                (_, Err(error)) => (None, Err(error)),
            };
            let name = RecordName::of_path(&self.path.join(name));
            self.sender.send(Record { name, image, prompt }).map_err(|_| Stopped::Unwanted)?;
        }
        Ok(())
    }
}

impl Keys {
    /// Adds a key; whether it is new.
    fn add(&mut self, key: &Path) -> bool {
        self.seen.insert(self.hasher.hash_one(key))
    }
}

/// Why a sample's files cannot be told from another's: a name stands there twice, or they stand in two places.
fn wrong_place(key: &Path, twice: Option<&Path>) -> anyhow::Error {
    if let Some(name) = twice {
        return anyhow!("the tar file has the name {} twice, and which file is meant cannot be known", name.display());
    }
    anyhow!(
        "the tar file has files of {} in two places, and which belong together cannot be known: files of a sample must follow \
         each other, as `tar --sort=name` writes them",
        key.display()
    )
}

fn link_error(entry: &mut Entry<impl Read>) -> anyhow::Error {
    let target = entry.link_name().ok().flatten().unwrap_or_default();
    anyhow!(
        "a link to {}, and links in tar files are not followed: pack the files themselves, as `tar --dereference \
         --hard-dereference` does",
        target.display()
    )
}

/// The whole of a file, or why it is not taken; one that is shorter than its header says was cut off.
fn whole(entry: &mut Entry<impl Read>, name: &Path) -> Result<Result<Vec<u8>>> {
    let size = entry.size();
    if size > MAX_FILE {
        return Ok(Err(anyhow!("{size} bytes, expected at most {MAX_FILE}")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).with_context(|| display(name))?;
    if bytes.len() as u64 != size {
        bail!("the tar file ends too early: in {}, after {} of {size} bytes", name.display(), bytes.len());
    }
    Ok(Ok(bytes))
}

fn display(name: &Path) -> String {
    name.display().to_string()
}

/// What a sample's files share, and the ending in small letters: all after the first dot.
fn split(name: &Path) -> (PathBuf, String) {
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    let (key, ending) = file.split_once('.').unwrap_or((&file, ""));
    (name.with_file_name(key), ending.to_ascii_lowercase())
}

/// Remembers with how many zeros what was read so far ends.
struct Ending<R> {
    file: R,
    zeros: u64,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        let zeros = buffer[..read].iter().rev().take_while(|&&byte| byte == 0).count();
        self.zeros = if zeros == read { self.zeros + read as u64 } else { zeros as u64 };
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_sample_share_all_before_the_first_dot() {
        for (name, key, ending) in
            [("a/000.jpg", "a/000", "jpg"), ("a.b/000.seg.PNG", "a.b/000", "seg.png"), ("x", "x", "")]
        {
            assert_eq!(split(Path::new(name)), (PathBuf::from(key), ending.to_owned()));
        }
    }
}
