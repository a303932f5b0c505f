//! Error responses of the API.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use image::ImageError;
use serde_json::json;
use tsp_mgs_core::Error;

/// Value of `Retry-After` in seconds. An image takes a fraction of a second.
const RETRY_SECONDS: &str = "1";

/// An error response. Its body is the JSON object `{"error": TEXT}`.
#[derive(Debug)]
pub struct ErrorResponse {
    status: StatusCode,
    error: String,
    /// Reason in the metrics, if the request was refused before the computation.
    reason: Option<&'static str>,
}

/// The reason of a refused request, which the response carries to the metrics.
#[derive(Clone, Copy)]
pub struct Reason(pub &'static str);

/// An image or a prompt that is refused because it would need too much memory.
#[derive(Debug, thiserror::Error)]
pub enum TooLarge {
    /// The image has more pixels than `--max-pixels`.
    #[error("the image is {width} × {height} pixels, expected at most {max} million (--max-pixels)")]
    Pixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Largest size, in million pixels.
        max: u32,
    },
    /// The prompt is too long.
    #[error("the prompt has {found} characters, expected at most {max}")]
    Prompt {
        /// Length of the prompt, in characters.
        found: usize,
        /// Longest prompt, in characters.
        max: usize,
    },
}

impl ErrorResponse {
    /// A response with a status and a message.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), reason: None }
    }

    /// Adds the reason under which the metrics count the response.
    pub fn with_reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The response for an image that could not be scored.
    ///
    /// | status | cause |
    /// | --- | --- |
    /// | 415 | the format, or this kind of it, is not supported |
    /// | 422 | the image is damaged or too large, or the prompt is too long |
    /// | 500 | the server failed |
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

impl IntoResponse for ErrorResponse {
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
