//! Static files: the gallery page and its model, with content types, compression and caching. Requests cannot leave
//! their folders.

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

/// Smallest file that is compressed, in bytes.
const MIN_COMPRESSED: u64 = 1024;
/// Smallest number of hexadecimal digits at the end of a name that count as a hash of the content.
const MIN_HASH: usize = 8;

/// The routes of static files. The bundle in `model` replaces the model in the folder of the page.
pub fn router(www: Option<&Path>, model: Option<&Path>) -> Router {
    let files = |folder: &Path| ServeDir::new(folder).precompressed_gzip();
    let mut router = match www {
        Some(www) => Router::new().fallback_service(files(www)),
        None => Router::new().route("/", get(index)).fallback(not_found),
    };
    if let Some(model) = model {
        router = router.nest_service("/model", files(model));
    }
    router.layer(CompressionLayer::new().compress_when(is_text)).layer(from_fn(set_cache_headers))
}

async fn index() -> String {
    let paths = ["POST /v1/score", "GET /v1/openapi.json", "GET /healthz", "GET /metrics"];
    json!({ "name": "tsp-mgs", "version": env!("CARGO_PKG_VERSION"), "paths": paths }).to_string() + "\n"
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found; start the server with --www to serve the page\n")
}

/// Whether a response is text. Weights and images are not compressed, because they are compressed already.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_text = kind.starts_with("text/")
        || matches!(kind, "application/wasm" | "application/json" | "application/javascript" | "image/svg+xml");
    let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
    is_text && length.is_none_or(|length| length >= MIN_COMPRESSED)
}

/// Middleware that sets `Cache-Control`.
///
/// Files whose name has a hash of their content never expire. Browsers ask for all other files again, and get 304 if
/// they are unchanged. Shards of weights are among these, because the shards of different models have the same names.
async fn set_cache_headers(request: Request, next: Next) -> Response {
    let is_immutable = has_content_hash(request.uri().path());
    let mut response = next.run(request).await;
    let is_found = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let caching = if is_immutable && is_found { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    // Compressing a file again may give other bytes, so the tag is made weak.
    if headers.contains_key(CONTENT_ENCODING)
        && let Some(strong) = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'))
        && let Ok(weak) = HeaderValue::from_str(&format!("W/{strong}"))
    {
        headers.insert(ETAG, weak);
    }
    // Without a charset, browsers guess it.
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/html") {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response
}

/// Whether the name ends with a hash of the content, such as `app-0a1b2c3d.js` or `app.0a1b2c3d.css`.
fn has_content_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let hash = stem.rsplit(['-', '.']).next().filter(|hash| hash.len() < stem.len()).unwrap_or_default();
    hash.len() >= MIN_HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_are_recognised() {
        for path in ["/app-0a1b2c3d.js", "/a/b.0123456789abcdef.wasm"] {
            assert!(has_content_hash(path), "{path}");
        }
        for path in
            ["/", "/index.html", "/model/weights-01.safetensors", "/deadbeef.js", "/a-1234567.js", "/a-deadbeef/b.js"]
        {
            assert!(!has_content_hash(path), "{path}");
        }
    }
}
