//! The inputs of a batch.

use crate::preprocess::{Rect, Views};

/// An image to score.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Its views, made by the scorer's [`view_plan`](super::Scorer::view_plan).
    pub views: &'a Views,
    /// Its initial prompt. `None` and blank text mean that it has no prompt.
    pub prompt: Option<&'a str>,
}

/// An image to score whose views are encoded already.
#[derive(Clone, Copy)]
pub struct EncodedInput<'a> {
    /// Its features from [`view_features`](super::Scorer::view_features), row-major `[views, embed_dim]`.
    pub features: &'a [f32],
    /// The area of each crop.
    pub crop_rects: &'a [Rect],
    /// Its initial prompt. `None` and blank text mean that it has no prompt.
    pub prompt: Option<&'a str>,
}
