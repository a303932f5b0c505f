//! The paths of the server and what answers there.

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
use tsp_mgs_score::prepare::Ready;
use tsp_mgs_score::row::Scored;
use tsp_mgs_score::text_rows::json_scored;

use crate::access::{self, Access};
use crate::metrics::Metrics;
use crate::pages;
use crate::pipeline::Pipeline;
use crate::refusal::{Reason, Refusal};
use crate::upload::{self, Upload};

/// What describes all this to a machine; a test holds the server to it.
const OPENAPI: &str = include_str!("../../assets/openapi.json");

/// As the page itself declares, and it may stand in no other page.
const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; \
     img-src 'self' blob:; connect-src 'self' blob: data: https: http:; form-action 'none'; object-src 'none'; \
     base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const ALWAYS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What all requests share.
pub struct App {
    /// Uploads to results.
    pub pipeline: Pipeline<Upload, Ready, Scored>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who may ask.
    pub access: Arc<Access>,
    /// What all results say.
    pub run: Run,
    /// Most bytes of a body.
    pub max_body: usize,
    /// For a score, its upload included.
    pub timeout: Duration,
    /// Whether requests are printed.
    pub is_logging: bool,
    /// Whether the server is about to end.
    pub is_ending: AtomicBool,
}

/// All paths; `www` and `model` are the folders of the page and of its model.
pub fn router(app: Arc<App>, www: Option<&Path>, model: Option<&Path>) -> Router {
    let guarded = Router::new()
        .route("/v1/score", post(score))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1", any(unknown))
        .route("/v1/", any(unknown))
        .route("/v1/{*rest}", any(unknown))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(app.max_body))
        .layer(from_fn_with_state(app.access.clone(), access::token));
    Router::new()
        .route("/healthz", get(health))
        .method_not_allowed_fallback(wrong_method)
        .merge(guarded)
        .with_state(app.clone())
        .fallback_service(pages::router(www, model))
        .layer(from_fn_with_state(app.access.clone(), access::this_machine))
        .layer(CatchPanicLayer::custom(|_| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response()
        }))
        .layer(from_fn_with_state(app, around))
}

/// Counts and prints each answer, and adds the headers of all.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("page", MatchedPath::as_str);
    // The path alone: a prompt is nobody's business.
    let asked = app.is_logging.then(|| format!("{} {}", request.method(), request.uri().path()));
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    app.metrics.answered(route, status);
    if let Some(Reason(reason)) = response.extensions_mut().remove() {
        app.metrics.rejected(reason);
    }
    if let Some(asked) = asked {
        eprintln!("{asked} {status} {} ms", began.elapsed().as_millis());
    }
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn score(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (began, waiting) = (Instant::now(), app.metrics.begin());
    let answer = answer(&app, request).await;
    waiting.answered(began.elapsed());
    Ok(json_response(answer?))
}

/// One line, as `trainer score --format jsonl` prints it.
async fn answer(app: &App, request: Request) -> Result<Vec<u8>, Refusal> {
    if app.is_ending.load(Ordering::Relaxed) {
        return Err(ending());
    }
    let busy =
        || Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many images are waiting: try again").because("queue_full");
    let place = app.pipeline.place().ok_or_else(busy)?;
    let deadline = tokio::time::Instant::now() + app.timeout;
    let seconds = app.timeout.as_secs();
    let mut upload = timeout_at(deadline, upload::read(request, app.max_body)).await.map_err(|_| {
        let error = format!("the upload took longer than {seconds} seconds (--timeout)");
        Refusal::new(StatusCode::REQUEST_TIMEOUT, error).because("slow_upload")
    })??;
    let name = upload.name.take();
    let scored = timeout_at(deadline, app.pipeline.run(upload, place)).await.map_err(|_| {
        let error = format!("the score took longer than {seconds} seconds (--timeout): try again");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error).because("waited_too_long")
    })?;
    let line = scored.and_then(|scored| json_scored(name.as_deref(), None, &scored, &app.run));
    line.map_err(|error| Refusal::of(&error))
}

async fn openapi() -> Response {
    json_response(OPENAPI)
}

async fn health(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    if app.is_ending.load(Ordering::Relaxed) {
        return Err(ending());
    }
    if !app.pipeline.is_alive() {
        let error = "the thread that computes has ended: start the server anew";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error));
    }
    // Images are taken meanwhile, and wait.
    let status = if app.pipeline.is_ready() { "ok" } else { "preparing kernels" };
    let Run { model, device, .. } = &app.run;
    let about = json!({ "status": status, "version": env!("CARGO_PKG_VERSION"), "model": model, "device": device });
    Ok(json_response(about.to_string() + "\n"))
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let text = app.metrics.text(app.pipeline.taken()).map_err(|error| Refusal::of(&error))?;
    let headers = [(CONTENT_TYPE, prometheus::TEXT_FORMAT), (CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

async fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not found: GET /v1/openapi.json tells what there is")
}

async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "another method is expected here: the header `Allow` says which")
}

fn ending() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down").because("shutting_down")
}

fn json_response(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body.into()).into_response()
}
