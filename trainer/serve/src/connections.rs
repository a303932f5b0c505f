//! Connections: how many, how slow they may be, and how they end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

/// Longest header, its address with the prompt included; 431 for a longer one.
const HEADER_BYTES: usize = 64 << 10;
/// A client that takes no byte of its answer for so long is given up.
const SILENT_READER: Duration = Duration::from_secs(30);
/// How long is read on after an answer that came before the end of its request: closing at once would make the client's
/// system throw the answer away.
const LINGER: Duration = Duration::from_secs(2);
/// Wait after a connection that could not be taken, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What a connection is held to.
#[derive(Clone, Copy)]
pub struct Connections {
    /// Most at once.
    pub most: usize,
    /// In which the header of a request has to come.
    pub idle: Duration,
    /// For accepted work, after the end was asked for.
    pub grace: Duration,
}

/// Serves until `ending` says so, and then what was accepted; how many connections had to be cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Connections,
    mut ending: watch::Receiver<bool>,
) -> usize {
    let places = Arc::new(Semaphore::new(limits.most));
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, listener.accept().await?.0))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            _ = ending.wait_for(|&is_ending| is_ending) => break,
        };
        match accepted {
            Ok((place, stream)) => {
                let connection = connection(stream, router.clone(), limits.idle, ending.clone());
                open.spawn(async move {
                    // A client that is cut off is no news to anyone here.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    let _ = timeout(limits.grace, all).await;
    open.len()
}

async fn connection(
    stream: TcpStream,
    router: Router,
    idle: Duration,
    mut ending: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(SILENT_READER));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router));
    let is_served = {
        let mut served = poll_fn(|context| connection.poll_without_shutdown(context));
        tokio::select! {
            result = &mut served => Some(result),
            _ = ending.wait_for(|&is_ending| is_ending) => None,
        }
    };
    let served = match is_served {
        Some(result) => result,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    // A request that could not be read was answered too, and its rest may still be coming.
    let mut stream = connection.into_parts().io.into_inner();
    stream.shutdown().await?;
    let mut rest = [0; 4096];
    let _ = timeout(LINGER, async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} }).await;
    Ok(served?)
}
