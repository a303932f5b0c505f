//! A model's name to its files: from the hub, or from the cache where the hub cannot or need not be asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tsp_mgs_core::bundle::{MANIFEST, Manifest};
use tsp_mgs_core::config::Activation;

use super::cache::Repository;
use super::client::Client;
use super::configuration::{Configured, FILES};
use super::download::Download;
use super::failure::Failure;
use super::known;
use super::name::{Name, is_commit, is_plain_file};
use super::settings::Settings;
use crate::clip_file::{Index, WEIGHT_FILES};
use tsp_mgs_data::flags::UsageError;

/// The hub and the cache of this machine.
pub struct Hub {
    client: Client,
}

/// Files of a model on this machine.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The weights file or the index of several; for a bundle, its folder.
    pub path: PathBuf,
    /// The commit that they are of.
    pub commit: String,
    /// The activation to compute with; a bundle has its own.
    pub activation: Activation,
}

/// What is looked for in a model's files.
#[derive(Clone, Copy)]
enum Wanted {
    /// CLIP weights; the flag of the activation.
    Clip(Option<Activation>),
    /// A bundle, as `trainer export` writes it.
    Bundle,
}

/// A file is not in the cache.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not in the cache")]
struct NotCached(String);

impl Hub {
    /// With the settings of the environment.
    ///
    /// # Errors
    /// When a variable has a value that cannot be used.
    pub fn from_environment() -> Result<Self> {
        Self::new(Settings::from_environment()?)
    }

