//! The failures of requests to the hub, and advice for each.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use ureq::Body;
use ureq::http::Response;

use super::settings::Settings;

/// The failure of a request.
#[derive(Debug)]
pub enum Failure {
    /// No server answered, or the connection broke.
    Network(String),
    /// The server refused the request.
    Status(Refusal),
    /// The answer is not valid for a hub.
    Answer(anyhow::Error),
}

/// An answer with a status that is not a success.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    /// The hub's name of the error, such as `GatedRepo`. It is empty if the answer has none.
    code: String,
    pause: Option<Duration>,
    endpoint: String,
    has_token: bool,
}

impl Failure {
    /// Returns the failure of a request that a server did not answer.
    pub fn network(address: &str, error: &dyn Error) -> Self {
        let mut reasons = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(inner) = cause {
            reasons.push(inner.to_string());
            cause = inner.source();
        }
        reasons.dedup();
        // The queries of stored files' URLs have signatures, which must not be shown.
        let address = address.split('?').next().unwrap_or(address);
        Self::Network(format!("{address}: {}", reasons.join(": ")))
    }

    /// Returns the failure of a response whose status is not a success.
    pub fn of(response: Response<Body>, settings: &Settings) -> Self {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        Self::Status(Refusal {
            status: response.status().as_u16(),
            code: header("x-error-code").unwrap_or_default().to_owned(),
            pause: header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
            endpoint: settings.endpoint.clone(),
            has_token: settings.token.is_some(),
        })
    }

    /// Returns `Some` if the same request may succeed later, with the pause that the server asked for.
    ///
    /// A request without an answer is not repeated, so that a machine without a network gets the error at once.
    pub fn pause(&self) -> Option<Option<Duration>> {
        match self {
            Self::Status(Refusal { status: 408 | 429 | 500..=599, pause, .. }) => Some(*pause),
            _ => None,
        }
    }

    /// Returns whether the hub is not available now, so that files from the cache should be used.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Network(_)) || self.pause().is_some()
    }

    /// Returns an error with advice. `alternative` says how to get the model without this program.
    pub fn explain(self, model: &str, alternative: &str) -> anyhow::Error {
        match self {
            Self::Network(reason) if reason.contains("certificate") => anyhow!(
                "the hub's certificate is not trusted ({reason}): if a proxy inspects connections, set SSL_CERT_FILE to a file with its \
                 certificates; {alternative}"
            ),
            Self::Network(reason) => anyhow!(
                "the hub cannot be reached ({reason}): check the network, set HTTPS_PROXY to a proxy, or HF_ENDPOINT to a \
                 mirror; {alternative}"
            ),
            Self::Status(refusal) => anyhow!("{}", refusal.explain(model, alternative)),
            Self::Answer(error) => error.context(format!("asking the hub for {model}; {alternative}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(reason) => f.write_str(reason),
            Self::Status(refusal) => write!(f, "the server answered with status {}", refusal.status),
            Self::Answer(error) => write!(f, "{error:#}"),
        }
    }
}

impl Refusal {
    fn explain(&self, model: &str, alternative: &str) -> String {
        let Self { status, code, endpoint, has_token, .. } = self;
        let id = model.split('@').next().unwrap_or(model);
        let page = format!("{endpoint}/{id}");
        let tokens = format!("{endpoint}/settings/tokens");
        match (status, code.as_str()) {
            (_, "GatedRepo") if !has_token => format!(
                "{model} is gated: accept its terms at {page}, create a token at {tokens}, and set HF_TOKEN to it (status {status})"
            ),
            (_, "GatedRepo") => format!(
                "{model} is gated, and the account of the token in HF_TOKEN has no access: accept its terms at {page} \
                 (status {status})"
            ),
            (401, _) if *has_token => format!(
                "the hub refused the token (status 401): the token is wrong or expired, or {model} does not exist. Set HF_TOKEN to a token \
                 from {tokens}, or unset it for public models"
            ),
            // Without a token, the hub does not say whether a private model exists.
            (401, _) => format!(
                "the hub has no public model {model} (status 401): check the name, or the path if you meant a file; for a private model, \
                 set HF_TOKEN to a token from {tokens}"
            ),
            (403, _) => format!(
                "the hub denies access to {model} (status 403): read its terms at {page}, and set HF_TOKEN to a token that \
                 may read it"
            ),
            (404, "RevisionNotFound") => {
                format!("{id} has no revision `{}`: see {page}/commits", model.split('@').nth(1).unwrap_or("main"))
            }
            (404, "EntryNotFound") => format!("{model} no longer has a file that was in its list: repeat the command"),
            (404, _) => format!(
                "the hub has no model {model} (status 404): check the name at {page}, or the path if you meant a file"
            ),
            (429, _) => format!(
                "the hub limits the number of requests (status 429): wait some minutes, or set HF_TOKEN, which raises the limit; \
                 {alternative}"
            ),
            (500..=599, _) => format!("the hub has a problem (status {status}): try again later; {alternative}"),
            _ => format!("the hub answered with status {status} when asked for {model}; {alternative}"),
        }
    }
}
