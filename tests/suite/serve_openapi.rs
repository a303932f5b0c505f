use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::serve::{TOKEN, large_png};
use crate::support::fixtures::{read, repository};
use crate::support::image_folder::ImageFolder;
use crate::support::score_server::{Answer, Part, Server, form};

/// The OpenAPI document, and the schemas that an answer has matched.
struct Document {
    json: Value,
    seen: BTreeSet<String>,
}

impl Document {
    /// Checks an answer against the document.
    #[track_caller]
    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let bare = path.split('?').next().expect("a path");
        let place = format!("/paths/{}/{method}/responses/{}", bare.replace('/', "~1"), answer.status);
        let response = self.json.pointer(&place).unwrap_or_else(|| panic!("{place} is not documented: {answer:?}"));
        let response = self.resolved(response);
        let kind = answer.header("content-type").expect("a type").split(';').next().expect("a type");
        let schema = response["content"][kind].get("schema");
        let schema = schema.unwrap_or_else(|| panic!("{place}: {kind} is not documented"));
        let body = if kind == "application/json" {
            answer.json()
        } else {
            String::from_utf8(answer.body.clone()).expect("text").into()
        };
        self.validate(schema, &body);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let value = answer.header(&name.to_ascii_lowercase()).unwrap_or_else(|| panic!("{place}: no {name}"));
            self.validate(&self.resolved(header)["schema"], &value.into());
        }
        self.seen.insert(place);
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let place = value["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
        place.map_or(value, |place| self.json.pointer(place).expect("references lead somewhere"))
    }

    #[track_caller]
    fn validate(&self, schema: &Value, value: &Value) {
        // The components are next to the schema, so that references are found.
        let schema = serde_json::json!({ "components": self.json["components"], "allOf": [schema] });
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("http://localhost/schema.json", schema).expect("a schema");
        let schema = compiler.compile("http://localhost/schema.json", &mut schemas).expect("a schema");
        if let Err(error) = schemas.validate(value, schema) {
            panic!("{error:#}");
        }
    }

    /// The documented responses that no answer had.
    fn unseen(&self) -> Vec<String> {
        let paths = self.json["paths"].as_object().expect("paths").iter();
        let methods =
            paths.flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |item| (path, item)));
        let places = methods.flat_map(|(path, (method, operation))| {
            let statuses = operation["responses"].as_object().into_iter().flatten();
            statuses.map(move |(status, _)| format!("/paths/{}/{method}/responses/{status}", path.replace('/', "~1")))
        });
        places.filter(|place| !self.seen.contains(place)).collect()
    }
}

const GETS: [&str; 3] = ["/healthz", "/metrics", "/v1/openapi.json"];

#[test]
fn every_answer_is_as_the_openapi_document_says() {
    let folder = ImageFolder::new();
    let server = Server::start(&[]);
    let mut document = Document { json: server.get("/v1/openapi.json").json(), seen: BTreeSet::new() };
    assert_eq!(document.json["info"]["version"], env!("CARGO_PKG_VERSION"));
    answers_to_anyone(&server, &folder, &mut document);
    let limited = Server::start(&["--max-body", "1", "--max-pixels", "1", "--max-waiting", "1", "--timeout", "5"]);
    answers_of_limits(&limited, &folder, &mut document);
    answers_to_strangers(&folder, &mut document);
    answers_after_the_end(server, &mut document);
    // A failing scorer needs broken hardware or a bug. The unit tests of the pipeline have one.
    assert_eq!(document.unseen(), ["/paths/~1v1~1score/post/responses/500"]);
}

