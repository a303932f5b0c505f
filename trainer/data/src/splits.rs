//! Which images are trained on and which are tested on: IPCE's lists, or our own, and `trainer splits`.
//!
//! Images of one prompt resemble each other, so a prompt in both parts flatters the test (SPEC §6, D10). Our own
//! splits never do that, and `trainer splits check` finds it in any.

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
