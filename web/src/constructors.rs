//! Constructors of linked crates, which WebAssembly leaves to the module.

#![expect(unsafe_code, reason = "there is no safe way to run constructors in WebAssembly")]

unsafe extern "C" {
    /// The linker makes this function. It also calls it at the start of each exported function,
    /// unless the module has a call of its own.
    fn __wasm_call_ctors();
}

/// Runs the constructors of all linked crates.
///
/// Without this call the linker runs them at each call from JavaScript. burn's GPU compiler registers thousands of
/// operations in constructors, so each such call would take milliseconds.
pub fn run() {
    // SAFETY: the start function alone calls this, before any other export can run.
    unsafe { __wasm_call_ctors() }
}
