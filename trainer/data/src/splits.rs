//! Splits of a data set into training and test images: drawing, reading, writing and checking (`trainer splits`).
//!
//! Images of one prompt resemble each other. Test results are therefore too good if a prompt is in both parts (SPEC §6,
//! D10). Drawn splits never have a prompt in both parts, and `trainer splits check` finds such prompts in any split.

mod check;
mod command;
mod draw;
mod lists;
mod split;

pub use check::{CheckArgs, PartReport, SplitReport, check};
pub use command::{MakeArgs, SplitsArgs, SplitsCommand, run};
pub use draw::{draw, validation};
pub use lists::{read, write};
pub use split::{Split, prompt_key};
