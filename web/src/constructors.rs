//! Runs the constructors of linked crates. A WebAssembly module must do this itself.

#![expect(unsafe_code, reason = "there is no safe way to run constructors in WebAssembly")]

use std::sync::Once;

unsafe extern "C" {
    /// The linker generates this function. It also generates a call at the start of each exported function, unless the module
    /// contains a call.
    fn __wasm_call_ctors();
}

/// Runs the constructors of all linked crates. Only the first call has an effect.
///
/// Without this function, constructors would run at each call from JavaScript. Burn's GPU compiler registers thousands of
/// operations in constructors, so each call would take milliseconds.
pub fn run() {
    static FIRST: Once = Once::new();
    // SAFETY: this runs once, on the only thread, before all code that needs a constructor.
    FIRST.call_once(|| unsafe { __wasm_call_ctors() });
}
