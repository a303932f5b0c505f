//! Synthetic data sets in AGIQA-3K's layout, for demonstrations and tests.
//!
//! A scene is drawn from a prompt, or a part is cut from a picture. Elements of the prompt are changed and the image is
//! degraded, both by known amounts, from which the scores follow. Everything depends on the seed and the index of the image alone, and not on the number
//! of threads.

pub mod data_set;

mod alignment;
mod degrade;
mod plan;

mod background;
mod canvas;
mod defects;
mod filters;
mod layout;
mod pictures;
mod prompt;
mod random;
mod render;
mod scene;
mod shapes;
mod texture;
