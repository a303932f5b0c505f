//! A note on standard error when the first result of a GPU takes long.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// The time after which the note is printed.
const DELAY: Duration = Duration::from_secs(2);

/// Prints a note that kernels are being prepared, unless it is dropped within two seconds.
pub struct SlowStartNote {
    _done: Option<Sender<()>>,
}

impl SlowStartNote {
    /// Starts to wait for the first result of the device with this name. A CPU needs no preparation, so that there is
    /// no note for it.
    pub fn with(device: &str) -> Self {
        if device.starts_with("cpu") {
            return Self { _done: None };
        }
        let (done, wait) = channel::<()>();
        let text = format!("preparing kernels for {device}; drivers that cache kernels do this only once");
        thread::spawn(move || {
            if wait.recv_timeout(DELAY) == Err(RecvTimeoutError::Timeout) {
                eprintln!("note: {text}");
            }
        });
        Self { _done: Some(done) }
    }
}