    /// With settings of one's own.
    ///
    /// # Errors
    /// When the certificates that they name cannot be read.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Self { client: Client::new(settings)? })
    }

    /// CLIP weights with their configuration.
    ///
    /// # Errors
    /// When they cannot be fetched, are of another kind of model, or `activation` contradicts their configuration.
    pub fn clip(&self, name: &Name, activation: Option<Activation>) -> Result<Fetched> {
        self.fetch(name, Wanted::Clip(activation))
    }

    /// A bundle.
    ///
    /// # Errors
    /// When it cannot be fetched, or the model is no bundle.
    pub fn bundle(&self, name: &Name) -> Result<Fetched> {
        self.fetch(name, Wanted::Bundle)
    }

    /// CLIP weights or a bundle that the cache holds whole: its place.
    pub fn cached(&self, name: &Name) -> Option<PathBuf> {
        let repository = self.repository(name);
        let newest = repository.commit(name.revision());
        let commits = newest.into_iter().chain(repository.commits());
        let mut commits = commits.filter(|commit| {
            let is_whole = |wanted| self.find_cached(&name.at(commit), commit, wanted).is_ok();
            is_whole(Wanted::Clip(None)) || is_whole(Wanted::Bundle)
        });
        commits.next().map(|commit| repository.snapshot(&commit))
    }

    fn repository(&self, name: &Name) -> Repository {
        Repository::new(&self.client.settings().cache, name)
    }

    fn fetch(&self, name: &Name, wanted: Wanted) -> Result<Fetched> {
        let repository = self.repository(name);
        let commit = repository.commit(name.revision());
        if self.client.settings().is_offline {
            let commit = commit.with_context(|| self.offline(name, "nothing of it"))?;
            return self.find_cached(name, &commit, wanted).map_err(|error| match error.downcast::<NotCached>() {
                Ok(NotCached(file)) => anyhow!(self.offline(name, &format!("no {file}"))),
                Err(error) => error,
            });
        }
        // A commit does not change: there is nothing to ask for.
        if let Some(commit) = commit.as_ref().filter(|_| is_commit(name.revision()))
            && let Some(found) = self.whole(name, commit, wanted)?
        {
            return Ok(found);
        }
        match self.client.listing(name) {
            Ok(listing) => {
                let commit = listing.commit.as_str();
                let files = listing.files();
                let found =
                    self.choose(name, commit, wanted, &files, &|file| self.download(name, commit, file, wanted))?;
                // Of use for a later command without the hub; a cache that cannot be written had all files already.
                let _ = repository.note_commit(name.revision(), commit);
                Ok(found)
            }
            Err(failure) => self.without_hub(name, commit, wanted, failure),
        }
    }

    /// What was fetched earlier, when the hub cannot be asked.
    fn without_hub(&self, name: &Name, commit: Option<String>, wanted: Wanted, failure: Failure) -> Result<Fetched> {
        if failure.is_outage()
            && let Some(commit) = commit
            && let Some(found) = self.whole(name, &commit, wanted)?
        {
            eprintln!("note: {failure}; {name} is taken from the cache, at commit {commit}");
            return Ok(found);
        }
        Err(failure.explain(&name.to_string(), &self.by_hand(name, wanted)))
    }

    /// A commit's files from the cache; `None` where some are not there.
    fn whole(&self, name: &Name, commit: &str, wanted: Wanted) -> Result<Option<Fetched>> {
        match self.find_cached(name, commit, wanted) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is::<UsageError>() => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn find_cached(&self, name: &Name, commit: &str, wanted: Wanted) -> Result<Fetched> {
        let repository = self.repository(name);
        let files = repository.files(commit);
        if files.is_empty() {
            return Err(NotCached("file of it".into()).into());
        }
        self.choose(name, commit, wanted, &files, &|file| {
            let path = repository.snapshot(commit).join(file);
            if path.is_file() { Ok(path) } else { Err(NotCached(file.into()).into()) }
        })
    }

    /// Gets each file that is needed, the small ones that can be wrong first.
    fn choose(
        &self,
        name: &Name,
        commit: &str,
        wanted: Wanted,
        files: &[String],
        get: &dyn Fn(&str) -> Result<PathBuf>,
    ) -> Result<Fetched> {
        let has = |file: &str| files.iter().any(|known| known == file);
        let weights = WEIGHT_FILES.into_iter().find(|file| has(file));
        let commit = commit.to_owned();
        match wanted {
            Wanted::Bundle if has(MANIFEST) => {
                let path = get(MANIFEST)?;
                let manifest = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
                for shard in Manifest::parse(&manifest)?.shards {
                    get(&shard.name)?;
                }
                let folder = self.repository(name).snapshot(&commit);
                Ok(Fetched { path: folder, commit, activation: Activation::default() })
            }
            Wanted::Bundle if weights.is_some() => {
                Err(usage(format!("{name} is no bundle: pass its weights with --clip")))
            }
            Wanted::Bundle => bail!("{name} has no {MANIFEST}, expected a bundle as `trainer export` writes it"),
            Wanted::Clip(_) if has(MANIFEST) => Err(usage(format!("{name} is a model bundle: pass it with --model"))),
            Wanted::Clip(flag) => {
                let weights = weights
                    .with_context(|| format!("{name} has no weights, expected one of {}", WEIGHT_FILES.join(", ")))?;
                for file in FILES.into_iter().filter(|file| has(file)) {
                    get(file)?;
                }
                let folder = self.repository(name).snapshot(&commit);
                let configured = Configured::read(&folder, weights).with_context(|| name.to_string())?;
                let activation = match (configured, flag) {
                    (Some(configured), flag) => configured.agree(flag)?,
                    (None, Some(flag)) => flag,
                    (None, None) => bail!(
                        "{name} has no {} that names the activation of its weights: pass --activation quick_gelu or gelu",
                        FILES[..2].join(" or ")
                    ),
                };
                let path = get(weights)?;
                for part in parts(&path)? {
                    get(&part)?;
                }
                Ok(Fetched { path, commit, activation })
            }
        }
    }

    fn download(&self, name: &Name, commit: &str, file: &str, wanted: Wanted) -> Result<PathBuf> {
        let repository = self.repository(name);
        let path = repository.snapshot(commit).join(file);
        if !path.is_file() {
            let download = Download { client: &self.client, repository: &repository, name, commit, file };
            download.run(&self.by_hand(name, wanted))?;
        }
        Ok(path)
    }

    fn offline(&self, name: &Name, missing: &str) -> String {
        let folder = self.repository(name);
        format!(
            "HF_HUB_OFFLINE is set, and the cache has {missing} in {}: unset it to download the model, or set HF_HUB_CACHE to \
             the folder that has it",
            folder.folder().display()
        )
    }

    /// How to do without the hub.
    fn by_hand(&self, name: &Name, wanted: Wanted) -> String {
        let endpoint = &self.client.settings().endpoint;
        let page = format!("{endpoint}/{}/tree/{}", name.id, name.revision());
        match (wanted, known::find(&name.id)) {
            (Wanted::Bundle, _) => {
                format!(
                    "or save {MANIFEST} and its shards from {page} in a folder elsewhere, and pass the folder with --model"
                )
            }
            (Wanted::Clip(_), Some(known)) => format!(
                "or save {} ({}) and config.json beside it in a folder elsewhere, and pass the folder with --clip",
                self.client.address(name, name.revision(), known.weights),
                known.size()
            ),
            (Wanted::Clip(_), None) => format!(
                "or save the weights ({} or alike) and config.json from {page} in a folder elsewhere, and pass the folder with \
                 --clip",
                WEIGHT_FILES[0]
            ),
        }
    }
}

/// The files that an index names; none of a file that is no index.
fn parts(path: &Path) -> Result<BTreeSet<String>> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(BTreeSet::new());
    }
    let read = || {
        let Index { weight_map } = serde_json::from_slice(&fs::read(path)?)?;
        let parts: BTreeSet<String> = weight_map.into_values().collect();
        match parts.iter().find(|part| !is_plain_file(part)) {
            Some(part) => bail!("it names `{part}`, expected a file beside it"),
            None => Ok(parts),
        }
    };
    read().with_context(|| format!("reading the index {}", path.display()))
}

fn usage(text: String) -> anyhow::Error {
    UsageError::new(text).into()
}
