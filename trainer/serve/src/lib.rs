//! The gallery, and scores over HTTP.
//!
//! Requests are answered by a few threads of tokio; images are decoded on others and computed on one, which owns the
//! scorer. How many wait, how large they are and how long they take is bounded (`args::LimitArgs` says by what).

pub mod args;
pub mod server;

mod access;
mod api;
mod connections;
mod metrics;
mod pages;
mod pipeline;
mod refusal;
mod upload;
