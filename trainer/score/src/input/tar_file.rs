//! Reads tar files in the layout of WebDataset.
//!
//! The names of the files of one sample are equal up to the first dot, such as `000.jpg` and `000.txt`. These files
//! follow each other.

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

use super::images::{SkippedImages, is_image, json_prompt, sidecar_prompt};
use super::record::{Image, Record, RecordName, Records};

/// The number of records that are read ahead.
const PREFETCHED: usize = 1;
/// The maximum size of a file in the archive. It limits memory if a header is wrong.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// The size of a block. A tar file ends with two blocks of zeros.
const BLOCK_BYTES: u64 = 512;
/// The first bytes of a gzipped file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of files with an unsupported compression: Zstandard, xz and bzip2.
const UNSUPPORTED_COMPRESSIONS: [&[u8]; 3] = [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];

/// Returns the records of the images in a tar file, in the order of the file.
///
/// A damaged or truncated file gives the records of its complete samples, and then a record with an error.
pub fn records(path: &Path, skipped: &SkippedImages) -> Records {
    let (sender, receiver) = sync_channel(PREFETCHED);
    let (path, skipped) = (path.to_owned(), skipped.clone());
    // An iterator cannot own both the archive and its entries, which borrow the archive. A thread can, and it also
    // reads ahead.
    thread::spawn(move || {
        if let Err(ReadError::Damaged(error)) =
            (TarFile { path: &path, sender: &sender, skipped, keys: SampleKeys::default() }).read()
        {
            // The receiver may have been dropped.
            let _ = sender.send(Record::failed_path(&path, error));
        }
    });
    Box::new(receiver.into_iter())
}

/// Returns the number of images according to the headers, or `None` for a gzipped file, whose headers cannot be reached
/// without reading all of it.
///
/// # Errors
/// Returns an error if the file cannot be read.
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

/// A reason to stop reading.
enum ReadError {
    /// The file is damaged or cannot be read.
    Damaged(anyhow::Error),
    /// The receiver of the records was dropped.
    ReceiverDropped,
}

impl From<anyhow::Error> for ReadError {
    fn from(error: anyhow::Error) -> Self {
        Self::Damaged(error)
    }
}

/// The files of the current sample that were read so far.
#[derive(Default)]
struct Sample {
    key: PathBuf,
    /// The names of the image and prompt files.
    names: Vec<PathBuf>,
    images: Vec<(PathBuf, Result<Vec<u8>>)>,
    text: Option<Result<FoundPrompt>>,
    json: Option<Result<FoundPrompt>>,
    /// A name that occurs twice.
    duplicate: Option<PathBuf>,
}

/// The keys of all samples that were read, which show whether the files of a sample follow each other.
///
/// Only hashes are kept, which need about 16 bytes for each sample.
#[derive(Default)]
struct SampleKeys {
    hasher: RandomState,
    seen: HashSet<u64>,
    /// The first prompt file that does not follow its image, and the number of such files.
    separate_prompts: Option<(PathBuf, u64)>,
}

/// The state of reading a tar file.
struct TarFile<'a> {
    path: &'a Path,
    sender: &'a SyncSender<Record>,
    skipped: SkippedImages,
    keys: SampleKeys,
}

