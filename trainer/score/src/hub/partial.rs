//! A partial download, `ETAG.incomplete`, which a later command can resume.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::cache::cannot_write;
use super::client::Metadata;

const CHUNK_BYTES: usize = 256 << 10;

/// A partial download.
pub struct Partial {
    path: PathBuf,
    file: File,
    bytes: u64,
    sha256: Sha256,
}

impl Partial {
    /// Opens the partial download of an earlier command, or creates one.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written.
    pub fn open(blob: &Path) -> Result<Self> {
        let mut path = blob.as_os_str().to_owned();
        path.push(".incomplete");
        let path = PathBuf::from(path);
        let opened = File::options().create(true).read(true).append(true).open(&path);
        let mut file = opened.map_err(|error| cannot_write(&path, error))?;
        let (mut bytes, mut sha256) = (0, Sha256::new());
        // The size of a device is 0. A link may lead to one, and reading it might never end.
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0) {
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let count = file.read(&mut chunk).with_context(|| format!("reading {}", path.display()))?;
                if count == 0 {
                    break;
                }
                sha256.update(&chunk[..count]);
                bytes += count as u64;
            }
        }
        Ok(Self { path, file, bytes, sha256 })
    }

    /// Returns the number of bytes that were received.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Discards the received bytes.
    ///
    /// # Errors
    /// Returns an error if the file cannot be truncated.
    pub fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|error| cannot_write(&self.path, error))?;
        (self.bytes, self.sha256) = (0, Sha256::new());
        Ok(())
    }

    /// Appends `body` to the file. Calls `progress` with the number of received bytes after each chunk.
    ///
    /// # Errors
    /// The outer error is that of writing, after which the download cannot continue. The inner error is that of
    /// reading.
    pub fn extend(&mut self, body: &mut dyn Read, mut progress: impl FnMut(u64)) -> Result<io::Result<()>> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = match body.read(&mut chunk) {
                Ok(0) => return Ok(Ok(())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error)),
            };
            self.file.write_all(&chunk[..count]).map_err(|error| cannot_write(&self.path, error))?;
            self.sha256.update(&chunk[..count]);
            self.bytes += count as u64;
            progress(self.bytes);
        }
    }

    /// Checks the size and the hash, and moves the file to `blob`.
    ///
    /// # Errors
    /// Returns an error if the size or the hash is not the one that the hub gave. The file is removed in this case.
    pub fn finish(self, metadata: &Metadata, blob: &Path, file: &str) -> Result<()> {
        if let Err(error) = self.check(metadata, file) {
            drop(self.file);
            fs::remove_file(&self.path).with_context(|| format!("removing {}", self.path.display()))?;
            return Err(error);
        }
        let placed = self.file.sync_all().and_then(|()| fs::rename(&self.path, blob));
        placed.map_err(|error| cannot_write(blob, error))
    }

    fn check(&self, metadata: &Metadata, file: &str) -> Result<()> {
        if let Some(expected) = metadata.bytes {
            ensure!(
                self.bytes == expected,
                "{file} was received with {} bytes, expected {expected}; {RETRY_ADVICE}",
                self.bytes
            );
        }
        let found = format!("{:x}", self.sha256.clone().finalize());
        match metadata.sha256() {
            Some(expected) if found != expected.to_lowercase() => {
                bail!(
                    "{file} was received with the SHA-256 {found}, expected {expected}: it was changed in transfer; {RETRY_ADVICE}"
                )
            }
            _ => Ok(()),
        }
    }
}

const RETRY_ADVICE: &str =
    "it was not kept. Repeat the command; if this happens again, check what changes the data, such as a proxy";
