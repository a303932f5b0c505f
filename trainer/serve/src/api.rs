//! The routes of the server and their handlers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;
use tokio::time::timeout_at;
use tower_http::catch_panic::CatchPanicLayer;
use tsp_mgs_core::result::Run;
use tsp_mgs_score::prepare::PreparedImage;
use tsp_mgs_score::row::ScoredImage;
use tsp_mgs_score::text_rows::json_scored;

use crate::access::{self, Access};
use crate::error_response::{ErrorResponse, Reason};
use crate::metrics::Metrics;
use crate::pages;
use crate::pipeline::Pipeline;
use crate::upload::{self, Upload};

/// The OpenAPI document of the API. A test compares it with real responses.
const OPENAPI: &str = include_str!("../../assets/openapi.json");

/// The content security policy of the gallery page. In addition, other pages may not embed it.
const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; \
     img-src 'self' blob:; connect-src 'self' blob: data: https: http:; form-action 'none'; object-src 'none'; \
     base-uri 'none'; frame-ancestors 'none'";

/// Headers of all responses.
const COMMON_HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The state that all requests share.
pub struct App {
    /// Computes results from uploads.
    pub pipeline: Pipeline<Upload, PreparedImage, ScoredImage>,
    /// Counters and times.
    pub metrics: Arc<Metrics>,
    /// Who may send requests.
    pub access: Arc<Access>,
    /// Model, device and warnings, which all results contain.
    pub run: Run,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Longest time of a request for a score, including its upload.
    pub timeout: Duration,
    /// Whether requests are logged on standard error.
    pub is_logging: bool,
    /// Whether the server is shutting down.
    pub is_shutting_down: AtomicBool,
}

/// The routes. `www` is the folder of the gallery, `model` the folder of its model.
pub fn router(app: Arc<App>, www: Option<&Path>, model: Option<&Path>) -> Router {
    let guarded = Router::new()
        .route("/v1/score", post(score))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1", any(not_found))
        .route("/v1/", any(not_found))
        .route("/v1/{*rest}", any(not_found))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(app.max_body))
        .layer(from_fn_with_state(app.access.clone(), access::token));
    Router::new()
        .route("/healthz", get(health))
        .method_not_allowed_fallback(method_not_allowed)
        .merge(guarded)
        .with_state(app.clone())
        .fallback_service(pages::router(www, model))
        .layer(from_fn_with_state(app.access.clone(), access::this_machine))
        .layer(CatchPanicLayer::custom(|_| {
            ErrorResponse::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response()
        }))
        .layer(from_fn_with_state(app, log_and_count))
}

/// Middleware that counts and logs each response, and adds the common headers.
async fn log_and_count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("page", MatchedPath::as_str);
    // Only the path is logged, because the query may hold a prompt.
    let request_line = app.is_logging.then(|| format!("{} {}", request.method(), request.uri().path()));
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    app.metrics.count_response(route, status);
    if let Some(Reason(reason)) = response.extensions_mut().remove() {
        app.metrics.count_rejection(reason);
    }
    if let Some(request_line) = request_line {
        eprintln!("{request_line} {status} {} ms", start.elapsed().as_millis());
    }
    for (name, value) in COMMON_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn score(State(app): State<Arc<App>>, request: Request) -> Result<Response, ErrorResponse> {
    let timer = app.metrics.start_request();
    let body = score_upload(&app, request).await;
    timer.finish();
    Ok(json_response(body?))
}

/// Reads an upload and scores it. The body is a line as `trainer score --format jsonl` prints it.
async fn score_upload(app: &App, request: Request) -> Result<Vec<u8>, ErrorResponse> {
    if app.is_shutting_down.load(Ordering::Relaxed) {
        return Err(shutting_down());
    }
    let queue_full = || {
        ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, "too many images are waiting: try again later")
            .with_reason("queue_full")
    };
    let permit = app.pipeline.try_admit().ok_or_else(queue_full)?;
    let deadline = tokio::time::Instant::now() + app.timeout;
    let seconds = app.timeout.as_secs();
    let mut upload = timeout_at(deadline, upload::read(request, app.max_body)).await.map_err(|_| {
        let error = format!("the upload took longer than {seconds} seconds (--timeout)");
        ErrorResponse::new(StatusCode::REQUEST_TIMEOUT, error).with_reason("slow_upload")
    })??;
    let name = upload.name.take();
    let scored = timeout_at(deadline, app.pipeline.run(upload, permit)).await.map_err(|_| {
        let error = format!("the score took longer than {seconds} seconds (--timeout): try again later");
        ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, error).with_reason("waited_too_long")
    })?;
    let line = scored.and_then(|scored| json_scored(name.as_deref(), None, &scored, &app.run));
    line.map_err(|error| ErrorResponse::of(&error))
}

async fn openapi() -> Response {
    json_response(OPENAPI)
}

async fn health(State(app): State<Arc<App>>) -> Result<Response, ErrorResponse> {
    if app.is_shutting_down.load(Ordering::Relaxed) {
        return Err(shutting_down());
    }
    if !app.pipeline.is_alive() {
        let error = "the compute thread has stopped: restart the server";
        return Err(ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, error));
    }
    // Uploads are accepted while kernels are compiled, and wait.
    let status = if app.pipeline.is_ready() { "ok" } else { "preparing kernels" };
    let Run { model, device, .. } = &app.run;
    let about = json!({ "status": status, "version": env!("CARGO_PKG_VERSION"), "model": model, "device": device });
    Ok(json_response(about.to_string() + "\n"))
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ErrorResponse> {
    let text = app.metrics.text(app.pipeline.active_requests()).map_err(|error| ErrorResponse::of(&error))?;
    let headers = [(CONTENT_TYPE, prometheus::TEXT_FORMAT), (CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

async fn not_found() -> ErrorResponse {
    ErrorResponse::new(StatusCode::NOT_FOUND, "not found: GET /v1/openapi.json lists all paths")
}

async fn method_not_allowed() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "the method is not allowed: the header `Allow` lists the methods of this path",
    )
}

fn shutting_down() -> ErrorResponse {
    ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down").with_reason("shutting_down")
}

fn json_response(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body.into()).into_response()
}
