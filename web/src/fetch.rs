//! Downloads files and reports progress.

use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response, Url};

#[wasm_bindgen]
extern "C" {
    /// The global function `fetch`, of a page or a worker. A worker has no `window`.
    #[wasm_bindgen(js_name = fetch)]
    fn global_fetch(url: &str) -> Promise;
}

/// Downloads a file. `report` is called with the number of bytes received so far.
pub async fn bytes(url: &str, report: impl Fn(usize)) -> Result<Vec<u8>, JsError> {
    let failed = |error: &JsValue| {
        let reason = error.dyn_ref::<js_sys::Error>().map_or_else(String::new, |error| error.message().into());
        JsError::new(&format!(
            "could not download {url}: {reason} (is the network there, and does its server allow this page?)"
        ))
    };
    let response: Response = JsFuture::from(global_fetch(url)).await.map_err(|error| failed(&error))?.unchecked_into();
    if !response.ok() {
        return Err(JsError::new(&format!(
            "could not download {url}: {} {}",
            response.status(),
            response.status_text()
        )));
    }
    let mut bytes = Vec::new();
    let Some(body) = response.body() else { return Ok(bytes) };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(|error| failed(&error))?;
        let part = |name: &str| Reflect::get(&chunk, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if part("done").is_truthy() {
            return Ok(bytes);
        }
        let part: Uint8Array = part("value").unchecked_into();
        let start = bytes.len();
        bytes.resize(start + part.length() as usize, 0);
        part.copy_to(&mut bytes[start..]);
        report(bytes.len());
    }
}

/// The URL of a file in the same folder as `url`.
pub fn beside(url: &str, name: &str) -> Result<String, JsError> {
    let base = js_sys::global();
    let base = Reflect::get(&base, &"location".into()).and_then(|location| Reflect::get(&location, &"href".into()));
    let base = base.ok().and_then(|href| href.as_string()).unwrap_or_default();
    let absolute = Url::new_with_base(url, &base).map_err(|_| JsError::new(&format!("{url:?} is no address")))?;
    let beside =
        Url::new_with_base(name, &absolute.href()).map_err(|_| JsError::new(&format!("{name:?} is no file name")))?;
    Ok(beside.href())
}
