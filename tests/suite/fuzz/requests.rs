//! Requests to `trainer serve`.

use arbtest::arbitrary::{Result, Unstructured};

use super::mutate::mutate;
use super::target::Input;
use crate::support::fixtures::{fixture, read};
use crate::support::score_server::{Server, form};

/// Parts of requests.
const WORDS: [&[u8]; 18] = [
    b"\r\n",
    b"\r\n\r\n",
    b"--never-in-an-image",
    b"--never-in-an-image--\r\n",
    b"Content-Disposition: form-data; name=\"prompt\"\r\n\r\n",
    b"; filename*=UTF-8''%ff",
    b"; filename=\"",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Content-Type: multipart/form-data; boundary=\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n",
    b"Host: 127.0.0.1\r\n",
    b"?prompt=%C3%A9",
    b"%00",
    b"%e9",
    b"HTTP/1.0",
    b"ffffffffffffffff\r\n",
];

/// A form, an image with its prompt in the address, a chunked body, and requests of other paths.
pub fn requests() -> Vec<Vec<u8>> {
    let pixel = read(&fixture("images/pixel_1x1.png"));
    let (form_type, form) = form(&[("image", Some("a.png"), &pixel), ("prompt", None, "a café".as_bytes())]);
    let chunk = [format!("{:x}\r\n", pixel.len()).as_bytes(), &pixel, b"\r\n0\r\n\r\n"].concat();
    [
        ("POST /v1/score", format!("Content-Type: {form_type}\r\nContent-Length: {}\r\n", form.len()), form),
        (
            "POST /v1/score?prompt=a%20cat",
            format!("Content-Type: image/png\r\nContent-Length: {}\r\n", pixel.len()),
            pixel,
        ),
        ("POST /v1/score", "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n".into(), chunk),
        ("GET /v1/openapi.json", String::new(), Vec::new()),
        ("GET /metrics", String::new(), Vec::new()),
    ]
    .map(|(line, headers, body)| {
        let head = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n");
        [head.as_bytes(), &body].concat()
    })
    .into()
}

/// One of `requests`, changed.
pub fn changed(u: &mut Unstructured, requests: &[Vec<u8>]) -> Result<Input> {
    let mut bytes = u.choose(requests)?.clone();
    mutate(u, &mut bytes, &WORDS)?;
    Ok(Input { ending: "http", bytes })
}

/// Sends a request. The server may refuse it, but it must not fail.
pub fn send(server: &Server, request: &[u8]) {
    let answer = server.answer_to(request);
    let text = String::from_utf8_lossy(&answer);
    assert!(!text.contains(" 500 Internal Server Error"), "{text}");
    assert_eq!(server.get("/healthz").status, 200);
}
