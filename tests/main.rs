//! Tests across crates, in one binary, as each further one links burn again.

#![recursion_limit = "256"]

#[path = "suite/parity.rs"]
mod parity;
#[path = "suite/support.rs"]
mod support;

/// Bundles, written and read back.
#[path = "suite/bundles.rs"]
mod bundles;
/// Every file format and every way a file can be wrong.
#[path = "suite/checkpoints.rs"]
mod checkpoints;
/// The binary, as a user runs it.
#[path = "suite/cli.rs"]
mod cli;
/// Whole scores with every option, on every device: an implementation in PyTorch.
#[path = "suite/scores.rs"]
mod scores;
/// Text to token ids: open_clip.
#[path = "suite/tokens.rs"]
mod tokens;
/// CLIP's towers: transformers.
#[path = "suite/towers.rs"]
mod towers;
/// Image to views: Pillow and torch.
#[path = "suite/views.rs"]
mod views;
