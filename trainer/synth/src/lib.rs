//! Generated data sets in AGIQA-3K's layout, for demonstrations and tests.
//!
//! Scenes are drawn from prompts, disobeyed and degraded by known amounts, and scored by them. Everything
//! follows from the seed and the image's index, whatever the number of threads.

pub mod data_set;

mod degrade;
mod obey;
mod plan;

mod backdrop;
mod canvas;
mod defects;
mod draw;
mod layout;
mod prompt;
mod render;
mod scene;
mod shapes;
mod texture;
