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

/// Flags of `trainer serve`; the groups come last, as a group's heading holds for what follows it.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Folder of the page, as `make web` builds it: www/dist
    ///
    /// With --model, that bundle is served below /model/ in place of the one in the folder, so that the page scores
    /// with the same weights. Symbolic links in the folder are followed.
    #[arg(long, value_name = "DIR")]
    pub www: Option<PathBuf>,

    /// Address and port to listen on; port 0 takes a free one and says which
    ///
    /// An address that other machines can reach needs --token-file.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// File with the token that requests below /v1/ and to /metrics must bring
    ///
    /// One line of at least 16 characters, sent as `Authorization: Bearer TOKEN`. Send it over TLS only: put a proxy
    /// that speaks https in front.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Where and how
    #[command(flatten)]
    pub compute: ScorerArgs,

    /// Print one line a request on standard error
    #[arg(long)]
    pub log: bool,

    /// What is refused
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Which weights
    #[command(flatten)]
    pub model: ModelArgs,

    /// How to score
    #[command(flatten)]
    pub options: OptionArgs,
}

/// What is refused, so that memory and time stay bounded.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Most MiB of a request's body; a larger one is answered with 413
    #[arg(long, value_name = "MIB", default_value = "32", value_parser = positive::<NonZeroU32>)]
    pub max_body: NonZeroU32,

    /// Most million pixels of an image; a larger one is answered with 422
    #[arg(long, value_name = "MEGAPIXELS", default_value = "64", value_parser = positive::<NonZeroU32>)]
    pub max_pixels: NonZeroU32,

    /// Most images that are uploaded, wait or are scored at once; one more is answered with 429
    ///
    /// Memory stays below that of an idle server, and waiting × max-body × 1.5, and threads × max-pixels × 20 bytes, and
    /// (threads + 4, or threads + 2 × batch / views) × 10 MB of views (ViT-B/32 with 15 crops), and connections ×
    /// 0.2 MB, and 400 MB of known texts.
    #[arg(long, value_name = "N", default_value = "32", value_parser = positive::<NonZeroU32>)]
    pub max_waiting: NonZeroU32,

    /// Most connections at once; more wait until one ends
    #[arg(long, value_name = "N", default_value = "512", value_parser = positive::<NonZeroU32>)]
    pub max_connections: NonZeroU32,

    /// Seconds that a request for a score may take
    ///
    /// An upload that is slower is answered with 408, one that waits longer for its score with 503.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = positive::<NonZeroU32>)]
    pub timeout: NonZeroU32,

    /// Seconds in which the header of a request has to come, also the next one on the same connection
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = positive::<NonZeroU32>)]
    pub idle: NonZeroU32,

    /// Seconds that accepted work is given to end, after SIGINT or SIGTERM
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = positive::<NonZeroU32>)]
    pub grace: NonZeroU32,

    /// Threads that decode and cut images; default: one for each processor
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,
}

impl LimitArgs {
    /// Most bytes of a body.
    pub fn body_bytes(&self) -> usize {
        self.max_body.get() as usize * (1 << 20)
    }

    /// Most pixels of an image.
    pub fn pixels(&self) -> u64 {
        u64::from(self.max_pixels.get()) * 1_000_000
    }
}

impl ServeArgs {
    /// What cannot be told from one flag alone.
    ///
    /// # Errors
    /// For an address that others can reach, without a token.
    pub fn check(&self) -> Result<(), UsageError> {
        let address = self.listen.ip();
        if self.token_file.is_none() && !access::is_loopback(address) {
            return Err(UsageError::new(format!(
                "other machines can reach {address}: add --token-file FILE, so that not everyone scores here, or listen \
                 on {}",
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
