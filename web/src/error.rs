//! Errors for JavaScript. Each is an `Error` with a message and a property `code`:
//!
//! | code | meaning |
//! | --- | --- |
//! | `argument` | the call is wrong |
//! | `image` | the image cannot be scored; others can |
//! | `model` | the model bundle is not valid |
//! | `device` | the device cannot be used |
//! | `fault` | the device failed while it computed; this module must not be used any more |

use tsp_mgs_core::error::ErrorKind;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = js_sys::Error)]
    type CodedError;
    #[wasm_bindgen(method, setter)]
    fn set_code(this: &CodedError, code: &str);
}

/// An error with a code, or a value that a function of the caller threw.
#[derive(Debug)]
pub struct Error(JsValue);

impl Error {
    /// The call is wrong.
    pub fn argument(message: &str) -> Self {
        Self::new("argument", message)
    }

    /// The device cannot be used.
    pub fn device(message: &str) -> Self {
        Self::new("device", message)
    }

    /// The device failed while it computed.
    pub fn fault(message: &str) -> Self {
        Self::new("fault", message)
    }

    fn new(code: &str, message: &str) -> Self {
        let error: CodedError = js_sys::Error::new(message).unchecked_into();
        error.set_code(code);
        Self(error.into())
    }
}

impl From<tsp_mgs_core::Error> for Error {
    fn from(error: tsp_mgs_core::Error) -> Self {
        let code = match error.kind() {
            // A page gives no options. They are those of the bundle.
            ErrorKind::Argument if matches!(error, tsp_mgs_core::Error::Options(_)) => "model",
            ErrorKind::Argument => "argument",
            ErrorKind::Image => "image",
            ErrorKind::Model => "model",
            ErrorKind::Device => "device",
        };
        Self::new(code, &error.to_string())
    }
}

/// Passes on what a function of the caller threw.
impl From<JsValue> for Error {
    fn from(thrown: JsValue) -> Self {
        Self(thrown)
    }
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        error.0
    }
}
