//! A hub on this machine, with a second server that stores large files.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_trainer::score::hub::Settings;

/// Files from this size on are on the second server, as with Git LFS.
const LARGE_BYTES: usize = 2048;
/// A time that no operation needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The two servers. They end with the test process.
pub struct FakeHub {
    hub: SocketAddr,
    store: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// Settings of the servers, and their requests.
#[derive(Default)]
pub struct State {
    /// Files by model, in the order of their commits.
    models: BTreeMap<String, Vec<Files>>,
    /// Another name of a model.
    pub renamed: BTreeMap<String, String>,
    /// The token that requests must have.
    pub token: Option<String>,
    /// Answers that come first: a status and the hub's name of the error.
    pub refusals: VecDeque<(u16, &'static str)>,
    /// The next answers of the store end after these numbers of bytes.
    pub breaks: VecDeque<usize>,
    /// The store changes a byte of each file.
    pub is_damaging: bool,
    /// The number of bytes that the store has of each file.
    pub cut: Option<usize>,
    /// Whether the store ignores ranges and sends whole files.
    pub ignores_ranges: bool,
    /// The number of requests for hashes of weights before the store sends anything.
    pub held_until: usize,
    /// All requests.
    pub requests: Vec<Asked>,
}

type Files = BTreeMap<String, Vec<u8>>;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub token: Option<String>,
    pub range: Option<String>,
    pub is_store: bool,
    host: String,
}

impl FakeHub {
    pub fn start() -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (hub, store) = (listen(), listen());
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let fake = Self { hub: address(&hub), store: address(&store), state: Arc::default() };
        for (listener, is_store) in [(hub, false), (store, true)] {
            let (state, store) = (fake.state.clone(), fake.store);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = state.clone();
                    // A client may disconnect at any time.
                    thread::spawn(move || drop(answer(stream, &state, is_store, store)));
                }
            });
        }
        fake
    }

    /// Adds a commit to a model. Returns the hash of the commit.
    pub fn commit(&self, model: &str, files: &[(&str, &[u8])]) -> String {
        let mut state = self.state();
        let commits = state.models.entry(model.to_owned()).or_default();
        commits.push(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect());
        name_of_commit(model, commits.len() - 1)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no request panics")
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().requests)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.hub)
    }

    /// Settings for this hub and a cache.
    pub fn settings(&self, cache: &std::path::Path) -> Settings {
        Settings {
            endpoint: self.endpoint(),
            token: None,
            cache: cache.to_owned(),
            is_offline: false,
            certificates: None,
            read_timeout: PATIENCE,
            pause: Duration::from_millis(1),
        }
    }
}

fn name_of_commit(model: &str, number: usize) -> String {
    sha256(format!("{model} {number}").as_bytes())[..40].to_owned()
}

fn answer(stream: TcpStream, state: &Mutex<State>, is_store: bool, store: SocketAddr) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, path, token: None, range: None, is_store, host: String::new() };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "authorization" => asked.token = value.strip_prefix("Bearer ").map(str::to_owned),
            "host" => asked.host = value.to_owned(),
            "range" => asked.range = Some(value.to_owned()),
            _ => {}
        }
    }
    state.lock().expect("no request panics").requests.push(asked.clone());
    if is_store { send_stored(stream, state, &asked) } else { send_answer(stream, state, &asked, store) }
}

