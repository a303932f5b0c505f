//! Progress bars with the number of images, the rate and, if the total is known, the remaining time.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const WITH_TOTAL: &str = "{wide_bar} {pos}/{len} images, {per_sec}, {eta} left";
const WITHOUT_TOTAL: &str = "{spinner} {pos} images, {per_sec}, {elapsed} so far";

/// Returns a progress bar for a known number of images. It is hidden if standard error is not a terminal.
pub fn progress_bar(images: usize) -> ProgressBar {
    let target = if images > 1 { target() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(Some(images as u64), target).with_style(style(WITH_TOTAL))
}

/// Returns a progress bar for an unknown number of images, of which `done` are finished.
///
/// Another thread calls `count` to find the total. The bar is hidden if standard error is not a terminal; `count` is
/// not called then.
pub fn uncounted(done: u64, count: impl FnOnce() -> Option<u64> + Send + 'static) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target()).with_style(style(WITHOUT_TOTAL)).with_position(done);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(200));
        let bar = bar.clone();
        thread::spawn(move || {
            if let Some(images) = count() {
                bar.set_length(images);
                bar.set_style(style(WITH_TOTAL));
            }
        });
    }
    // The images of an earlier run do not count for the rate of this run.
    bar.reset_eta();
    bar
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants")
}
