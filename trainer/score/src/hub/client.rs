//! HTTP requests to the hub, and to the servers that it redirects to. Only the hub itself gets the token.

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

/// The header with the hash of a file that another server stores.
const LINKED_ETAG: &str = "x-linked-etag";
/// The maximum number of attempts of a request that fails for a temporary reason.
const MAX_ATTEMPTS: u32 = 3;
/// The longest pause before another attempt. If a server asks for a longer one, the request fails.
const MAX_PAUSE: Duration = Duration::from_secs(20);
const MAX_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum size of the list of a model's files. The list of thousands of files has a few hundred kilobytes.
const MAX_LISTING_BYTES: u64 = 16 << 20;

/// A client of the hub.
pub struct Client {
    agent: Agent,
    settings: Settings,
}

/// The commit of a model, and the names of its files.
#[derive(Debug, Deserialize)]
pub struct Listing {
    /// The commit, which has 40 hexadecimal digits.
    #[serde(rename = "sha")]
    pub commit: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

/// The hash and the size of a file on the hub.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The hash of the file: SHA-256 for a file in LFS, git's hash for a small one.
    pub etag: String,
    /// The size in bytes, if the hub returns it.
    pub bytes: Option<u64>,
}

impl Listing {
    /// Returns the names of the files, with slashes after the names of folders.
    pub fn files(&self) -> Vec<String> {
        self.siblings.iter().map(|sibling| sibling.rfilename.clone()).collect()
    }
}

