//! What can go wrong between here and the hub, and what to do about it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use ureq::Body;
use ureq::http::Response;

use super::settings::Settings;

/// A request that gave nothing to use.
#[derive(Debug)]
pub enum Failure {
    /// No answer, or one that broke off.
    Network(String),
    /// A refusal.
    Status(Refusal),
    /// An answer that is none of a hub.
    Answer(anyhow::Error),
}

/// An answer with a status that is no success.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    /// The hub's name for what is wrong, such as `GatedRepo`; empty where it gives none.
    code: String,
    pause: Option<Duration>,
    endpoint: String,
    has_token: bool,
}

impl Failure {
    /// No answer from an address.
    pub fn network(address: &str, error: &dyn Error) -> Self {
        let mut reasons = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(inner) = cause {
            reasons.push(inner.to_string());
            cause = inner.source();
        }
        reasons.dedup();
        // Addresses of stored files carry signatures, which are nobody's business.
        let address = address.split('?').next().unwrap_or(address);
        Self::Network(format!("{address}: {}", reasons.join(": ")))
    }

    /// A refusal, by its status.
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

    /// Whether the same request may do better a moment later, and the pause that the server asked for.
    ///
    /// Without any answer it will not: a machine without a network is told so at once.
    pub fn pause(&self) -> Option<Option<Duration>> {
        match self {
            Self::Status(Refusal { status: 408 | 429 | 500..=599, pause, .. }) => Some(*pause),
            _ => None,
        }
    }

    /// Whether the hub cannot be asked now, so that what was fetched earlier is as good as it gets.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Network(_)) || self.pause().is_some()
    }

    /// What is wrong with a model, and what to do; `by_hand` says how to do without the hub.
    pub fn explain(self, model: &str, by_hand: &str) -> anyhow::Error {
        match self {
            Self::Network(reason) if reason.contains("certificate") => anyhow!(
                "the hub's certificate is not trusted ({reason}): where a proxy reads along, set SSL_CERT_FILE to a file with its \
                 certificates; {by_hand}"
            ),
            Self::Network(reason) => anyhow!(
                "the hub cannot be reached ({reason}): check the network, set HTTPS_PROXY to a proxy, or HF_ENDPOINT to a \
                 mirror; {by_hand}"
            ),
            Self::Status(refusal) => anyhow!("{}", refusal.explain(model, by_hand)),
            Self::Answer(error) => error.context(format!("asking the hub for {model}; {by_hand}")),
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
    fn explain(&self, model: &str, by_hand: &str) -> String {
        let Self { status, code, endpoint, has_token, .. } = self;
        let id = model.split('@').next().unwrap_or(model);
        let page = format!("{endpoint}/{id}");
        let tokens = format!("{endpoint}/settings/tokens");
        match (status, code.as_str()) {
            (_, "GatedRepo") if !has_token => format!(
                "{model} is gated: accept its terms at {page}, make a token at {tokens}, and set HF_TOKEN to it (status {status})"
            ),
            (_, "GatedRepo") => format!(
                "{model} is gated, and the account of the token in HF_TOKEN has no access: accept its terms at {page} \
                 (status {status})"
            ),
            (401, _) if *has_token => format!(
                "the hub refused the token (status 401): it is wrong, too old, or there is no {model}. Set HF_TOKEN to a token \
                 of {tokens}, or unset it for public models"
            ),
            // The hub does not tell strangers which models are private.
            (401, _) => format!(
                "the hub has no public model {model} (status 401): check the name, or the path if a file was meant; for a private one set HF_TOKEN to a token \
                 of {tokens}"
            ),
            (403, _) => format!(
                "the hub gives no access to {model} (status 403): see {page} for its terms, and set HF_TOKEN to a token that \
                 may read it"
            ),
            (404, "RevisionNotFound") => {
                format!("{id} has no revision `{}`: see {page}/commits", model.split('@').nth(1).unwrap_or("main"))
            }
            (404, "EntryNotFound") => format!("{model} no longer has a file that its list names: repeat the command"),
            (404, _) => format!(
                "the hub has no model {model} (status 404): check the name at {page}, or the path if a file was meant"
            ),
            (429, _) => format!(
                "the hub answers no more requests for now (status 429): wait some minutes, or set HF_TOKEN, which allows more; \
                 {by_hand}"
            ),
            (500..=599, _) => format!("the hub has a problem (status {status}): try again later; {by_hand}"),
            _ => format!("the hub answered with status {status} when asked for {model}; {by_hand}"),
        }
    }
}
