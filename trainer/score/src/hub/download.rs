//! Downloads one file from the hub into the cache. The file appears there only when it is complete and its hash is
//! checked.

use std::io::Read;
use std::thread;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::cache::{Repository, make_folder};
use super::client::{Client, Metadata};
use super::failure::Failure;
use super::name::Name;
use super::partial::Partial;
use tsp_mgs_data::files::parent;

/// The maximum number of attempts in sequence that receive no new bytes.
const MAX_ATTEMPTS: u32 = 5;
const BAR_TEMPLATE: &str = "{prefix} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
/// The size from which a download is reported.
const MIN_REPORTED_BYTES: u64 = 1 << 20;

/// The download of a file of a model.
pub struct Download<'a> {
    /// The source.
    pub client: &'a Client,
    /// The destination.
    pub repository: &'a Repository,
    /// The model.
    pub name: &'a Name,
    /// The commit of the model.
    pub commit: &'a str,
    /// The name of the file.
    pub file: &'a str,
}

impl Download<'_> {
    /// Downloads the file, unless it is in the cache or another process downloads it in the meantime.
    ///
    /// `alternative` is added to errors: it says how to get the file without this program.
    ///
    /// # Errors
    /// Returns an error if the file cannot be downloaded or written, or does not have the hash and size that the hub
    /// gave.
    pub fn run(&self, alternative: &str) -> Result<()> {
        let explain = |failure: Failure| failure.explain(&self.name.to_string(), alternative);
        let metadata = self.client.metadata(self.name, self.commit, self.file).map_err(explain)?;
        let blob = self.repository.blob(&metadata.etag);
        if !blob.exists() {
            make_folder(parent(&blob))?;
            let waiting = || eprintln!("note: waiting for another process, which downloads {}", self.file);
            let _lock = self.repository.lock(&metadata.etag, waiting)?;
            if !blob.exists() {
                let mut partial = Partial::open(&blob)?;
                self.complete(&mut partial, &metadata, alternative)?;
                partial.finish(&metadata, &blob, self.file).with_context(|| self.name.to_string())?;
            }
        }
        self.repository.link(self.commit, self.file, &metadata.etag)
    }

    /// Requests the missing bytes until the file is complete.
    fn complete(&self, partial: &mut Partial, metadata: &Metadata, alternative: &str) -> Result<()> {
        if metadata.bytes.is_some_and(|bytes| partial.bytes() > bytes) {
            partial.restart()?;
        }
        let bar = self.progress_bar(partial, metadata);
        let mut attempts = 0;
        while metadata.bytes.is_none_or(|bytes| partial.bytes() < bytes) {
            let before = partial.bytes();
            let failure = match self.client.file(self.name, self.commit, self.file, before) {
                Ok(response) => self.receive(partial, response, metadata, &bar)?,
                Err(failure) => Some(failure),
            };
            let Some(failure) = failure else { break };
            attempts = if partial.bytes() > before { 1 } else { attempts + 1 };
            if attempts >= MAX_ATTEMPTS || !failure.is_outage() {
                let error = failure.explain(&self.name.to_string(), alternative);
                let kept = format!("downloading {}: {} bytes were received and are kept", self.file, partial.bytes());
                return Err(error.context(kept));
            }
            thread::sleep(self.client.pause(attempts));
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Adds the body of a response to the file. Returns the reason if the file is incomplete afterwards.
    fn receive(
        &self,
        partial: &mut Partial,
        response: Response<Body>,
        metadata: &Metadata,
        bar: &ProgressBar,
    ) -> Result<Option<Failure>> {
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        let is_rest = is_part && starts_at(&response, partial.bytes());
        if !is_rest && partial.bytes() > 0 {
            partial.restart()?;
        }
        bar.set_position(partial.bytes());
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE || is_part != is_rest {
            let text = "the server returned another part of the file than the requested one";
            return Ok(Some(Failure::Network(text.into())));
        }
        let length = response.body().content_length().map(|length| partial.bytes() + length);
        let expected = metadata.bytes.or(length);
        // One byte more than expected shows that the file is a different one.
        let most = expected.map_or(u64::MAX, |bytes| bytes - partial.bytes().min(bytes) + 1);
        let mut body = response.into_body().into_reader().take(most);
        let broken = match partial.extend(&mut body, |bytes| bar.set_position(bytes))? {
            Err(error) => Some(format!("the connection broke: {error}")),
            Ok(()) if expected.is_some_and(|bytes| partial.bytes() < bytes) => Some("the connection broke".into()),
            Ok(()) => None,
        };
        Ok(broken.map(Failure::Network))
    }

    /// Prints the start of a large download, and returns its progress bar.
    fn progress_bar(&self, partial: &Partial, metadata: &Metadata) -> ProgressBar {
        let bytes = metadata.bytes.unwrap_or(0);
        if bytes < MIN_REPORTED_BYTES {
            return ProgressBar::hidden();
        }
        let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let rest = match partial.bytes() {
            0 => String::new(),
            before => format!(", of which {} are in the cache", megabytes(before)),
        };
        let place = self.repository.folder().display();
        eprintln!("downloading {} of {} ({}{rest}) into {place}", self.file, self.name, megabytes(bytes));
        let style = ProgressStyle::with_template(BAR_TEMPLATE).expect("the template is a constant");
        ProgressBar::new(bytes).with_style(style).with_prefix(self.file.to_owned()).with_position(partial.bytes())
    }
}

/// Returns whether a partial response starts at a byte, according to `Content-Range: bytes 100-199/200`.
fn starts_at(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    first == Some(from)
}
