//! A word to whoever waits for a GPU's first result.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// From here on a silent program seems to hang.
const LONG: Duration = Duration::from_secs(2);

/// Says what takes so long, unless it is dropped soon.
pub struct Patience {
    _done: Option<Sender<()>>,
}

impl Patience {
    /// While the first result is computed on the device of this name; a processor needs no preparation.
    pub fn with(device: &str) -> Self {
        if device.starts_with("cpu") {
            return Self { _done: None };
        }
        let (done, wait) = channel::<()>();
        let text = format!("preparing kernels for {device}; a driver that keeps them does so once");
        thread::spawn(move || {
            if wait.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                eprintln!("note: {text}");
            }
        });
        Self { _done: Some(done) }
    }
}
