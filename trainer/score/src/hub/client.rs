//! Requests to the hub, and to where it sends on: the token goes to the hub alone.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, ETAG, LOCATION, RANGE};
use ureq::http::{HeaderMap, Request, Response, StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::failure::Failure;
use super::name::{Name, is_commit};
use super::settings::Settings;

/// The hash of a file that is stored elsewhere.
const LINKED_ETAG: &str = "x-linked-etag";
/// How often a request is made that failed for a reason that may pass.
const TRIES: u32 = 3;
/// A server that asks for a longer pause is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const MAX_REDIRECTS: usize = 5;
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The list of a model's files is a few kilobytes; of thousands of files, a few hundred.
const MAX_LIST_BYTES: u64 = 16 << 20;

/// The hub.
pub struct Client {
    agent: Agent,
    settings: Settings,
}

/// A model's commit and the names of its files.
#[derive(Debug, Deserialize)]
pub struct Listing {
    /// The commit, 40 hexadecimal digits.
    #[serde(rename = "sha")]
    pub commit: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

/// What the hub says of a file without sending it.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The file's hash: SHA-256 of a file in LFS, git's of a small one.
    pub etag: String,
    /// Its length in bytes, where the hub says it.
    pub bytes: Option<u64>,
}

impl Listing {
    /// The names of the files; those in folders have slashes.
    pub fn files(&self) -> Vec<String> {
        self.siblings.iter().map(|sibling| sibling.rfilename.clone()).collect()
    }
}

impl Metadata {
    /// The SHA-256 that the file must have, if the hub knows it.
    pub fn sha256(&self) -> Option<&str> {
        (self.etag.len() == 64 && self.etag.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(&self.etag)
    }
}

impl Client {
    /// Makes no connection yet. Proxies are taken from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    /// When the certificates of `SSL_CERT_FILE` cannot be read.
    pub fn new(settings: Settings) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &settings.certificates {
            let place = || format!("reading the certificates of SSL_CERT_FILE, {}", path.display());
            let pem = fs::read(path).with_context(place)?;
            let items: Vec<PemItem> = parse_pem(&pem).collect::<Result<_, _>>().with_context(place)?;
            let certificates = items.into_iter().filter_map(|item| match item {
                PemItem::Certificate(certificate) => Some(certificate),
                _ => None,
            });
            tls = tls.root_certs(RootCerts::from(certificates));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // They are followed here, where it is known which of them may have the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_PATIENCE))
            .timeout_per_read(Some(settings.patience))
            .tls_config(tls.build())
            .user_agent(concat!("tsp-mgs/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), settings })
    }

    /// What the client was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The address of a file, for people and for requests.
    pub fn address(&self, name: &Name, revision: &str, file: &str) -> String {
        format!("{}/{}/resolve/{}/{file}", self.settings.endpoint, name.id, revision.replace('/', "%2F"))
    }

    /// Asks for the commit of the name's revision and for the names of its files.
    ///
    /// # Errors
    /// When the hub does not answer, refuses, or answers something else.
    pub fn listing(&self, name: &Name) -> Result<Listing, Failure> {
        let revision = name.revision().replace('/', "%2F");
        let address = format!("{}/api/models/{}/revision/{revision}", self.settings.endpoint, name.id);
        self.again(|| {
            let response = self.follow("GET", &address, None, Redirects::All)?;
            let mut json = String::new();
            let mut reader = response.into_body().into_reader().take(MAX_LIST_BYTES);
            reader.read_to_string(&mut json).map_err(|error| Failure::network(&address, &error))?;
            let listing: Listing = serde_json::from_str(&json)
                .map_err(|error| Failure::Answer(anyhow!("{address} is no list of a model's files: {error}")))?;
            if !is_commit(&listing.commit) {
                return Err(Failure::Answer(anyhow!(
                    "{address} names the commit `{}`, expected 40 digits",
                    listing.commit
                )));
            }
            Ok(listing)
        })
    }

    /// Asks for a file's hash and length.
    ///
    /// # Errors
    /// When the hub does not answer, refuses, or does not say the hash.
    pub fn metadata(&self, name: &Name, commit: &str, file: &str) -> Result<Metadata, Failure> {
        let address = self.address(name, commit, file);
        self.again(|| {
            let response = self.follow("HEAD", &address, None, Redirects::OfHub)?;
            let headers = response.headers();
            let etag = text(headers, LINKED_ETAG).or_else(|| text(headers, ETAG.as_str()));
            let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
            // It becomes the name of a file.
            let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
            let is_hash = |etag: &String| (16..=128).contains(&etag.len()) && etag.bytes().all(is_plain);
            let etag = etag.filter(is_hash).ok_or_else(|| {
                Failure::Answer(anyhow!(
                    "{address}: the answer has no ETag with the file's hash, as the hub's answers have"
                ))
            })?;
            let is_file = response.status().is_success();
            let length = text(headers, CONTENT_LENGTH.as_str()).filter(|_| is_file);
            let bytes = text(headers, "x-linked-size").or(length).and_then(|bytes| bytes.parse().ok());
            Ok(Metadata { etag, bytes })
        })
    }

    /// Begins to fetch a file, from a byte on. The answer's status is 200, 206 or 416.
    ///
    /// # Errors
    /// When no server answers, or one refuses.
    pub fn file(&self, name: &Name, commit: &str, file: &str, from: u64) -> Result<Response<Body>, Failure> {
        self.follow("GET", &self.address(name, commit, file), Some(from).filter(|&from| from > 0), Redirects::All)
    }

    /// The pause before a try: the first one follows at once.
    pub fn pause(&self, tried: u32) -> Duration {
        self.settings.pause * 2_u32.pow(tried.saturating_sub(1).min(5))
    }

    fn again<T>(&self, request: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut tried = 0;
        loop {
            let failure = match request() {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tried += 1;
            match failure.pause().map(|asked| asked.unwrap_or(self.pause(tried))) {
                Some(pause) if tried < TRIES && pause <= LONGEST_PAUSE => thread::sleep(pause),
                _ => return Err(failure),
            }
        }
    }

    /// Makes a request and the further ones that redirects ask for.
    fn follow(
        &self,
        method: &str,
        address: &str,
        from: Option<u64>,
        redirects: Redirects,
    ) -> Result<Response<Body>, Failure> {
        let mut uri = read_uri(address)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.request(method, &uri, from)?;
            let status = response.status();
            let is_range_error = status == StatusCode::RANGE_NOT_SATISFIABLE && from.is_some();
            if status.is_success() || is_range_error {
                return Ok(response);
            }
            let location = text(response.headers(), LOCATION.as_str()).filter(|_| status.is_redirection());
            let Some(location) = location else { return Err(Failure::of(response, &self.settings)) };
            let is_path = location.starts_with('/') && !location.starts_with("//");
            let next = if is_path { on_same_host(&uri, location)? } else { read_uri(location)? };
            let is_answer = match redirects {
                Redirects::All => false,
                Redirects::OfHub => !is_path && (!self.is_hub(&next) || response.headers().contains_key(LINKED_ETAG)),
            };
            if is_answer {
                return Ok(response);
            }
            uri = next;
        }
        Err(Failure::Answer(anyhow!("{address} sends on more than {MAX_REDIRECTS} times")))
    }

    fn request(&self, method: &str, uri: &Uri, from: Option<u64>) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).uri(uri).header(ACCEPT_ENCODING, "identity");
        if let Some(from) = from {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_hub(uri)) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(()).map_err(|_| {
            Failure::Answer(anyhow!(
                "the token in HF_TOKEN has characters that no token has: log in anew, or set another one"
            ))
        })?;
        self.agent.run(request).map_err(|error| Failure::network(&uri.to_string(), &error))
    }

    /// Whether an address is on the very server that the token is for.
    fn is_hub(&self, uri: &Uri) -> bool {
        let same = |hub: Uri| hub.scheme() == uri.scheme() && hub.host() == uri.host() && port(&hub) == port(uri);
        self.settings.endpoint.parse().is_ok_and(same)
    }
}

/// Which redirects are followed.
#[derive(Clone, Copy, PartialEq)]
enum Redirects {
    All,
    /// Those to another place on the hub; one that names a stored file's hash, or leads elsewhere, is the answer.
    OfHub,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or_else(|| if uri.scheme_str() == Some("http") { Some(80) } else { Some(443) })
}

fn read_uri(address: &str) -> Result<Uri, Failure> {
    let read = || {
        let uri: Uri = address.parse().context("it is no address")?;
        ensure!(matches!(uri.scheme_str(), Some("http" | "https")), "expected an address that begins with https://");
        Ok(uri)
    };
    read().map_err(|error: anyhow::Error| Failure::Answer(error.context(format!("following `{address}`"))))
}

fn on_same_host(uri: &Uri, path: &str) -> Result<Uri, Failure> {
    let (scheme, host) = (uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |host| host.as_str()));
    read_uri(&format!("{scheme}://{host}{path}"))
}
