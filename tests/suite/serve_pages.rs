use std::fs;
use std::io::Read;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::fixtures::{read, repository};
use crate::support::score_server::{Answer, Server};

/// A folder with a page, as `make web` builds it, and with a secret file next to the page. It is removed on drop.
struct Page(TempDir);

impl Page {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().expect("a temporary folder"));
        for folder in ["dist/wasm/cpu", "dist/model", "dist/empty"] {
            fs::create_dir_all(this.file(folder)).expect("a folder");
        }
        fs::copy(repository("www/index.html"), this.file("dist/index.html")).expect("copying");
        this.write("secret.txt", b"a secret");
        this.write("dist/page.js", "export const a = 1;\n".repeat(500).as_bytes());
        this.write("dist/page-0a1b2c3d.css", b"a { color: red }");
        this.write("dist/wasm/cpu/module.wasm", &b"\0asm".repeat(10_000));
        this.write("dist/wasm/cpu/module.wasm.gz", b"compressed before");
        this.write("dist/icon.svg", "<svg/>".repeat(500).as_bytes());
        for file in ["model.json", "weights-01.safetensors"] {
            let demo = repository("trainer/assets/demo").join(file);
            fs::copy(demo, this.file("dist/model").join(file)).expect("copying");
        }
        this
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.file(name), bytes).expect("writing");
    }

    fn serve(&self) -> Server {
        Server::start(&["--www", self.file("dist").to_str().expect("Unicode")])
    }
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    server.ask("GET", path, headers, &[])
}

#[test]
fn files_have_their_types_and_every_answer_its_security_headers() {
    let page = Page::new();
    let server = page.serve();
    for (path, file, kind) in [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/index.html", "index.html", "text/html; charset=utf-8"),
        ("/page.js", "page.js", "text/javascript"),
        ("/page-0a1b2c3d.css", "page-0a1b2c3d.css", "text/css"),
        ("/wasm/cpu/module.wasm", "wasm/cpu/module.wasm", "application/wasm"),
        ("/icon.svg", "icon.svg", "image/svg+xml"),
        ("/model/model.json", "model/model.json", "application/json"),
        ("/model/weights-01.safetensors", "model/weights-01.safetensors", "application/octet-stream"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(answer.body, read(&page.file("dist").join(file)), "{path}");
    }
    for path in ["/", "/none", "/healthz", "/v1/none", "/metrics"] {
        let answer = server.get(path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        // The policy of the page. A page itself cannot forbid to be shown in a frame, so the header adds that.
        let html = String::from_utf8(read(&repository("www/index.html"))).expect("text");
        let declared = html.split_once("Content-Security-Policy\" content=\"").expect("a policy").1;
        let declared = declared.split_once('"').expect("its end").0.split_whitespace().collect::<Vec<_>>().join(" ");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert_eq!(policy, format!("{declared}; frame-ancestors 'none'"), "{path}");
    }
    assert_eq!(server.ask("POST", "/", &[], &[]).status, 405);
    assert_eq!(server.ask("HEAD", "/page.js", &[], &[]).header("content-length"), Some("10000"));
}

#[test]
fn texts_are_compressed_and_weights_are_not() {
    let page = Page::new();
    let server = page.serve();
    let zipped = |path: &str| get(&server, path, &[("Accept-Encoding", "gzip, br")]);
    for path in ["/page.js", "/icon.svg", "/", "/model/model.json"] {
        let answer = zipped(path);
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("accept-encoding")), "{path}");
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut text).expect("gzip");
        assert_eq!(text, server.get(path).body, "{path}");
        // The tag is also valid for a newly compressed file.
        let tag = answer.header("etag").expect("a tag").to_owned();
        assert!(tag.starts_with("W/"), "{path}: {tag}");
        let again = get(&server, path, &[("Accept-Encoding", "gzip"), ("If-None-Match", &tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    // A file that is stored in compressed form is sent as it is.
    let module = zipped("/wasm/cpu/module.wasm");
    assert_eq!((module.header("content-encoding"), module.body.as_slice()), (Some("gzip"), &b"compressed before"[..]));
    assert_eq!(module.header("content-type"), Some("application/wasm"));
    for path in ["/model/weights-01.safetensors", "/page-0a1b2c3d.css"] {
        assert_eq!(zipped(path).header("content-encoding"), None, "{path}");
    }
}

#[test]
fn files_are_asked_for_again_unless_called_by_their_content_and_parts_can_be_had() {
    let page = Page::new();
    let server = page.serve();
    for (path, caching) in [
        ("/", "no-cache"),
        ("/page.js", "no-cache"),
        ("/page-0a1b2c3d.css", "public, max-age=31536000, immutable"),
        ("/none-0a1b2c3d.css", "no-cache"),
        ("/model/model.json", "no-cache"),
        // Shards of another model have the same names.
        ("/model/weights-01.safetensors", "no-cache"),
        ("/v1/openapi.json", "no-store"),
        ("/v1/none", "no-store"),
    ] {
        assert_eq!(server.get(path).header("cache-control"), Some(caching), "{path}");
    }
    let first = server.get("/page.js");
    let (tag, date) = (first.header("etag").expect("a tag"), first.header("last-modified").expect("a date"));
    for header in [("If-None-Match", tag), ("If-Modified-Since", date)] {
        let again = get(&server, "/page.js", &[header]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{header:?}");
        assert_eq!(again.header("cache-control"), Some("no-cache"));
    }
    page.write("dist/page.js", b"export const a = 2;");
    assert_eq!(get(&server, "/page.js", &[("If-None-Match", tag)]).body, b"export const a = 2;");

    let weights = "/model/weights-01.safetensors";
    let whole = server.get(weights).body;
    for (range, part) in [("bytes=10-19", 10..20), ("bytes=1000-", 1000..whole.len())] {
        let answer = get(&server, weights, &[("Range", range)]);
        assert_eq!((answer.status, answer.body.as_slice()), (206, &whole[part.clone()]), "{range}");
        let expected = format!("bytes {}-{}/{}", part.start, part.end - 1, whole.len());
        assert_eq!(answer.header("content-range"), Some(expected.as_str()));
    }
    assert_eq!(get(&server, weights, &[("Range", "bytes=99999999-")]).status, 416);
}

#[test]
fn there_is_no_way_out_of_the_folder_but_links_that_the_owner_made() {
    let page = Page::new();
    let server = page.serve();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/wasm/../../secret.txt",
        "/model/../../secret.txt",
        "/model/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/page.js%00.html",
        // Folders are not listed.
        "/wasm/",
        "/empty/",
        "/model",
    ] {
        let answer = server.get(path);
        assert!(matches!(answer.status, 307 | 400 | 404), "{path}: {answer:?}");
        assert!(answer.body.len() < 100, "{path}: {answer:?}");
        // A folder without a slash at its end is redirected to the same path with one, on this server.
        assert!(answer.header("location").is_none_or(|to| to == format!("{path}/")), "{path}: {answer:?}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(page.file("secret.txt"), page.file("dist/link.txt")).expect("a link");
        assert_eq!(server.get("/link.txt").body, b"a secret");
    }
}

#[test]
fn without_a_page_the_server_says_what_there_is() {
    let server = Server::start(&[]);
    let paths = server.get("/").json()["paths"].as_array().expect("a list").len();
    assert_eq!(paths, 4);
    for path in ["/index.html", "/model/model.json"] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (404, &b"not found; start the server with --www to serve the page\n"[..])
        );
    }
}
