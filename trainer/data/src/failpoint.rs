//! Points at which tests end the program without warning, as a kill or a power failure would.
//!
//! Nobody else needs this. The environment variable `TSP_MGS_FAILPOINT` has the form `POINT:N`: the program ends when it
//! reaches the point for the Nth time.

use std::process::exit;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The exit code at a failpoint. It differs from those of results and errors.
pub const EXIT_CODE: i32 = 86;

/// The point of the environment variable, and the number of times that it is still passed.
static CHOSEN: LazyLock<Option<(String, AtomicUsize)>> = LazyLock::new(|| {
    let value = std::env::var("TSP_MGS_FAILPOINT").ok()?;
    let (point, times) = value.split_once(':')?;
    Some((point.to_owned(), AtomicUsize::new(times.parse().ok()?)))
});

/// Ends the program if the environment variable names this point, and it is reached for the last time.
pub fn failpoint(point: &str) {
    if let Some((chosen, left)) = &*CHOSEN
        && chosen == point
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        // Nothing is dropped, so that temporary files stay as after a kill.
        exit(EXIT_CODE);
    }
}
