//! One file from the hub into the cache: whole and checked, or not at all.

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

/// How often a connection may break without a byte that is new.
const TRIES: u32 = 5;
const BAR: &str = "{prefix} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
/// Shorter files are fetched without a word.
const MENTIONED_BYTES: u64 = 1 << 20;

/// A file of a model's commit.
pub struct Download<'a> {
    /// Where it comes from.
    pub client: &'a Client,
    /// Where it goes.
    pub repository: &'a Repository,
    /// The model.
    pub name: &'a Name,
    /// Its commit.
    pub commit: &'a str,
    /// The file's name.
    pub file: &'a str,
}

impl Download<'_> {
    /// Fetches the file, unless it is there or another process fetches it meanwhile.
    ///
    /// # Errors
    /// When it cannot be fetched or written, or is not what the hub said.
    pub fn run(&self, by_hand: &str) -> Result<()> {
        let explain = |failure: Failure| failure.explain(&self.name.to_string(), by_hand);
        let metadata = self.client.metadata(self.name, self.commit, self.file).map_err(explain)?;
        let blob = self.repository.blob(&metadata.etag);
        if !blob.exists() {
            make_folder(parent(&blob))?;
            let waiting = || eprintln!("note: waiting for another process, which downloads {}", self.file);
            let _lock = self.repository.lock(&metadata.etag, waiting)?;
            if !blob.exists() {
                let mut partial = Partial::open(&blob)?;
                self.complete(&mut partial, &metadata, by_hand)?;
                partial.finish(&metadata, &blob, self.file).with_context(|| self.name.to_string())?;
            }
        }
        self.repository.link(self.commit, self.file, &metadata.etag)
    }

    /// Asks for the rest until all is there.
    fn complete(&self, partial: &mut Partial, metadata: &Metadata, by_hand: &str) -> Result<()> {
        if metadata.bytes.is_some_and(|bytes| partial.bytes() > bytes) {
            partial.restart()?;
        }
        let bar = self.announce(partial, metadata);
        let mut tried = 0;
        while metadata.bytes.is_none_or(|bytes| partial.bytes() < bytes) {
            let before = partial.bytes();
            let failure = match self.client.file(self.name, self.commit, self.file, before) {
                Ok(response) => self.take(partial, response, metadata, &bar)?,
                Err(failure) => Some(failure),
            };
            let Some(failure) = failure else { break };
            tried = if partial.bytes() > before { 1 } else { tried + 1 };
            if tried >= TRIES || !failure.is_outage() {
                let error = failure.explain(&self.name.to_string(), by_hand);
                let kept = format!("downloading {}, of which {} bytes came and are kept", self.file, partial.bytes());
                return Err(error.context(kept));
            }
            thread::sleep(self.client.pause(tried));
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Takes an answer's body; says why the file is not complete after it.
    fn take(
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
            let text = "the server sent another part of the file than was asked for";
            return Ok(Some(Failure::Network(text.into())));
        }
        let length = response.body().content_length().map(|length| partial.bytes() + length);
        let expected = metadata.bytes.or(length);
        // A byte too many is enough to see that it is another file.
        let most = expected.map_or(u64::MAX, |bytes| bytes - partial.bytes().min(bytes) + 1);
        let mut body = response.into_body().into_reader().take(most);
        let broken = match partial.extend(&mut body, |bytes| bar.set_position(bytes))? {
            Err(error) => Some(format!("the connection broke: {error}")),
            Ok(()) if expected.is_some_and(|bytes| partial.bytes() < bytes) => Some("the connection broke".into()),
            Ok(()) => None,
        };
        Ok(broken.map(Failure::Network))
    }

    fn announce(&self, partial: &Partial, metadata: &Metadata) -> ProgressBar {
        let bytes = metadata.bytes.unwrap_or(0);
        if bytes < MENTIONED_BYTES {
            return ProgressBar::hidden();
        }
        let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let rest = match partial.bytes() {
            0 => String::new(),
            before => format!(", of which {} are there", megabytes(before)),
        };
        let place = self.repository.folder().display();
        eprintln!("downloading {} of {} ({}{rest}) into {place}", self.file, self.name, megabytes(bytes));
        let style = ProgressStyle::with_template(BAR).expect("the template is a constant");
        ProgressBar::new(bytes).with_style(style).with_prefix(self.file.to_owned()).with_position(partial.bytes())
    }
}

/// Whether a part of a file begins at a byte: `Content-Range: bytes 100-199/200`.
fn starts_at(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    first == Some(from)
}
