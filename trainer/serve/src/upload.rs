//! Reads the body of `POST /v1/score`: the bytes of an image, or a form with the image and its prompt.

use std::error::Error;

use axum::RequestExt;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use http_body_util::{BodyExt, LengthLimitError};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::error_response::{ErrorResponse, TooLarge};

/// Longest prompt of a request, in characters. Percent-encoded, it fits into an address. CLIP reads 77 tokens.
const MAX_PROMPT: usize = 4096;
/// Longest prompt in the metadata of an image, in characters. The scorer caches 4,608 texts.
pub const MAX_METADATA_PROMPT: usize = 16_384;

/// An uploaded image.
pub struct Upload {
    /// The bytes of the image file.
    pub image: Vec<u8>,
    /// The name of the file, if the form has it.
    pub name: Option<String>,
    /// The prompt, if the request has one.
    pub prompt: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    prompt: Option<String>,
}

/// Reads a body of at most `max` bytes, which is also the body limit of the route.
///
/// # Errors
/// Fails with status 400 if the request is malformed, 413 if the body is too large, 415 if the type of the body is not
/// supported, and 422 if the prompt is too long.
pub async fn read(request: Request, max: usize) -> Result<Upload, ErrorResponse> {
    // `Query` would replace invalid characters instead of failing.
    if percent_decode_str(request.uri().query().unwrap_or_default()).decode_utf8().is_err() {
        return Err(bad_request("the query of the address is not percent-encoded UTF-8"));
    }
    let parameters: Query<Parameters> = Query::try_from_uri(request.uri()).map_err(|error| {
        bad_request(format!(
            "expected only the parameter `prompt`: {}",
            error.source().map_or(String::new(), ToString::to_string)
        ))
    })?;
    let length: Option<usize> = header(&request, CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    let content_type = header(&request, CONTENT_TYPE).unwrap_or("application/octet-stream").to_ascii_lowercase();
    let mut upload = match content_type.split(';').next().unwrap_or_default().trim() {
        "multipart/form-data" => read_form(request, max).await?,
        "application/octet-stream" => read_bytes(request, length, max).await?,
        image if image.starts_with("image/") => read_bytes(request, length, max).await?,
        other => {
            let error =
                format!("expected a body of image/*, application/octet-stream or multipart/form-data, found {other}");
            return Err(ErrorResponse::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
        }
    };
    for prompt in [&upload.prompt, &parameters.0.prompt] {
        check_prompt(prompt.as_deref(), MAX_PROMPT)?;
    }
    upload.prompt = upload.prompt.or(parameters.0.prompt);
    Ok(upload)
}

fn header(request: &Request, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

async fn read_bytes(request: Request, length: Option<usize>, max: usize) -> Result<Upload, ErrorResponse> {
    let mut body = request.into_limited_body();
    let mut image = Vec::with_capacity(length.unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.source() {
            Some(source) if source.is::<LengthLimitError>() => too_large(max),
            _ => bad_request(format!("the body cannot be read: {error}")),
        })?;
        if let Ok(data) = frame.into_data() {
            append_bounded(&mut image, &data, max);
        }
    }
    Ok(Upload { image, name: None, prompt: None })
}

async fn read_form(request: Request, max: usize) -> Result<Upload, ErrorResponse> {
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| bad_request("expected multipart/form-data with a boundary in the header `Content-Type`"))?;
    let (mut image, mut name, mut prompt) = (None, None, None);
    while let Some(field) = form.next_field().await.map_err(|error| malformed(&error, max))? {
        match field.name().unwrap_or_default() {
            "image" if image.is_none() => {
                name = field.file_name().map(str::to_owned);
                image = Some(read_field(field, max).await?);
            }
            "prompt" if prompt.is_none() => {
                let text = String::from_utf8(read_field(field, max).await?);
                prompt = Some(text.map_err(|_| bad_request("the prompt is not UTF-8"))?);
            }
            other @ ("image" | "prompt") => return Err(bad_request(format!("the form has two parts `{other}`"))),
            other => {
                let error = format!("the form has a part `{other}`, expected `image` and optionally `prompt`");
                return Err(bad_request(error));
            }
        }
    }
    let image = image.ok_or_else(|| bad_request("the form has no part `image`"))?;
    Ok(Upload { image, name, prompt })
}

async fn read_field(mut field: Field<'_>, max: usize) -> Result<Vec<u8>, ErrorResponse> {
    let mut bytes = Vec::new();
    while let Some(data) = field.chunk().await.map_err(|error| malformed(&error, max))? {
        append_bounded(&mut bytes, &data, max);
    }
    Ok(bytes)
}

/// Appends data. The buffer grows by half, and never beyond `max`, because both the old and the new buffer are in
/// memory while it grows.
fn append_bounded(bytes: &mut Vec<u8>, data: &[u8], max: usize) {
    let needed = bytes.len() + data.len();
    if needed > bytes.capacity() {
        let grown = (bytes.capacity() + bytes.capacity() / 2).min(max).max(needed);
        bytes.reserve_exact(grown - bytes.len());
    }
    bytes.extend_from_slice(data);
}

/// Checks that a prompt is short enough to be cached.
///
/// # Errors
/// Fails if it has more than `max` characters.
pub fn check_prompt(prompt: Option<&str>, max: usize) -> Result<(), TooLarge> {
    match prompt.map(|prompt| prompt.chars().count()) {
        Some(found) if found > max => Err(TooLarge::Prompt { found, max }),
        _ => Ok(()),
    }
}

impl From<TooLarge> for ErrorResponse {
    fn from(error: TooLarge) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

fn malformed(error: &MultipartError, max: usize) -> ErrorResponse {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(max),
        _ => bad_request(format!("the form cannot be read: {}", error.body_text())),
    }
}

fn too_large(max: usize) -> ErrorResponse {
    let error = format!("the body is larger than {} MiB (--max-body)", max >> 20);
    ErrorResponse::new(StatusCode::PAYLOAD_TOO_LARGE, error).with_reason("too_large")
}

fn bad_request(error: impl Into<String>) -> ErrorResponse {
    ErrorResponse::new(StatusCode::BAD_REQUEST, error)
}
