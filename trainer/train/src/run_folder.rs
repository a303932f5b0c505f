//! The folder of a run and the names of its files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tsp_mgs_data::files::write_atomically;

use crate::config::RunConfig;

/// The settings, a [`RunConfig`].
const CONFIG: &str = "config.json";
/// The history, one line for each epoch.
pub const LOG: &str = "log.jsonl";
/// The results of a finished run.
pub const REPORT: &str = "report.json";
/// The folder of the checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// Creates the folder with its settings, or checks that an existing run has equal settings.
///
/// # Errors
/// Fails if the folder holds other files or a run with other settings, or cannot be written.
pub fn open(folder: &Path, config: &RunConfig) -> Result<()> {
    let path = folder.join(CONFIG);
    if path.is_file() {
        return config.check_same(&path);
    }
    if folder.exists()
        && fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?.next().is_some()
    {
        bail!("{} is not empty and holds no run; pass another --out", folder.display());
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut json = serde_json::to_string_pretty(config).expect("a configuration is plain data");
    json.push('\n');
    write_atomically(&path, json.as_bytes())
}
