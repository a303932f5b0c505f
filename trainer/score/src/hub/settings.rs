//! The environment variables of `huggingface_hub`, with the same meanings and defaults.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const ENDPOINT: &str = "https://huggingface.co";
/// The default of the timeout. It is three times that of `huggingface_hub`, for slow mirrors.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

/// The source of models and their cache.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL of the hub without a slash at the end: `HF_ENDPOINT`.
    pub endpoint: String,
    /// The token for private and gated models: `HF_TOKEN`, or the content of the file that `hf auth login` writes.
    pub token: Option<String>,
    /// The folder of downloaded models: `HF_HUB_CACHE`, or `hub` in `HF_HOME`.
    pub cache: PathBuf,
    /// Whether no requests are made: `HF_HUB_OFFLINE`.
    pub is_offline: bool,
    /// The file with trusted certificates, which replace Mozilla's list: `SSL_CERT_FILE`.
    pub certificates: Option<PathBuf>,
    /// The maximum time without data from a server: `HF_HUB_DOWNLOAD_TIMEOUT`, in seconds.
    pub read_timeout: Duration,
    /// The pause before the second attempt of a request. The pause doubles with each further attempt.
    pub pause: Duration,
}

impl Settings {
    /// Reads the environment variables.
    ///
    /// # Errors
    /// Returns an error if `HF_ENDPOINT` is not a URL, or if there is no home folder for the cache.
    pub fn from_environment() -> Result<Self> {
        Self::read(|name| env::var_os(name).filter(|value| !value.is_empty()), env::home_dir().as_deref())
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Result<Self> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let is_set = |name: &str| text(name).is_some_and(|value| is_true(&value));
        let path = |name: &str| variable(name).map(|value| expand_home(Path::new(&value), home));

        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.into()).trim_end_matches('/').to_owned();
        let is_address = endpoint.starts_with("https://") || endpoint.starts_with("http://");
        ensure!(is_address, "HF_ENDPOINT is `{endpoint}`, expected a URL such as {ENDPOINT}");

        let folder = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")))?;
            Some(caches.join("huggingface"))
        });
        let given = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let cache = given.or_else(|| Some(folder.as_ref()?.join("hub")));
        let cache = cache.context("there is no home folder for the cache of models: set HF_HUB_CACHE to a folder")?;

        let token_file = path("HF_TOKEN_PATH").or_else(|| Some(folder?.join("token")));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let token = token.or_else(|| fs::read_to_string(token_file?).ok());
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());

        let seconds = text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|seconds| seconds.parse().ok());
        Ok(Self {
            endpoint,
            token: token.filter(|_| !is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            cache,
            is_offline: is_set("HF_HUB_OFFLINE") || is_set("TRANSFORMERS_OFFLINE"),
            certificates: path("SSL_CERT_FILE"),
            read_timeout: seconds.filter(|&seconds| seconds > 0).map_or(READ_TIMEOUT, Duration::from_secs),
            pause: PAUSE,
        })
    }
}

/// Returns whether a value means true for `huggingface_hub`.
fn is_true(value: &str) -> bool {
    matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
}

/// Replaces `~` at the start of a path by the home folder.
fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Settings::read(variable, Some(Path::new("/home/a"))).expect("settings")
    }

    #[test]
    fn the_cache_is_found_as_python_finds_it() {
        for (variables, expected) in [
            (vec![], "/home/a/.cache/huggingface/hub"),
            (vec![("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (vec![("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf")], "/home/a/hf/hub"),
            (vec![("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/models")], "/models"),
        ] {
            assert_eq!(read(&variables).cache, Path::new(expected), "{variables:?}");
        }
    }

    #[test]
    fn switches_and_addresses_are_read() {
        let settings = read(&[("HF_ENDPOINT", "http://mirror/"), ("HF_HUB_OFFLINE", "yes"), ("HF_TOKEN", " hf_a\n")]);
        assert_eq!((settings.endpoint.as_str(), settings.is_offline), ("http://mirror", true));
        assert_eq!(settings.token.as_deref(), Some("hf_a"));
        assert!(!read(&[("HF_HUB_OFFLINE", "0")]).is_offline);
        assert_eq!(read(&[("HF_TOKEN", "hf_a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
        let error =
            Settings::read(|name| (name == "HF_ENDPOINT").then(|| "mirror".into()), None).expect_err("no address");
        assert!(error.to_string().contains("HF_ENDPOINT is `mirror`"), "{error}");
    }
}
