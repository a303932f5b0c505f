//! The gallery and its model, as files: types, compression, caching, and no way out of their folders.

use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

/// Shorter files are not worth compressing.
const MIN_COMPRESSED: u64 = 1024;
/// Hexadecimal digits at the end of a name that can be nothing but a hash of the content.
const MIN_HASH: usize = 8;

/// The folder of the page, if there is one; the bundle in `model` takes the place of the one in it.
pub fn router(www: Option<&Path>, model: Option<&Path>) -> Router {
    let files = |folder: &Path| ServeDir::new(folder).precompressed_gzip();
    let mut router = match www {
        Some(www) => Router::new().fallback_service(files(www)),
        None => Router::new().route("/", get(what_there_is)).fallback(nothing),
    };
    if let Some(model) = model {
        router = router.nest_service("/model", files(model));
    }
    router.layer(CompressionLayer::new().compress_when(is_text)).layer(from_fn(with_caching))
}

async fn what_there_is() -> String {
    let paths = ["POST /v1/score", "GET /v1/openapi.json", "GET /healthz", "GET /metrics"];
    json!({ "name": "tsp-mgs", "version": env!("CARGO_PKG_VERSION"), "paths": paths }).to_string() + "\n"
}

async fn nothing() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found; the page is served with --www\n")
}

/// Weights and pictures are as small as they get.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_text = kind.starts_with("text/")
        || matches!(kind, "application/wasm" | "application/json" | "application/javascript" | "image/svg+xml");
    let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
    is_text && length.is_none_or(|length| length >= MIN_COMPRESSED)
}

/// Says how long an answer holds. Files that are called by their content hold for ever; all others, shards of weights too,
/// are asked for again, and answered with 304 while they are the same: another model has shards of the same names.
async fn with_caching(request: Request, next: Next) -> Response {
    let is_for_ever = is_called_by_its_content(request.uri().path());
    let mut response = next.run(request).await;
    let is_there = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let caching = if is_for_ever && is_there { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    // The same file compressed anew need not have the same bytes.
    if headers.contains_key(CONTENT_ENCODING)
        && let Some(strong) = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'))
        && let Ok(weak) = HeaderValue::from_str(&format!("W/{strong}"))
    {
        headers.insert(ETAG, weak);
    }
    // Without a charset, browsers guess.
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/html") {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response
}

/// `app-0a1b2c3d.js`, `app.0a1b2c3d.css`.
fn is_called_by_its_content(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let hash = stem.rsplit(['-', '.']).next().filter(|hash| hash.len() < stem.len()).unwrap_or_default();
    hash.len() >= MIN_HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_are_known() {
        for path in ["/app-0a1b2c3d.js", "/a/b.0123456789abcdef.wasm"] {
            assert!(is_called_by_its_content(path), "{path}");
        }
        for path in
            ["/", "/index.html", "/model/weights-01.safetensors", "/deadbeef.js", "/a-1234567.js", "/a-deadbeef/b.js"]
        {
            assert!(!is_called_by_its_content(path), "{path}");
        }
    }
}
