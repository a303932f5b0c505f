use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::serve::large_png;
use crate::support::image_folder::ImageFolder;
use crate::support::score_server::{Answer, Begun, Server};

const CLIENTS: usize = 200;
const MIB: u64 = 1 << 20;

/// Repeats a request until the server has a place for it. Counts the refusals in `refused`.
fn insist(server: &Server, query: &str, image: &[u8], refused: &AtomicUsize) -> Answer {
    loop {
        let answer = server.score(query, image);
        if answer.status != 429 {
            return answer;
        }
        let seconds: u64 = answer.header("retry-after").expect("a time to wait").parse().expect("a number");
        assert_eq!(seconds, 1);
        refused.fetch_add(1, Ordering::Relaxed);
        // This waits less long than the server asks for, so that the load is higher.
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_hundred_clients_at_once_lose_nothing_and_memory_stays_bounded() {
    let folder = ImageFolder::new();
    // Each has 1 MiB. Bytes after the end of a JPEG file are ignored.
    let images = ["cat.jpg", "coffee.jpg", "fish.jpg"].map(|name| {
        let mut image = folder.image(name);
        image.resize(MIB as usize, 0);
        image
    });
    let flags = ["--crops", "1", "--max-body", "1", "--max-pixels", "1", "--max-waiting", "16", "--threads", "2"];
    let server = Server::start(&flags);
    let query = |client: usize| format!("?prompt=picture+{}", client % 5);
    let none = AtomicUsize::new(0);
    let expected: Vec<Vec<u8>> =
        (0..15).map(|client| insist(&server, &query(client), &images[client % 3], &none).body).collect();
    assert_eq!(none.into_inner(), 0, "one after the other, all have a place");
    let idle = server.peak_memory();

    let (refused, all) = (AtomicUsize::new(0), Barrier::new(CLIENTS));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, images, expected) = (&server, &images, &expected[client % 15]);
            let (refused, all, query) = (&refused, &all, query(client));
            scope.spawn(move || {
                all.wait();
                let answer = insist(server, &query, &images[client % 3], refused);
                assert_eq!(answer.status, 200, "{answer:?}");
                // The scores are equal to the last bit, since the score of an image does not depend on its batch.
                assert_eq!(String::from_utf8_lossy(&answer.body), String::from_utf8_lossy(expected));
            });
        }
    });

    // The sum in the help of `--max-waiting`. One crop and the whole image take 1.2 MB, and five prompts next to nothing.
    let bodies = 16 * MIB * 3 / 2;
    let (decoding, views, connections) = (2 * 20_000_000, (2 + 16) * 1_250_000, CLIENTS as u64 * 200_000);
    let (bound, peak) = (idle + bodies + decoding + views + connections, server.peak_memory());
    eprintln!("idle {} MiB, peak {} MiB, bound {} MiB", idle / MIB, peak / MIB, bound / MIB);
    assert!(peak < bound, "{} MiB, expected less than {}", peak / MIB, bound / MIB);

    // Every request is counted once.
    let (done, refused) = ((15 + CLIENTS) as f64, refused.into_inner() as f64);
    eprintln!("{refused} refused; batches: {}", server.metric("tsp_mgs_batch_images_count"));
    assert!(refused > 0.0, "200 clients have more than 16 places");
    let requests =
        |status: u16| server.metric(&format!("tsp_mgs_requests_total{{route=\"/v1/score\",status=\"{status}\"}}"));
    assert_eq!((requests(200), requests(429)), (done, refused));
    assert_eq!(server.metric("tsp_mgs_rejected_total{reason=\"queue_full\"}"), refused);
    for name in ["images_scored_total", "decode_seconds_count", "batch_images_sum"] {
        assert_eq!(server.metric(&format!("tsp_mgs_{name}")), done, "{name}");
    }
    let (batches, waits) = (server.metric("tsp_mgs_batch_images_count"), server.metric("tsp_mgs_score_seconds_count"));
    assert!(batches < done && batches == waits, "{batches} batches: some are of several images");
    assert_eq!(server.metric("tsp_mgs_request_seconds_count"), done + refused);
    assert_eq!(server.metric("tsp_mgs_rejected_total{reason=\"client_gone\"}"), 0.0);
    server.await_metric("tsp_mgs_waiting", 0.0);
}

