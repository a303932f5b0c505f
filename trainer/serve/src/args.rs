//! Flags of `trainer serve`.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use tsp_mgs_data::flags::{UsageError, positive};
use tsp_mgs_score::model::ModelArgs;
use tsp_mgs_score::options::OptionArgs;
use tsp_mgs_score::scorer_args::ScorerArgs;

use crate::access;

/// Flags of `trainer serve`.
///
/// The flattened groups come last, because the heading of a group applies to all flags after it.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Folder of the gallery page, as `make web` builds it: www/dist
    ///
    /// With --model, that bundle replaces the folder's own model at /model/, so that page and server score with the
    /// same weights. Symbolic links in the folder are followed.
    #[arg(long, value_name = "DIR")]
    pub www: Option<PathBuf>,

    /// Address and port to listen on; port 0 picks a free port
    ///
    /// The server prints the port. An address that other machines can reach needs --token-file.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// File with the token that /v1/ and /metrics require
    ///
    /// It holds one line of at least 16 characters. Clients send it as `Authorization: Bearer TOKEN`. The token must
    /// not be sent without TLS: put a proxy that speaks https in front of the server.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Device and precision
    #[command(flatten)]
    pub compute: ScorerArgs,

    /// Log each request in a line on standard error
    #[arg(long)]
    pub log: bool,

    /// Limits
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// Options of the score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// Limits that bound the memory and time of the server.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Largest body in MiB; larger ones are refused with 413
    #[arg(long, value_name = "MIB", default_value = "32", value_parser = positive::<NonZeroU32>)]
    pub max_body: NonZeroU32,

    /// Largest image in million pixels; larger ones are refused with 422
    #[arg(long, value_name = "MEGAPIXELS", default_value = "64", value_parser = positive::<NonZeroU32>)]
    pub max_pixels: NonZeroU32,

    /// Most images in upload, queue and computation; more are refused with 429
    ///
    /// The memory of the server stays below the sum of: an idle server; max-waiting × max-body × 1.5; threads ×
    /// max-pixels × 20 bytes, or threads × 0.9 GB if that is more (JSON in the metadata of an image); (threads + 4, or
    /// threads + 2 × batch / views) × 10 MB of views (ViT-B/32 with 15 crops); max-connections × 0.2 MB; and 400 MB of
    /// cached texts.
    #[arg(long, value_name = "N", default_value = "32", value_parser = positive::<NonZeroU32>)]
    pub max_waiting: NonZeroU32,

    /// Most open connections; further ones wait until one closes
    #[arg(long, value_name = "N", default_value = "512", value_parser = positive::<NonZeroU32>)]
    pub max_connections: NonZeroU32,

    /// Longest time of a request for a score, in seconds
    ///
    /// A slower upload is refused with 408. A request that waits longer for its score is refused with 503.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = positive::<NonZeroU32>)]
    pub timeout: NonZeroU32,

    /// Longest time to receive the header of a request, in seconds
    ///
    /// It also limits the time between two requests on one connection.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = positive::<NonZeroU32>)]
    pub idle: NonZeroU32,

    /// Time to finish accepted requests after SIGINT or SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = positive::<NonZeroU32>)]
    pub grace: NonZeroU32,

    /// Threads that decode and crop images; default: one per processor
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,
}

impl LimitArgs {
    /// Largest body, in bytes.
    pub fn body_bytes(&self) -> usize {
        self.max_body.get() as usize * (1 << 20)
    }

    /// Largest image, in pixels.
    pub fn pixels(&self) -> u64 {
        u64::from(self.max_pixels.get()) * 1_000_000
    }
}

impl ServeArgs {
    /// Checks flags that depend on each other.
    ///
    /// # Errors
    /// Fails if the address is reachable from other machines and there is no token.
    pub fn check(&self) -> Result<(), UsageError> {
        let address = self.listen.ip();
        if self.token_file.is_none() && !access::is_loopback(address) {
            return Err(UsageError::new(format!(
                "other machines can reach {address}: add --token-file FILE to restrict access, or listen on {}",
                loopback(address)
            )));
        }
        Ok(())
    }
}

fn loopback(like: IpAddr) -> &'static str {
    if like.is_ipv4() { "127.0.0.1" } else { "[::1]" }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080".into())
}