fn answers_to_anyone(server: &Server, folder: &ImageFolder, document: &mut Document) {
    let cat = folder.image("cat.jpg");
    for query in ["", "?prompt=a+cat", "?prompt="] {
        document.check("post", "/v1/score", &server.score(query, &cat));
    }
    for path in GETS {
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        document.check("get", path, &answer);
        let head = server.ask("HEAD", path, &[], &[]);
        assert_eq!((head.status, head.body.len()), (200, 0));
        // Host names of another machine, of none, and of this one. A page whose name resolves to this machine (DNS rebinding) is refused.
        let with = |headers: &[(&str, &str)]| server.ask("GET", path, headers, &[]);
        document.check("get", path, &with(&[("Host", "none")]));
        document.check("get", path, &with(&[("Host", "example.org")]));
        document.check("get", path, &with(&[("Origin", "https://example.org")]));
        document.check("get", path, &with(&[("Origin", "null")]));
        assert_eq!(with(&[("Host", "localhost:1")]).status, 200);
        assert_eq!(with(&[("Origin", "http://127.0.0.1:5173")]).status, 200);
    }
    let score = |headers: &[(&str, &str)], body: &[u8]| server.ask("POST", "/v1/score", headers, body);
    for (headers, status) in [
        ([("Host", "none")], 400),
        ([("Host", "example.org")], 421),
        ([("Origin", "https://example.org")], 403),
        ([("Content-Type", "application/x-www-form-urlencoded")], 415),
        ([("Content-Type", "multipart/form-data")], 400),
    ] {
        let answer = score(&headers, &cat);
        assert_eq!(answer.status, status, "{headers:?}");
        document.check("post", "/v1/score", &answer);
    }
    let parts: [&[Part]; 5] = [
        &[],
        &[("prompt", None, b"a cat")],
        &[("image", None, &cat), ("image", None, &cat)],
        &[("image", None, &cat), ("picture", None, &cat)],
        &[("image", None, &cat), ("prompt", None, b"\xff")],
    ];
    for parts in parts {
        let (kind, body) = form(parts);
        let answer = score(&[("Content-Type", &kind)], &body);
        answer.error(400);
        document.check("post", "/v1/score", &answer);
    }
    let (kind, body) = form(&[("image", None, &cat), ("prompt", None, b"a cat")]);
    let cut = score(&[("Content-Type", &kind)], &body[..body.len() / 2]);
    assert!(cut.error(400).contains("the form cannot be read"), "{cut:?}");
    // The prompt of the form is preferred to the one in the address.
    let both = server.ask("POST", "/v1/score?prompt=a", &[("Content-Type", &kind)], &body);
    assert_eq!(both.json()["prompt"], "a cat");
    assert!(server.score("?promt=a", &cat).error(400).contains("promt"));
    assert!(server.score("", &cat[..cat.len() / 2]).error(422).contains("ends too early"));
    document.check("post", "/v1/score", &server.score("", &cat[..cat.len() / 2]));
    // The longest prompts. Their characters take four bytes, and twelve in an address.
    let long = "%F0%9F%90%88".repeat(4096);
    assert_eq!(server.score(&format!("?prompt={long}"), &cat).status, 200);
    let too_long = server.score(&format!("?prompt={long}a"), &cat).error(422);
    assert!(too_long.contains("4097 characters, expected at most 4096"), "{too_long}");
    let long = "🐈".repeat(4097);
    let (kind, body) = form(&[("image", None, &cat), ("prompt", None, long.as_bytes())]);
    score(&[("Content-Type", &kind)], &body).error(422);

    for (method, path, status) in [("GET", "/v1/score", 405), ("POST", "/healthz", 405), ("POST", "/metrics", 405)] {
        let answer = server.ask(method, path, &[], &[]);
        answer.error(status);
        assert_eq!(answer.header("allow"), Some(if path == "/v1/score" { "POST" } else { "GET,HEAD" }));
    }
    for path in ["/v1", "/v1/", "/v1/scores", "/v1/score/", "/v1/a/b"] {
        assert!(server.get(path).error(404).contains("/v1/openapi.json"), "{path}");
    }
    // Pages of other sites cannot read anything.
    assert_eq!(server.get("/v1/openapi.json").header("access-control-allow-origin"), None);
}