#[test]
fn clients_that_send_nothing_or_little_do_not_keep_others_waiting() {
    let folder = ImageFolder::new();
    let cat = folder.image("cat.jpg");
    let server = Server::start(&["--idle", "5", "--max-connections", "60"]);
    let slow: Vec<_> = (0..50)
        .map(|client| {
            let mut begun = server.connect().expect("it listens");
            begun.send(&b"POST /v1/score HTTP/1.1\r\nHost: loc"[..client % 30]);
            begun
        })
        .collect();
    let began = Instant::now();
    assert_eq!(server.score("", &cat).status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "before the others are cut: {:?}", began.elapsed());
    // None of these connections lasts longer than it may be idle.
    for begun in slow {
        assert!(begun.answer().is_none_or(|answer| answer.status == 408));
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());

    // These take all connections, so that the next client waits until they are cut.
    let few = Server::start(&["--idle", "1", "--max-connections", "4"]);
    let slow: Vec<_> = (0..4).map(|_| few.connect().expect("it listens")).collect();
    let began = Instant::now();
    assert_eq!(few.score("", &cat).status, 200);
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    drop(slow);

    // A header without an end. The answer must arrive, although the server stops reading. It would be lost if the server closed at once.
    for _ in 0..20 {
        let mut endless = server.connect().expect("it listens");
        endless.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
        endless.send(format!("X: {}\r\n", "a".repeat(500_000)).as_bytes());
        assert_eq!(endless.answer().expect("an answer").status, 431);
    }
}

#[test]
fn what_nobody_waits_for_is_not_computed() {
    let folder = ImageFolder::new();
    let server = Server::start(&["--threads", "1", "--max-pixels", "100"]);
    let (slow, cat) = (large_png(9000), folder.image("cat.jpg"));
    let upload = |image: &[u8]| {
        let mut begun = server.begin("POST", "/v1/score", &[("Content-Length", &image.len().to_string())]);
        begun.send(image);
        begun
    };
    // The decoding thread is busy while the other requests come and go.
    let first = upload(&slow);
    server.await_metric("tsp_mgs_waiting", 1.0);
    let others: Vec<_> = (0..5).map(|_| upload(&slow)).collect();
    server.await_metric("tsp_mgs_waiting", 6.0);
    others.into_iter().for_each(Begun::leave);
    // One client leaves during its upload.
    server.begin("POST", "/v1/score", &[("Content-Length", "1000")]).leave();
    assert_eq!(first.answer().expect("an answer").status, 200);
    server.await_metric("tsp_mgs_waiting", 0.0);
    assert_eq!(server.score("", &cat).status, 200);
    let decoded = server.metric("tsp_mgs_decode_seconds_count");
    assert!(decoded <= 3.0, "{decoded} were decoded, expected the first, the last and at most one that had begun");
    assert!(server.metric("tsp_mgs_images_scored_total") <= decoded);
    // An upload that ends early is answered with an error. All other requests count as abandoned.
    let gone = server.metric("tsp_mgs_rejected_total{reason=\"client_gone\"}");
    assert!((5.0..=6.0).contains(&gone), "{gone}");
}

#[test]
fn accepted_work_is_finished_after_a_signal() {
    let folder = ImageFolder::new();
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&["--threads", "1", "--max-pixels", "100"]);
        let (slow, cat) = (large_png(6000), folder.image("cat.jpg"));
        thread::scope(|scope| {
            let images = [&slow, &slow, &cat, &cat];
            let asking = images.map(|image| scope.spawn(|| server.score("", image)));
            server.await_metric("tsp_mgs_waiting", 4.0);
            server.signal(signal);
            for answer in asking {
                assert_eq!(answer.join().expect("an answer").status, 200);
            }
        });
        assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
        assert!(server.stderr().contains("shutting down after the accepted requests"));
        assert!(server.connect().is_err());
    }
}

#[test]
fn a_second_signal_and_the_end_of_grace_end_at_once() {
    let begin = |flags: &[&str]| {
        let server = Server::start(flags);
        let mut upload = server.begin("POST", "/v1/score", &[("Content-Length", "1000")]);
        upload.send(b"never whole");
        server.await_metric("tsp_mgs_waiting", 1.0);
        server.signal("TERM");
        (server, upload)
    };
    let (mut server, upload) = begin(&[]);
    while server.connect().is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(upload.answer().is_none());

    let (mut server, _upload) = begin(&["--grace", "1"]);
    assert_eq!(server.wait().code(), Some(1));
    assert!(server.stderr().contains("1 connections were cut"), "{}", server.stderr());
}
