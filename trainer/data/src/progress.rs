//! How far it is: images, rate and, once their number is known, the time left.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const COUNTED: &str = "{wide_bar} {pos}/{len} images, {per_sec}, {eta} left";
const UNCOUNTED: &str = "{spinner} {pos} images, {per_sec}, {elapsed} so far";

/// Images done and time left; nothing when standard error is no terminal.
pub fn progress_bar(images: usize) -> ProgressBar {
    let target = if images > 1 { target() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(Some(images as u64), target).with_style(style(COUNTED))
}

/// The same for images that nobody has counted: `count` is asked on another thread while the first are done.
pub fn uncounted(done: u64, count: impl FnOnce() -> Option<u64> + Send + 'static) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target()).with_style(style(UNCOUNTED)).with_position(done);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(200));
        let bar = bar.clone();
        thread::spawn(move || {
            if let Some(images) = count() {
                bar.set_length(images);
                bar.set_style(style(COUNTED));
            }
        });
    }
    // Images of an earlier run say nothing of the rate of this one.
    bar.reset_eta();
    bar
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants")
}
