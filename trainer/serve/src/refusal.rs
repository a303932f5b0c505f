//! Answers that say why there is no score.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use image::ImageError;
use serde_json::json;
use tsp_mgs_core::Error;

/// Seconds after which a client may try again: an image takes a fraction of a second.
const RETRY_SECONDS: &str = "1";

/// An answer of JSON, `{"error": TEXT}`.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: String,
    /// For the metrics: why a request was turned away before anything was computed.
    reason: Option<&'static str>,
}

/// Why a request was turned away, told to the metrics beside the answer.
#[derive(Clone, Copy)]
pub struct Reason(pub &'static str);

/// An image, or a prompt, that is refused before it costs memory.
#[derive(Debug, thiserror::Error)]
pub enum TooLarge {
    /// More pixels than `--max-pixels`.
    #[error("the image is {width} × {height} pixels, expected at most {max} million (--max-pixels)")]
    Pixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Millions of pixels.
        max: u32,
    },
    /// A longer prompt than anything reads.
    #[error("the prompt has {found} characters, expected at most {max}")]
    Prompt {
        /// Its characters.
        found: usize,
        /// Most characters.
        max: usize,
    },
}

impl Refusal {
    /// Whatever the status, with a sentence.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), reason: None }
    }

    /// Counted among those that were turned away for this reason.
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// An image that could not be scored: 415 for a format or a kind of it that is not read, 422 for a damaged or a too
    /// large image, 500 for a fault of the server.
    pub fn of(error: &anyhow::Error) -> Self {
        let status = match error.downcast_ref::<Error>() {
            Some(Error::Image(ImageError::Unsupported(_)) | Error::Tiff(_) | Error::Scans | Error::Empty) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Some(Error::Image(_) | Error::Truncated | Error::ImageSize { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            _ if error.is::<TooLarge>() => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, format!("{error:#}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tsp-mgs\""));
            }
            _ => {}
        }
        let mut response = (self.status, headers, json!({ "error": self.error }).to_string() + "\n").into_response();
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(Reason(reason));
        }
        response
    }
}