impl Metadata {
    /// Returns the SHA-256 of the file, if the hub returns it.
    pub fn sha256(&self) -> Option<&str> {
        (self.etag.len() == 64 && self.etag.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(&self.etag)
    }
}

impl Client {
    /// Creates a client, which does not connect yet.
    ///
    /// Proxies are read from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    /// Returns an error if the certificates of `SSL_CERT_FILE` cannot be read.
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
            // `follow` handles redirects, because not all servers may get the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(settings.read_timeout))
            .tls_config(tls.build())
            .user_agent(concat!("tsp-mgs/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), settings })
    }

    /// Returns the settings of the client.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the URL of a file.
    pub fn address(&self, name: &Name, revision: &str, file: &str) -> String {
        format!("{}/{}/resolve/{}/{file}", self.settings.endpoint, name.id, revision.replace('/', "%2F"))
    }

    /// Requests the commit of the name's revision and the names of its files.
    ///
    /// # Errors
    /// Returns an error if the hub does not answer, refuses the request, or returns an invalid answer.
    pub fn listing(&self, name: &Name) -> Result<Listing, Failure> {
        let revision = name.revision().replace('/', "%2F");
        let address = format!("{}/api/models/{}/revision/{revision}", self.settings.endpoint, name.id);
        self.with_retries(|| {
            let response = self.follow("GET", &address, None, Redirects::All)?;
            let mut json = String::new();
            let mut reader = response.into_body().into_reader().take(MAX_LISTING_BYTES);
            reader.read_to_string(&mut json).map_err(|error| Failure::network(&address, &error))?;
            let listing: Listing = serde_json::from_str(&json)
                .map_err(|error| Failure::Answer(anyhow!("{address} is not a list of a model's files: {error}")))?;
            if !is_commit(&listing.commit) {
                return Err(Failure::Answer(anyhow!(
                    "{address} has the commit `{}`, expected 40 hexadecimal digits",
                    listing.commit
                )));
            }
            Ok(listing)
        })
    }

    /// Requests the hash and the size of a file.
    ///
    /// # Errors
    /// Returns an error if the hub does not answer, refuses the request, or does not return the hash.
    pub fn metadata(&self, name: &Name, commit: &str, file: &str) -> Result<Metadata, Failure> {
        let address = self.address(name, commit, file);
        self.with_retries(|| {
            let response = self.follow("HEAD", &address, None, Redirects::WithinHub)?;
            let headers = response.headers();
            let etag = text(headers, LINKED_ETAG).or_else(|| text(headers, ETAG.as_str()));
            let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
            // The hash becomes the name of a file, so that its characters are checked.
            let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
            let is_hash = |etag: &String| (16..=128).contains(&etag.len()) && etag.bytes().all(is_plain);
            let etag = etag.filter(is_hash).ok_or_else(|| {
                Failure::Answer(anyhow!(
                    "{address}: the answer has no ETag with the hash of the file; expected an answer of the Hugging Face Hub"
                ))
            })?;
            let is_file = response.status().is_success();
            let length = text(headers, CONTENT_LENGTH.as_str()).filter(|_| is_file);
            let bytes = text(headers, "x-linked-size").or(length).and_then(|bytes| bytes.parse().ok());
            Ok(Metadata { etag, bytes })
        })
    }

    /// Requests a file, starting at the byte `from`. The status of the response is 200, 206 or 416.
    ///
    /// # Errors
    /// Returns an error if no server answers, or if one refuses the request.
    pub fn file(&self, name: &Name, commit: &str, file: &str, from: u64) -> Result<Response<Body>, Failure> {
        self.follow("GET", &self.address(name, commit, file), Some(from).filter(|&from| from > 0), Redirects::All)
    }

    /// Returns the pause after this number of failed attempts. It doubles with each attempt, up to 32 times the first
    /// one.
    pub fn pause(&self, attempts: u32) -> Duration {
        self.settings.pause * 2_u32.pow(attempts.saturating_sub(1).min(5))
    }

    /// Makes a request, and repeats it if the failure may be temporary.
    fn with_retries<T>(&self, request: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut attempts = 0;
        loop {
            let failure = match request() {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            attempts += 1;
            match failure.pause().map(|requested| requested.unwrap_or(self.pause(attempts))) {
                Some(pause) if attempts < MAX_ATTEMPTS && pause <= MAX_PAUSE => thread::sleep(pause),
                _ => return Err(failure),
            }
        }
    }

    /// Makes a request and follows redirects.
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
                Redirects::WithinHub => {
                    !is_path && (!self.is_hub(&next) || response.headers().contains_key(LINKED_ETAG))
                }
            };
            if is_answer {
                return Ok(response);
            }
            uri = next;
        }
        Err(Failure::Answer(anyhow!("{address} redirects more than {MAX_REDIRECTS} times")))
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
            Failure::Answer(anyhow!("the token in HF_TOKEN has invalid characters: log in again, or set another token"))
        })?;
        self.agent.run(request).map_err(|error| Failure::network(&uri.to_string(), &error))
    }

    /// Returns whether a URL is on the server that the token is for.
    fn is_hub(&self, uri: &Uri) -> bool {
        let same = |hub: Uri| hub.scheme() == uri.scheme() && hub.host() == uri.host() && port(&hub) == port(uri);
        self.settings.endpoint.parse().is_ok_and(same)
    }
}

/// The redirects that are followed.
#[derive(Clone, Copy, PartialEq)]
enum Redirects {
    All,
    /// Redirects to another path on the hub. A redirect to another server, or one with the hash of a stored file, is
    /// returned as the answer.
    WithinHub,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or_else(|| if uri.scheme_str() == Some("http") { Some(80) } else { Some(443) })
}

fn read_uri(address: &str) -> Result<Uri, Failure> {
    let read = || {
        let uri: Uri = address.parse().context("it is not a URL")?;
        ensure!(matches!(uri.scheme_str(), Some("http" | "https")), "expected a URL that begins with https://");
        Ok(uri)
    };
    read().map_err(|error: anyhow::Error| Failure::Answer(error.context(format!("following `{address}`"))))
}

fn on_same_host(uri: &Uri, path: &str) -> Result<Uri, Failure> {
    let (scheme, host) = (uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |host| host.as_str()));
    read_uri(&format!("{scheme}://{host}{path}"))
}
