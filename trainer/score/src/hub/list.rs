//! `trainer models`: lists known models, and those of them in the cache.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Args;

use super::configuration::activation_name;
use super::fetch::Hub;
use super::known::KNOWN_MODELS;
use super::name::Name;
use super::settings::Settings;
use tsp_mgs_data::terminal::printable;

/// Flags of `trainer models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Print only models in the cache
    #[arg(long)]
    pub cached: bool,
}

/// Runs `trainer models`.
///
/// # Errors
/// Returns an error if an environment variable is invalid, or if standard output is closed.
pub fn run(args: &ModelsArgs) -> Result<()> {
    let settings = Settings::from_environment()?;
    let cache = settings.cache.clone();
    let hub = Hub::new(settings)?;
    let mut out = io::stdout().lock();
    let mut print = || -> io::Result<()> {
        let row = ["model", "download", "activation", "licence", "description"];
        writeln!(out, "{:<42} {:>8}  {:<10}  {:<7}  {}", row[0], row[1], row[2], row[3], row[4])?;
        for known in &KNOWN_MODELS {
            let place = Name::parse(known.id).and_then(|name| hub.cached(&name));
            if args.cached && place.is_none() {
                continue;
            }
            let (size, activation) = (known.size(), activation_name(known.activation));
            writeln!(out, "{:<42} {size:>8}  {activation:<10}  {:<7}  {}", known.id, known.licence, known.description)?;
            if let Some(place) = place {
                writeln!(out, "  cached in {}", printable(&place.display().to_string()))?;
            }
        }
        writeln!(out)?;
        writeln!(out, "Pass a name with --clip. Other CLIP models of the hub can be passed by name, too.")?;
        writeln!(out, "Models are stored in {} (HF_HUB_CACHE).", printable(&cache.display().to_string()))
    };
    print().context("writing to standard output")
}
