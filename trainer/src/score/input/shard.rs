//! Tar files in WebDataset's layout: files of one sample follow each other and differ after the first dot of their
//! names; `000.jpg`, `000.txt`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use tar::{Archive, Entry};
use tsp_mgs_core::result::FoundPrompt;

use super::Records;
use crate::images::{is_image, sidecar_prompt};
use crate::score::record::{Image, Name, Record};

/// Samples that are read ahead.
const AHEAD: usize = 1;
/// No image in a sample is larger than this: memory stays bounded whatever a header claims.
const MAX_FILE: u64 = 1 << 30;
/// Where the prompt stands in a sample's `.json`; the first that is there.
const PROMPT_KEYS: [&str; 3] = ["prompt", "caption", "text"];
/// A tar file is made of blocks of this size, and ends with two of zeros.
const BLOCK: u64 = 512;

/// The images of a tar file, in its order.
///
/// A file that ends too early, or cannot be read on, gives its whole samples, and then an error.
pub fn records(path: &Path) -> Records {
    let (sender, receiver) = sync_channel(AHEAD);
    let path = path.to_owned();
    // The archive lends its entries, so that they cannot be kept together; a thread reads ahead at the same time.
    thread::spawn(move || {
        if let Err(Stopped::Broken(error)) = read(&path, &sender) {
            // Nobody may want it any more.
            let _ = sender.send(Record::failed_path(&path, error));
        }
    });
    Box::new(receiver.into_iter())
}

/// How many images a tar file has, from its headers.
///
/// # Errors
/// When it cannot be read.
pub fn count(path: &Path) -> Result<u64> {
    let mut archive = Archive::new(BufReader::new(File::open(path)?));
    let mut images = 0;
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        images += u64::from(entry.header().entry_type().is_file() && is_image(&entry.path()?));
    }
    Ok(images)
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
    images: Vec<(PathBuf, Result<Vec<u8>>)>,
    text: Option<Result<FoundPrompt>>,
    json: Option<Result<FoundPrompt>>,
}

fn read(path: &Path, sender: &SyncSender<Record>) -> Result<(), Stopped> {
    let file = File::open(path).context("opening the file")?;
    let mut archive = Archive::new(Ending { file: BufReader::new(file), zeros: 0 });
    let mut sample = Sample::default();
    let ended = match read_samples(path, &mut archive, &mut sample, sender) {
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
    send(path, sample, sender)?;
    ended
}

/// Gives out each sample but the last.
fn read_samples(
    path: &Path,
    archive: &mut Archive<impl Read>,
    sample: &mut Sample,
    sender: &SyncSender<Record>,
) -> Result<(), Stopped> {
    for entry in archive.entries().context("reading the tar file")? {
        let mut entry = entry.context("the rest of the tar file cannot be read")?;
        let name = entry.path().context("reading a file's name")?.into_owned();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let (key, ending) = split(&name);
        if key != sample.key {
            send(path, std::mem::take(sample), sender)?;
            sample.key = key;
        }
        match ending.as_str() {
            "txt" => sample.text = Some(sidecar_prompt(whole(&mut entry, &name)?).with_context(|| display(&name))),
            "json" => {
                let prompt = json_prompt(&whole(&mut entry, &name)?).with_context(|| display(&name));
                sample.json = prompt.transpose();
            }
            _ if is_image(&name) && entry.size() > MAX_FILE => {
                let error = anyhow!("{} bytes, expected at most {MAX_FILE}", entry.size());
                sample.images.push((name, Err(error)));
            }
            _ if is_image(&name) => {
                let bytes = whole(&mut entry, &name)?;
                sample.images.push((name, Ok(bytes)));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The whole of a file; one that is shorter than its header says was cut off.
fn whole(entry: &mut Entry<impl Read>, name: &Path) -> Result<Vec<u8>> {
    let size = entry.size();
    ensure!(size <= MAX_FILE, "{}: {size} bytes, expected at most {MAX_FILE}", name.display());
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).with_context(|| display(name))?;
    if bytes.len() as u64 != size {
        bail!("the tar file ends too early: in {}, after {} of {size} bytes", name.display(), bytes.len());
    }
    Ok(bytes)
}

fn send(shard: &Path, sample: Sample, sender: &SyncSender<Record>) -> Result<(), Stopped> {
    let prompt = sample.text.or(sample.json).transpose();
    for (name, image) in sample.images {
        let (prompt, image) = match (&prompt, image) {
            (Ok(prompt), Ok(bytes)) => (prompt.clone(), Ok(Image::Bytes(bytes))),
            (Err(error), Ok(_)) => (None, Err(anyhow!("reading the prompt: {error:#}"))),
            (_, Err(error)) => (None, Err(error)),
        };
        let name = Name::of_path(&shard.join(name));
        sender.send(Record { name, image, prompt }).map_err(|_| Stopped::Unwanted)?;
    }
    Ok(())
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

fn json_prompt(bytes: &[u8]) -> Result<Option<FoundPrompt>> {
    let value: Value = serde_json::from_slice(bytes).context("expected JSON")?;
    let text = PROMPT_KEYS.iter().find_map(|&key| value.get(key)?.as_str());
    Ok(text.map(|text| FoundPrompt { text: text.trim().to_owned(), source: "sidecar" }))
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
