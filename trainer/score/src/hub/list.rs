//! `trainer models`: the models that are known, and which of them are on this machine.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Args;

use super::configuration::word;
use super::fetch::Hub;
use super::known::KNOWN;
use super::name::Name;
use super::settings::Settings;
use tsp_mgs_data::terminal::printable;

/// Flags of `trainer models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Print only what is on this machine
    #[arg(long)]
    pub cached: bool,
}

/// Runs `trainer models`.
///
/// # Errors
/// When a variable of the environment has a value that cannot be used, or standard output is closed.
pub fn run(args: &ModelsArgs) -> Result<()> {
    let settings = Settings::from_environment()?;
    let cache = settings.cache.clone();
    let hub = Hub::new(settings)?;
    let mut out = io::stdout().lock();
    let mut print = || -> io::Result<()> {
        let row = ["model", "download", "activation", "licence", "what"];
        writeln!(out, "{:<42} {:>8}  {:<10}  {:<7}  {}", row[0], row[1], row[2], row[3], row[4])?;
        for known in &KNOWN {
            let place = Name::parse(known.id).and_then(|name| hub.cached(&name));
            if args.cached && place.is_none() {
                continue;
            }
            let (size, activation) = (known.size(), word(known.activation));
            writeln!(out, "{:<42} {size:>8}  {activation:<10}  {:<7}  {}", known.id, known.licence, known.what)?;
            if let Some(place) = place {
                writeln!(out, "  cached in {}", printable(&place.display().to_string()))?;
            }
        }
        writeln!(out)?;
        writeln!(out, "Pass one with --clip; other CLIP models of the hub work by their names, too.")?;
        writeln!(out, "Models are kept in {} (HF_HUB_CACHE).", printable(&cache.display().to_string()))
    };
    print().context("writing to standard output")
}
