use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use image::{GrayImage, ImageFormat, Luma};
use serde_json::Value;

use crate::support::fixtures::read;
use crate::support::image_bytes::{jpeg_with_a_scan_of_two, lab_tiff};
use crate::support::image_folder::ImageFolder;
use crate::support::program::{run, stderr, trainer};
use crate::support::score_server::{Server, form, serve};

pub const TOKEN: &str = "0123456789abcdef-token";

/// The part of a line after the names, which uploads do not have.
fn nameless(line: &[u8]) -> &str {
    let line = std::str::from_utf8(line).expect("results are Unicode");
    &line[line.find("\"prompt\":").expect("a result")..]
}

/// A dark image with many pixels in few bytes.
pub fn large_png(side: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    GrayImage::from_pixel(side, side, Luma([20])).write_to(&mut bytes, ImageFormat::Png).expect("a PNG");
    bytes.into_inner()
}

#[test]
fn scores_are_those_of_trainer_score_bit_for_bit() {
    let folder = ImageFolder::new();
    let server = Server::start(&[]);
    let command_line = |image: &str, prompt: &[&str]| {
        let mut score = trainer();
        score
            .args(["score", "--device", "cpu", "--format", "jsonl"])
            .args(prompt)
            .arg(folder.file("images").join(image));
        run(&mut score, 0).stdout
    };
    let prompt = "ein Kätzchen & 100 % Kaffee";
    for image in ["cat.jpg", "rocket.png"] {
        let expected = command_line(image, &["--prompt", prompt]);
        let bytes = folder.image(image);
        let by_query = server.score("?prompt=ein+K%C3%A4tzchen%20%26%20100%20%25%20Kaffee", &bytes);
        let (kind, body) = form(&[("prompt", None, prompt.as_bytes()), ("image", Some(image), &bytes)]);
        let by_form = server.ask("POST", "/v1/score", &[("Content-Type", &kind)], &body);
        for (answer, id) in [(&by_query, Value::Null), (&by_form, image.into())] {
            assert_eq!(answer.status, 200);
            assert_eq!(nameless(&answer.body), nameless(&expected), "{image}");
            assert_eq!((&answer.json()["id"], &answer.json()["path"]), (&id, &Value::Null));
        }
    }
    // Without a prompt, the prompt in the image is used.
    let answer = server.score("", &folder.image("rocket.png"));
    assert_eq!(nameless(&answer.body), nameless(&command_line("rocket.png", &[])));
    assert!(answer.json()["prompt"].is_string());
    assert_ne!(answer.json()["prompt_source"], "argument");
    // Errors are the same as on the command line.
    let error = server.score("", b"a text").error(415);
    assert_eq!(error, folder.json(&["images/broken.png"], 1)[0]["error"].as_str().expect("an error"));
}

#[test]
fn flags_choose_model_and_options() {
    let folder = ImageFolder::new();
    run(trainer().args(["export", "--dtype", "q8", "--crops", "5", "--out"]).arg(folder.file("bundle")), 0);
    let bundle = folder.file("bundle");
    let server = Server::start(&["--task", "perception", "--model", bundle.to_str().expect("Unicode")]);
    let answer = server.score("", &folder.image("cat.jpg")).json();
    assert_eq!((answer["crops"].as_u64(), &answer["alignment"]), (Some(5), &Value::Null));
    // The page has the same weights.
    assert_eq!(server.get("/model/model.json").body, read(&bundle.join("model.json")));
    assert!(server.get("/healthz").json()["model"].as_str().is_some_and(|model| answer["model"] == model));
}

#[test]
fn addresses_and_tokens_that_are_not_safe_are_refused() {
    let folder = ImageFolder::new();
    let refused = |command: &mut Command, code: i32| stderr(&run(command, code));
    let text = refused(&mut serve(&["--listen", "0.0.0.0:0"]), 2);
    assert!(text.contains("add --token-file FILE") && text.contains("listen on 127.0.0.1"), "{text}");
    assert!(refused(&mut serve(&["--listen", "[::]:0"]), 2).contains("[::1]"));
    assert!(refused(&mut serve(&["--listen", "8080"]), 2).contains("such as 127.0.0.1:8080"));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    assert!(refused(&mut serve(&["--listen", &address]), 1).contains("choose another address or port"));

    let token = |text: &str| folder.write("token", text).to_str().expect("Unicode").to_owned();
    assert!(refused(&mut serve(&["--token-file", &token("short\n")]), 1).contains("at least 16 characters"));
    assert!(refused(&mut serve(&["--token-file", &token(&format!("{TOKEN}\n{TOKEN}"))]), 1).contains("one line"));
    assert!(refused(&mut serve(&["--token-file", "/nowhere"]), 1).contains("reading the token in /nowhere"));
    let text = refused(&mut serve(&["--www", folder.file("images").to_str().expect("Unicode")]), 1);
    assert!(text.contains("no index.html: expected the folder of the page"), "{text}");

    let file = token(TOKEN);
    let server = Server::start(&["--token-file", &file, "--listen", "0.0.0.0:0"]);
    assert_eq!(server.get("/healthz").status, 200);
    #[cfg(unix)]
    for (mode, is_warned) in [(0o644, true), (0o600, false)] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its owner");
        let mut server = Server::start(&["--token-file", &file]);
        server.signal("TERM");
        server.wait();
        assert_eq!(server.stderr().contains("other users can read the token"), is_warned, "{}", server.stderr());
    }
}

#[test]
fn a_gpu_prepares_its_kernels_at_once_and_says_so() {
    let folder = ImageFolder::new();
    let server = Server::start(&["--device", "wgpu:software", "--crops", "1"]);
    let began = Instant::now();
    let health = loop {
        let health = server.get("/healthz").json();
        if health["status"] == "ok" {
            break health;
        }
        assert_eq!(health["status"], "preparing kernels");
        assert!(began.elapsed() < Duration::from_secs(300), "{}", server.stderr());
        thread::sleep(Duration::from_millis(5));
    };
    assert!(health["device"].as_str().is_some_and(|device| device.starts_with("wgpu:")), "{health}");
    let answer = server.score("", &folder.image("cat.jpg")).json();
    assert_eq!(answer["device"], health["device"]);
}

#[test]
fn kinds_of_images_that_are_not_read_are_no_fault_of_the_server() {
    let server = Server::start(&[]);
    assert!(server.score("", b"").error(415).contains("empty"));
    assert!(server.score("", &lab_tiff()).error(415).contains("this kind of TIFF file is not supported"));
    assert!(server.score("", &jpeg_with_a_scan_of_two()).error(415).contains("separate scans"));
}

#[test]
fn a_prompt_in_an_address_has_to_be_utf8() {
    let folder = ImageFolder::new();
    let server = Server::start(&[]);
    let answer = server.score("?prompt=caf%E9", &folder.image("cat.jpg"));
    assert_eq!(answer.status, 400);
    assert!(String::from_utf8_lossy(&answer.body).contains("not percent-encoded UTF-8"), "{answer:?}");
    assert_eq!(server.score("?prompt=caf%C3%A9", &folder.image("cat.jpg")).status, 200);
}
