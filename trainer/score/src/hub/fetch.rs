//! Gets the files of a model by its name: from the hub, or from the cache.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tsp_mgs_core::bundle::{MANIFEST, Manifest};
use tsp_mgs_core::config::Activation;

use super::cache::Repository;
use super::client::Client;
use super::configuration::{ConfiguredActivation, FILES};
use super::download::Download;
use super::failure::Failure;
use super::known;
use super::name::{Name, is_commit, is_plain_file};
use super::settings::Settings;
use crate::weights::clip_file::{Index, WEIGHT_FILES};
use tsp_mgs_data::flags::UsageError;

/// The hub, and the cache of this machine.
pub struct Hub {
    client: Client,
}

/// The files of a model in the cache.
#[derive(Clone, Debug)]
pub struct FetchedModel {
    /// The weights file, the index of several weights files, or the folder of a bundle.
    pub path: PathBuf,
    /// The commit of the files.
    pub commit: String,
    /// The activation of CLIP weights. It has no meaning for a bundle, whose manifest has the activation.
    pub activation: Activation,
}

/// The kind of model that is expected.
#[derive(Clone, Copy)]
enum ModelKind {
    /// CLIP weights, with the value of `--activation`.
    Clip(Option<Activation>),
    /// A bundle that `trainer export` wrote.
    Bundle,
}

/// The error that a file is not in the cache.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not in the cache")]
struct NotCached(String);

impl Hub {
    /// Creates a hub with settings from environment variables.
    ///
    /// # Errors
    /// Returns an error if a variable is invalid.
    pub fn from_environment() -> Result<Self> {
        Self::new(Settings::from_environment()?)
    }