fn send_answer(stream: TcpStream, state: &Mutex<State>, asked: &Asked, store: SocketAddr) -> std::io::Result<()> {
    let mut state = state.lock().expect("no request panics");
    if let Some((status, code)) = state.refusals.pop_front() {
        return send(stream, status, &[("X-Error-Code", code)], b"", false);
    }
    if state.token.is_some() && asked.token != state.token {
        return send(stream, 401, &[], b"", false);
    }
    let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    let (parts, is_list) = match parts.as_slice() {
        ["api", "models", rest @ ..] => (rest, true),
        rest => (rest, false),
    };
    let [organisation, name, _, revision, file @ ..] = parts else { return send(stream, 404, &[], b"", false) };
    let model = format!("{organisation}/{name}");
    if let Some(new) = state.renamed.get(&model) {
        let path = asked.path.replace(&model, new);
        // A path or a whole address.
        let location = if asked.method == "HEAD" { format!("http://{}{path}", asked.host) } else { path };
        return send(stream, 307, &[("Location", &location)], b"", false);
    }
    let Some(commits) = state.models.get(&model) else {
        return send(stream, 404, &[("X-Error-Code", "RepoNotFound")], b"", false);
    };
    let number = match *revision {
        "main" => Some(commits.len() - 1),
        revision => (0..commits.len()).find(|&number| name_of_commit(&model, number) == revision),
    };
    let Some(number) = number else {
        return send(stream, 404, &[("X-Error-Code", "RevisionNotFound")], b"", false);
    };
    let (commit, files) = (name_of_commit(&model, number), &commits[number]);
    if is_list {
        let siblings: Vec<_> = files.keys().map(|name| json!({ "rfilename": name })).collect();
        let list = json!({ "id": model, "sha": commit, "private": false, "siblings": siblings });
        return send(stream, 200, &[], list.to_string().as_bytes(), false);
    }
    let Some(bytes) = files.get(&file.join("/")) else {
        return send(stream, 404, &[("X-Error-Code", "EntryNotFound")], b"", false);
    };
    let (hash, is_head) = (sha256(bytes), asked.method == "HEAD");
    if bytes.len() < LARGE_BYTES {
        let etag = format!("\"{}\"", &hash[..40]);
        return send(stream, 200, &[("ETag", etag.as_str()), ("X-Repo-Commit", commit.as_str())], bytes, is_head);
    }
    let (etag, size) = (format!("\"{hash}\""), bytes.len().to_string());
    let location = format!("http://{store}/{hash}?signature=secret");
    let headers = [
        ("Location", location.as_str()),
        ("X-Linked-Etag", etag.as_str()),
        ("X-Linked-Size", size.as_str()),
        ("X-Repo-Commit", commit.as_str()),
        ("ETag", "\"of the redirect, and of no file\""),
    ];
    send(stream, 302, &headers, b"", is_head)
}

fn send_stored(stream: TcpStream, state: &Mutex<State>, asked: &Asked) -> std::io::Result<()> {
    let lock = || state.lock().expect("no request panics");
    let began = Instant::now();
    let is_held = || {
        let state = lock();
        let is_hash = |asked: &&Asked| asked.method == "HEAD" && asked.path.ends_with(".safetensors");
        state.requests.iter().filter(is_hash).count() < state.held_until
    };
    while is_held() && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    let mut state = lock();
    let hash = asked.path[1..].split('?').next().unwrap_or_default();
    let mut all = state.models.values().flatten().flat_map(|files| files.values());
    let mut bytes = all.find(|bytes| sha256(bytes) == hash).expect("a file of the hub").clone();
    if state.is_damaging {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }
    bytes.truncate(state.cut.unwrap_or(bytes.len()));
    let from = asked.range.as_ref().filter(|_| !state.ignores_ranges);
    let from = from.map(|range| range[6..].trim_end_matches('-').parse::<usize>().expect("bytes=N-"));
    let breaks_after = state.breaks.pop_front();
    drop(state);
    let (status, range) = match from {
        Some(from) if from >= bytes.len() => return send(stream, 416, &[], b"", false),
        Some(from) => (206, Some(format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()))),
        None => (200, None),
    };
    let body = &bytes[from.unwrap_or(0)..];
    let sent = &body[..breaks_after.unwrap_or(body.len()).min(body.len())];
    let length = body.len().to_string();
    let mut headers = vec![("Content-Length", length.as_str())];
    headers.extend(range.as_deref().map(|range| ("Content-Range", range)));
    send_head(&stream, status, &headers)?;
    (&stream).write_all(sent)
}

fn send(stream: TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8], is_head: bool) -> std::io::Result<()> {
    let length = body.len().to_string();
    send_head(&stream, status, &[headers, &[("Content-Length", length.as_str())]].concat())?;
    if is_head { Ok(()) } else { (&stream).write_all(body) }
}

fn send_head(mut stream: &TcpStream, status: u16, headers: &[(&str, &str)]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes())
}