impl TarFile<'_> {
    fn read(&mut self) -> Result<(), ReadError> {
        let mut file = BufReader::new(File::open(self.path).context("opening the file")?);
        let start = file.fill_buf().context("reading the file")?;
        if start.is_empty() {
            return Err(anyhow!("the file is empty; expected a tar file").into());
        }
        if UNSUPPORTED_COMPRESSIONS.iter().any(|magic| start.starts_with(magic)) {
            return Err(anyhow!(
                "the compression is not supported; expected a plain or gzipped tar file; decompress the file"
            )
            .into());
        }
        let is_gzipped = start.starts_with(&GZIP);
        if is_gzipped { self.read_tar(MultiGzDecoder::new(file)) } else { self.read_tar(file) }
    }

    fn read_tar(&mut self, file: impl Read) -> Result<(), ReadError> {
        let mut archive = Archive::new(TrailingZeros { file, zeros: 0 });
        let mut sample = Sample::default();
        let ended = match self.read_samples(&mut archive, &mut sample) {
            Err(ReadError::ReceiverDropped) => return Err(ReadError::ReceiverDropped),
            Ok(()) if archive.into_inner().zeros < BLOCK_BYTES => {
                Err(anyhow!("the tar file is truncated: it has no end mark, and images may be missing").into())
            }
            ended => ended,
        };
        if ended.is_err() && sample.text.is_none() && sample.json.is_none() {
            for (_, image) in &mut sample.images {
                *image = Err(anyhow!("the tar file is damaged after this image, and its prompt may be lost"));
            }
        }
        self.send(sample)?;
        match self.keys.separate_prompts.take() {
            Some((first, files)) if ended.is_ok() => Err(anyhow!(
                "{files} prompt files do not follow their images, the first is {}: these images were scored without a prompt; \
                 write the files of a sample after each other, with `tar --sort=name`",
                first.display()
            )
            .into()),
            _ => ended,
        }
    }

    /// Reads all samples and sends all except the last, which it leaves in `sample`.
    fn read_samples(&mut self, archive: &mut Archive<impl Read>, sample: &mut Sample) -> Result<(), ReadError> {
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
                sample.duplicate.get_or_insert(name);
                continue;
            }
            let read = if kind.is_file() { read_file(&mut entry, &name)? } else { Err(link_error(&mut entry)) };
            match ending.as_str() {
                "txt" => sample.text = Some(read.and_then(sidecar_prompt).with_context(|| display(&name))),
                "json" => sample.json = read.and_then(json_prompt).with_context(|| display(&name)).transpose(),
                _ => sample.images.push((name.clone(), read)),
            }
            sample.names.push(name);
        }
        Ok(())
    }

    fn send(&mut self, sample: Sample) -> Result<(), ReadError> {
        let has_prompt = sample.text.is_some() || sample.json.is_some();
        let is_split = (has_prompt || !sample.images.is_empty()) && !self.keys.add(&sample.key);
        if is_split && sample.images.is_empty() {
            let name = sample.names.into_iter().next().unwrap_or(sample.key);
            self.keys.separate_prompts.get_or_insert((name, 0)).1 += 1;
            return Ok(());
        }
        let prompt = sample.text.or(sample.json).transpose();
        for (name, image) in sample.images {
            let (prompt, image) = match (&prompt, image) {
                _ if sample.duplicate.is_some() || is_split => {
                    (None, Err(ambiguous_sample(&sample.key, sample.duplicate.as_deref())))
                }
                (Ok(prompt), Ok(bytes)) => (prompt.clone(), Ok(Image::Bytes(bytes))),
                (Err(error), Ok(_)) => (None, Err(anyhow!("reading the prompt: {error:#}"))),
                (_, Err(error)) => (None, Err(error)),
            };
            let name = RecordName::of_path(&self.path.join(name));
            self.sender.send(Record { name, image, prompt }).map_err(|_| ReadError::ReceiverDropped)?;
        }
        Ok(())
    }
}

impl SampleKeys {
    /// Adds a key, and returns whether it is new.
    fn add(&mut self, key: &Path) -> bool {
        self.seen.insert(self.hasher.hash_one(key))
    }
}

/// Returns the error of a sample whose files are ambiguous: it has a name twice, or it is split in two.
fn ambiguous_sample(key: &Path, duplicate: Option<&Path>) -> anyhow::Error {
    if let Some(name) = duplicate {
        return anyhow!(
            "the tar file has the name {} twice, so that it is unknown which file is meant",
            name.display()
        );
    }
    anyhow!(
        "the tar file has files of {} in two places, so that it is unknown which belong together; write the files of a \
         sample after each other, with `tar --sort=name`",
        key.display()
    )
}

fn link_error(entry: &mut Entry<impl Read>) -> anyhow::Error {
    let target = entry.link_name().ok().flatten().unwrap_or_default();
    anyhow!(
        "a link to {}, and links in tar files are not followed; pack the files themselves, with \
         `tar --dereference --hard-dereference`",
        target.display()
    )
}

/// Returns the content of a file.
///
/// The inner error is that of one file, after which the next file can be read. The outer error is that of a damaged
/// archive.
fn read_file(entry: &mut Entry<impl Read>, name: &Path) -> Result<Result<Vec<u8>>> {
    let size = entry.size();
    if size > MAX_FILE_BYTES {
        return Ok(Err(anyhow!("the file has {size} bytes, expected at most {MAX_FILE_BYTES}")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).with_context(|| display(name))?;
    if bytes.len() as u64 != size {
        bail!("the tar file is truncated: it ends in {}, after {} of {size} bytes", name.display(), bytes.len());
    }
    Ok(Ok(bytes))
}

fn display(name: &Path) -> String {
    name.display().to_string()
}

/// Splits a name at the first dot, and returns the key of the sample and the extension in lower case.
fn split(name: &Path) -> (PathBuf, String) {
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    let (key, ending) = file.split_once('.').unwrap_or((&file, ""));
    (name.with_file_name(key), ending.to_ascii_lowercase())
}

/// A reader that counts the zeros at the end of the bytes that were read so far.
struct TrailingZeros<R> {
    file: R,
    zeros: u64,
}

impl<R: Read> Read for TrailingZeros<R> {
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
