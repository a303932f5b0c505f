//! The folder of an exported bundle.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tsp_mgs_core::bundle::{MANIFEST, Manifest};
use tsp_mgs_data::files::{parent, unfinished_folder, write_flushed};

use super::ExportArgs;
use crate::hub::card;

/// Checks that `--out` does not exist, or that `--overwrite` is set and the folder has only the files of a bundle.
///
/// # Errors
/// Returns an error with advice if the folder must not be replaced.
pub fn check(args: &ExportArgs) -> Result<()> {
    let out = args.out.as_path();
    if fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    let manifest = fs::read(out.join(MANIFEST)).ok().and_then(|json| Manifest::parse(&json).ok());
    let Some(manifest) = manifest else {
        bail!("{} exists and is not a model bundle; pass another --out", out.display());
    };
    if !args.overwrite {
        bail!("{} exists; pass --overwrite to replace the bundle, or another --out", out.display());
    }
    for entry in fs::read_dir(out).with_context(|| format!("reading {}", out.display()))? {
        let name = entry.with_context(|| format!("reading {}", out.display()))?.file_name();
        let is_replaced = name == MANIFEST || (args.push_ready && name == card::FILE);
        if !is_replaced && !manifest.shards.iter().any(|shard| name == shard.name.as_str()) {
            let (out, name) = (out.display(), name.display());
            bail!(
                "{out} has the file {name}, which is not part of the bundle and would be lost; move it, or pass another --out"
            );
        }
    }
    Ok(())
}

/// Writes a bundle into a temporary folder beside `out`, so that it can be put in place in one step.
///
/// # Errors
/// Returns an error if the folder cannot be written.
pub fn stage(out: &Path, manifest: &Manifest, shards: &[Vec<u8>]) -> Result<TempDir> {
    let staging = unfinished_folder(parent(out))?;
    for (shard, bytes) in manifest.shards.iter().zip(shards) {
        write_into(staging.path(), &shard.name, bytes)?;
    }
    write_into(staging.path(), MANIFEST, manifest.to_json().as_bytes())?;
    Ok(staging)
}

/// Writes a file into a folder.
///
/// # Errors
/// Returns an error with the file name and the folder.
pub fn write_into(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    write_flushed(&folder.join(name), bytes).with_context(|| format!("writing {name} into {}", folder.display()))
}
