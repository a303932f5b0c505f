//! A running `trainer serve`, and a client that can send anything.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::program::trainer;

/// A time that no operation needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `trainer serve`. It is killed on drop.
pub struct Server {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A connection with a request that may be incomplete.
pub struct Begun(TcpStream);

/// A command for `trainer serve` on the CPU and a free port, unless `arguments` have other values.
pub fn serve(arguments: &[&str]) -> Command {
    let mut command = trainer();
    command.arg("serve").args(arguments);
    for (flag, value) in [("--device", "cpu"), ("--listen", "127.0.0.1:0")] {
        if !arguments.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command
}

impl Server {
    /// Starts a server and waits for the line with its address.
    pub fn start(arguments: &[&str]) -> Self {
        Self::of(&mut serve(arguments))
    }

    /// As [`Server::start`], for a command.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the trainer runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut first = String::new();
        stderr.read_line(&mut first).expect("text");
        let address = first.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{first}"));
        let port = address.parse::<SocketAddr>().expect("an address").port();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                *heard.lock().expect("not poisoned") += &(line + "\n");
            }
        });
        Self { child, address: (Ipv4Addr::LOCALHOST, port).into(), said }
    }

    /// The lines that the server printed after its address.
    pub fn stderr(&self) -> String {
        self.said.lock().expect("not poisoned").clone()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], &[])
    }

    /// Requests the score of an image.
    pub fn score(&self, query: &str, image: &[u8]) -> Answer {
        self.ask("POST", &format!("/v1/score{query}"), &[("Content-Type", "image/*")], image)
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let length = body.len().to_string();
        let headers = [headers, &[("Content-Length", &length)]].concat();
        let mut begun = self.begin(method, path, &headers);
        begun.send(body);
        begun.answer().expect("an answer")
    }

    /// Sends the header of a request. `headers` can replace the host.
    pub fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Begun {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers.iter().filter(|(_, value)| *value != "none") {
            text += &format!("{name}: {value}\r\n");
        }
        let mut begun = self.connect().expect("it listens");
        begun.send((text + "\r\n").as_bytes());
        begun
    }

    /// Sends bytes, which need not be a request, and then the end of the stream. Returns all bytes that come back.
    pub fn answer_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut begun = self.connect().expect("it listens");
        begun.send(bytes);
        // The server may have closed the connection already.
        let _ = begun.0.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = begun.0.read_to_end(&mut answer);
        answer
    }

    pub fn connect(&self) -> std::io::Result<Begun> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Begun(stream))
    }

    /// A number in `GET /metrics`, or 0 if it is absent.
    pub fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8(self.get("/metrics").body).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().expect("a number"))
    }

    /// Waits until a number in `GET /metrics` has the expected value.
    #[track_caller]
    pub fn await_metric(&self, name: &str, expected: f64) {
        let began = Instant::now();
        while self.metric(name) != expected {
            assert!(began.elapsed() < PATIENCE, "{name} is {}, expected {expected}", self.metric(name));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The peak memory of the server in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => return status,
                None => assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.stderr()),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Begun {
    /// Sends bytes. A server that has answered already may have closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Closes the connection without waiting for an answer.
    pub fn leave(self) {
        self.0.shutdown(Shutdown::Both).expect("open until now");
    }

    /// Whether the connection is open and has no answer yet.
    pub fn is_silent(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
        let read = self.0.read(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).expect("a socket");
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Reads the answer. Returns `None` if the connection was closed without one.
    pub fn answer(mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let read = self.0.read_to_end(&mut bytes);
        if bytes.is_empty() {
            return None;
        }
        read.expect("a whole answer");
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a header");
        let header = std::str::from_utf8(&bytes[..end]).expect("ASCII");
        let mut lines = header.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut answer = Answer { status, headers, body: bytes.split_off(end + 4) };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body);
        } else if let Some(length) = answer.header("content-length").filter(|_| status != 304) {
            assert!(answer.body.is_empty() || length.parse() == Ok(answer.body.len()), "{answer:?}");
        }
        Some(answer)
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The message of an error. Asserts its status.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()["error"].as_str().expect("an error").to_owned()
    }
}

/// The name, file name and content of a part.
pub type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// The content type and the body of a form (multipart/form-data).
pub fn form(parts: &[Part]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "never-in-an-image";
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").expect("a chunk's length");
        let length = std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.expect("a chunk's length");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}
