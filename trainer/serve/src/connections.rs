//! Accepts connections, limits their number and their time, and closes them at shutdown.

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

/// Longest header in bytes, including the address with its query. A longer one is refused with 431.
const HEADER_BYTES: usize = 64 << 10;
/// Time after which a connection is closed whose client reads nothing of its response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time to read on after a response that was sent before the end of its request. If the server closed at once, the
/// client's system would discard the response.
const LINGER: Duration = Duration::from_secs(2);
/// Pause after a connection that could not be accepted, for example because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of connections.
#[derive(Clone, Copy)]
pub struct ConnectionLimits {
    /// Most open connections.
    pub max: usize,
    /// Longest time to receive the header of a request.
    pub idle: Duration,
    /// Time to finish accepted requests at shutdown.
    pub grace: Duration,
}

/// Serves requests until `shutdown` becomes true, then finishes accepted requests. Returns the number of connections
/// that were cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    mut shutdown: watch::Receiver<bool>,
) -> usize {
    let permits = Arc::new(Semaphore::new(limits.max));
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((permit, listener.accept().await?.0))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            _ = shutdown.wait_for(|&is_shutting_down| is_shutting_down) => break,
        };
        match accepted {
            Ok((permit, stream)) => {
                let connection = connection(stream, router.clone(), limits.idle, shutdown.clone());
                open.spawn(async move {
                    // An error means that the client closed the connection.
                    let _ = connection.await;
                    drop(permit);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
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
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router));
    let is_served = {
        let mut served = poll_fn(|context| connection.poll_without_shutdown(context));
        tokio::select! {
            result = &mut served => Some(result),
            _ = shutdown.wait_for(|&is_shutting_down| is_shutting_down) => None,
        }
    };
    let served = match is_served {
        Some(result) => result,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    // A request that could not be read was answered too. Its remaining bytes may still arrive.
    let mut stream = connection.into_parts().io.into_inner();
    stream.shutdown().await?;
    let mut rest = [0; 4096];
    let _ = timeout(LINGER, async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} }).await;
    Ok(served?)
}