fn answers_of_limits(server: &Server, folder: &ImageFolder, document: &mut Document) {
    let mut check = |answer: Answer, status: u16, text: &str| {
        assert!(answer.error(status).contains(text), "{answer:?}");
        document.check("post", "/v1/score", &answer);
    };
    let large = vec![0; (1 << 20) + 1];
    check(server.score("", &large), 413, "larger than 1 MiB (--max-body)");
    let (kind, body) = form(&[("image", None, &large)]);
    check(server.ask("POST", "/v1/score", &[("Content-Type", &kind)], &body), 413, "larger than 1 MiB");
    // Bodies of unknown length: bytes and a form.
    for kind in ["image/png", &kind] {
        let headers = [("Content-Type", kind), ("Transfer-Encoding", "chunked")];
        let mut begun = server.begin("POST", "/v1/score", &headers);
        let start = &body[..if kind == "image/png" { 0 } else { 100 }];
        begun.send(&[format!("{:x}\r\n", start.len() + (2 << 20)).as_bytes(), start, &vec![0; 2 << 20]].concat());
        check(begun.answer().expect("an answer"), 413, "larger than 1 MiB");
    }
    check(server.score("", &large_png(1001)), 422, "1001 × 1001 pixels, expected at most 1 million (--max-pixels)");
    assert_eq!(server.score("", &large_png(1000)).status, 200);

    // A request that is being uploaded takes the only place.
    let cat = folder.image("cat.jpg");
    let length = cat.len().to_string();
    let mut slow = server.begin("POST", "/v1/score", &[("Content-Length", &length)]);
    server.await_metric("tsp_mgs_waiting", 1.0);
    slow.send(&cat[..100]);
    check(server.score("", &cat), 429, "too many images are waiting");
    check(slow.answer().expect("an answer"), 408, "longer than 5 seconds (--timeout)");
    assert_eq!(server.score("", &cat).status, 200);
    assert_eq!(server.metric("tsp_mgs_rejected_total{reason=\"queue_full\"}"), 1.0);
    assert_eq!(server.metric("tsp_mgs_rejected_total{reason=\"slow_upload\"}"), 1.0);
    assert_eq!(server.metric("tsp_mgs_rejected_total{reason=\"too_large\"}"), 4.0);

    // Several images that take about a second each. The last ones exceed the time limit.
    let server = Server::start(&["--timeout", "2", "--max-pixels", "100", "--threads", "1"]);
    let slow = large_png(9000);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let asking: Vec<_> = (0..24).map(|_| scope.spawn(|| server.score("", &slow))).collect();
        asking.into_iter().map(|answer| answer.join().expect("an answer")).collect()
    });
    let late = answers.iter().find(|answer| answer.status != 200).expect("they take longer than two seconds");
    assert!(late.error(503).contains("longer than 2 seconds"), "{late:?}");
    document.check("post", "/v1/score", late);
    // Images whose clients have left are not scored.
    server.await_metric("tsp_mgs_waiting", 0.0);
    assert_eq!(server.score("", &cat).status, 200);
    let decoded = server.metric("tsp_mgs_decode_seconds_count");
    assert!(decoded < 25.0, "{decoded} were decoded");
}

fn answers_to_strangers(folder: &ImageFolder, document: &mut Document) {
    let file = folder.write("token", format!("{TOKEN}\n"));
    let server = Server::start(&["--token-file", file.to_str().expect("Unicode")]);
    let (right, wrong) = (format!("bearer {TOKEN}"), format!("Bearer {TOKEN}0"));
    for (method, path) in [("POST", "/v1/score"), ("GET", "/v1/openapi.json"), ("GET", "/metrics"), ("GET", "/v1/none")]
    {
        let cat = if method == "POST" { folder.image("cat.jpg") } else { Vec::new() };
        let ask = |headers: &[(&str, &str)]| server.ask(method, path, headers, &cat);
        let basic = format!("Basic {TOKEN}");
        for headers in [vec![], vec![("Authorization", wrong.as_str())], vec![("Authorization", basic.as_str())]] {
            let answer = ask(&headers);
            assert!(answer.error(401).contains("Authorization: Bearer TOKEN"));
            if path != "/v1/none" {
                document.check(&method.to_ascii_lowercase(), path, &answer);
            }
        }
        let status = if path == "/v1/none" { 404 } else { 200 };
        // With a token, any host name is accepted, such as that of a proxy.
        assert_eq!(ask(&[("Authorization", &right), ("Host", "example.org")]).status, status, "{path}");
    }
    for path in ["/healthz", "/"] {
        assert_eq!(server.get(path).status, 200);
    }
}

fn answers_after_the_end(mut server: Server, document: &mut Document) {
    // This connection was opened before the end. Its request is answered after its header is complete.
    let begin = |method: &str, path: &str| {
        let mut begun = server.connect().expect("it listens");
        begun.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n").as_bytes());
        assert!(begun.is_silent());
        begun
    };
    let (health, score) = (begin("GET", "/healthz"), begin("POST", "/v1/score"));
    server.signal("TERM");
    while server.connect().is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
    for (mut begun, method, path) in [(health, "get", "/healthz"), (score, "post", "/v1/score")] {
        begun.send(b"Content-Length: 0\r\n\r\n");
        let answer = begun.answer().expect("an answer");
        assert!(answer.error(503).contains("shutting down"));
        document.check(method, path, &answer);
    }
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_document_describes_the_server_of_this_repository() {
    let text = read(&repository("trainer/assets/openapi.json"));
    assert_eq!(Server::start(&[]).get("/v1/openapi.json").body, text);
}
