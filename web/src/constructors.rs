//! Constructors of linked crates, which WebAssembly leaves to the module.

#![expect(unsafe_code, reason = "there is no safe way to run constructors in WebAssembly")]

use std::sync::Once;

unsafe extern "C" {
    /// The linker makes this function. It also calls it at the start of each exported function,
    /// unless the module has a call of its own.
    fn __wasm_call_ctors();
}

/// Runs the constructors of all linked crates, at the first call alone.
///
/// Without this function the linker runs them at each call from JavaScript. burn's GPU compiler registers thousands of
/// operations in constructors, so each such call would take milliseconds.
pub fn run() {
    static FIRST: Once = Once::new();
    // SAFETY: this runs once, on the only thread, before any code that needs a constructor.
    FIRST.call_once(|| unsafe { __wasm_call_ctors() });
}
