//! The HTTP server: the gallery page and an API that scores images.
//!
//! A few threads of tokio handle requests. Other threads decode images, and one thread owns the scorer and computes.
//! The number, the size and the time of requests are bounded by [`args::LimitArgs`].

pub mod args;
pub mod server;

mod access;
mod api;
mod connections;
mod error_response;
mod metrics;
mod pages;
mod pipeline;
mod upload;