    /// Creates a hub with settings.
    ///
    /// # Errors
    /// Returns an error if the certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Self { client: Client::new(settings)? })
    }

    /// Fetches CLIP weights and their configuration.
    ///
    /// # Errors
    /// Returns an error if the files cannot be fetched, if they are those of another kind of model, or if `activation`
    /// contradicts the configuration.
    pub fn clip(&self, name: &Name, activation: Option<Activation>) -> Result<FetchedModel> {
        self.fetch(name, ModelKind::Clip(activation))
    }

    /// Fetches a bundle.
    ///
    /// # Errors
    /// Returns an error if the files cannot be fetched, or if the model is not a bundle.
    pub fn bundle(&self, name: &Name) -> Result<FetchedModel> {
        self.fetch(name, ModelKind::Bundle)
    }

    /// Returns the folder of a model whose files are all in the cache.
    pub fn cached(&self, name: &Name) -> Option<PathBuf> {
        let repository = self.repository(name);
        let current = repository.commit(name.revision());
        let commits = current.into_iter().chain(repository.commits());
        let mut commits = commits.filter(|commit| {
            let is_complete = |kind| self.find_cached(&name.at(commit), commit, kind).is_ok();
            is_complete(ModelKind::Clip(None)) || is_complete(ModelKind::Bundle)
        });
        commits.next().map(|commit| repository.snapshot(&commit))
    }

    fn repository(&self, name: &Name) -> Repository {
        Repository::new(&self.client.settings().cache, name)
    }

    fn fetch(&self, name: &Name, kind: ModelKind) -> Result<FetchedModel> {
        let repository = self.repository(name);
        let commit = repository.commit(name.revision());
        if self.client.settings().is_offline {
            let commit = commit.with_context(|| self.offline(name, "nothing of it"))?;
            return self.find_cached(name, &commit, kind).map_err(|error| match error.downcast::<NotCached>() {
                Ok(NotCached(file)) => anyhow!(self.offline(name, &format!("no {file}"))),
                Err(error) => error,
            });
        }
        // A commit does not change, so that no request is needed.
        if let Some(commit) = commit.as_ref().filter(|_| is_commit(name.revision()))
            && let Some(found) = self.cached_files(name, commit, kind)?
        {
            return Ok(found);
        }
        match self.client.listing(name) {
            Ok(listing) => {
                let commit = listing.commit.as_str();
                let files = listing.files();
                let found = self.choose(name, commit, kind, &files, &|file| self.download(name, commit, file, kind))?;
                // A later command without the hub needs the commit. An error is ignored: a read-only cache is usable.
                let _ = repository.set_commit(name.revision(), commit);
                Ok(found)
            }
            Err(failure) => self.fall_back(name, commit, kind, failure),
        }
    }

    /// Returns the files from the cache, if the hub is not available.
    fn fall_back(
        &self,
        name: &Name,
        commit: Option<String>,
        kind: ModelKind,
        failure: Failure,
    ) -> Result<FetchedModel> {
        if failure.is_outage()
            && let Some(commit) = commit
            && let Some(found) = self.cached_files(name, &commit, kind)?
        {
            eprintln!("note: {failure}; using {name} from the cache, at commit {commit}");
            return Ok(found);
        }
        Err(failure.explain(&name.to_string(), &self.alternative(name, kind)))
    }

    /// Returns the files of a commit from the cache, or `None` if some are missing.
    fn cached_files(&self, name: &Name, commit: &str, kind: ModelKind) -> Result<Option<FetchedModel>> {
        match self.find_cached(name, commit, kind) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is::<UsageError>() => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn find_cached(&self, name: &Name, commit: &str, kind: ModelKind) -> Result<FetchedModel> {
        let repository = self.repository(name);
        let files = repository.files(commit);
        if files.is_empty() {
            return Err(NotCached("file of it".into()).into());
        }
        self.choose(name, commit, kind, &files, &|file| {
            let path = repository.snapshot(commit).join(file);
            if path.is_file() { Ok(path) } else { Err(NotCached(file.into()).into()) }
        })
    }

    /// Gets all files that are needed with the function `get`. The small files come first, so that errors in them are
    /// found before the weights are downloaded.
    fn choose(
        &self,
        name: &Name,
        commit: &str,
        kind: ModelKind,
        files: &[String],
        get: &dyn Fn(&str) -> Result<PathBuf>,
    ) -> Result<FetchedModel> {
        let has = |file: &str| files.iter().any(|known| known == file);
        let weights = WEIGHT_FILES.into_iter().find(|file| has(file));
        let commit = commit.to_owned();
        match kind {
            ModelKind::Bundle if has(MANIFEST) => {
                let path = get(MANIFEST)?;
                let manifest = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
                for shard in Manifest::parse(&manifest)?.shards {
                    get(&shard.name)?;
                }
                let folder = self.repository(name).snapshot(&commit);
                Ok(FetchedModel { path: folder, commit, activation: Activation::default() })
            }
            ModelKind::Bundle if weights.is_some() => {
                Err(usage_error(format!("{name} is not a bundle: pass its weights with --clip")))
            }
            ModelKind::Bundle => bail!("{name} has no {MANIFEST}, expected a bundle that `trainer export` wrote"),
            ModelKind::Clip(_) if has(MANIFEST) => {
                Err(usage_error(format!("{name} is a model bundle: pass it with --model")))
            }
            ModelKind::Clip(flag) => {
                let weights = weights
                    .with_context(|| format!("{name} has no weights, expected one of {}", WEIGHT_FILES.join(", ")))?;
                for file in FILES.into_iter().filter(|file| has(file)) {
                    get(file)?;
                }
                let folder = self.repository(name).snapshot(&commit);
                let configured = ConfiguredActivation::read(&folder, weights).with_context(|| name.to_string())?;
                let activation = match (configured, flag) {
                    (Some(configured), flag) => configured.check_flag(flag)?,
                    (None, Some(flag)) => flag,
                    (None, None) => bail!(
                        "{name} has no {} with the activation of its weights: pass --activation quick_gelu or gelu",
                        FILES[..2].join(" or ")
                    ),
                };
                let path = get(weights)?;
                for file in indexed_files(&path)? {
                    get(&file)?;
                }
                Ok(FetchedModel { path, commit, activation })
            }
        }
    }

    fn download(&self, name: &Name, commit: &str, file: &str, kind: ModelKind) -> Result<PathBuf> {
        let repository = self.repository(name);
        let path = repository.snapshot(commit).join(file);
        if !path.is_file() {
            let download = Download { client: &self.client, repository: &repository, name, commit, file };
            download.run(&self.alternative(name, kind))?;
        }
        Ok(path)
    }

    fn offline(&self, name: &Name, missing: &str) -> String {
        let repository = self.repository(name);
        format!(
            "HF_HUB_OFFLINE is set, and the cache has {missing} in {}: unset the variable to download the model, or set \
             HF_HUB_CACHE to the folder that has it",
            repository.folder().display()
        )
    }

    /// Returns advice on how to get the model without this program.
    fn alternative(&self, name: &Name, kind: ModelKind) -> String {
        let endpoint = &self.client.settings().endpoint;
        let page = format!("{endpoint}/{}/tree/{}", name.id, name.revision());
        match (kind, known::find(&name.id)) {
            (ModelKind::Bundle, _) => {
                format!(
                    "or download {MANIFEST} and its shards from {page} on another machine, and pass their folder with --model"
                )
            }
            (ModelKind::Clip(_), Some(known)) => format!(
                "or download {} ({}) and config.json beside it on another machine, and pass their folder with --clip",
                self.client.address(name, name.revision(), known.weights),
                known.size()
            ),
            (ModelKind::Clip(_), None) => format!(
                "or download the weights ({} or similar) and config.json from {page} on another machine, and pass their folder \
                 with --clip",
                WEIGHT_FILES[0]
            ),
        }
    }
}

/// Returns the files of an index, or nothing if the file is not an index.
fn indexed_files(path: &Path) -> Result<BTreeSet<String>> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(BTreeSet::new());
    }
    let read = || {
        let Index { weight_map } = serde_json::from_slice(&fs::read(path)?)?;
        let files: BTreeSet<String> = weight_map.into_values().collect();
        match files.iter().find(|file| !is_plain_file(file)) {
            Some(file) => bail!("it names `{file}`, expected a file in its own folder"),
            None => Ok(files),
        }
    };
    read().with_context(|| format!("reading the index {}", path.display()))
}

fn usage_error(text: String) -> anyhow::Error {
    UsageError::new(text).into()
}
