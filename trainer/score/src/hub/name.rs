//! Names of models: `ORG/NAME`, or `ORG/NAME@REVISION`.

use std::fmt;
use std::path::Path;

/// The extensions of weights files. A text with such an extension is a path and not the name of a model.
const FILE_ENDINGS: [&str; 6] = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".json"];
/// The maximum length of `ORG/NAME`, which the hub sets.
const MAX_ID_BYTES: usize = 96;
/// The number of hexadecimal digits of a commit.
const COMMIT_DIGITS: usize = 40;
/// The revision of a name without one.
const DEFAULT_REVISION: &str = "main";

/// The name of a model on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `ORG/NAME`.
    pub id: String,
    /// The branch, tag or commit, if the name has one.
    revision: Option<String>,
}

impl Name {
    /// Parses a name. Returns `None` if the text is not a valid name.
    ///
    /// A name has exactly one slash before its revision. Its two parts consist of letters, digits, `-`, `_` and `.`.
    /// They do not begin or end with `-` or `.`, and do not contain `--` or `..`. These are the rules of the hub.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_score::hub::Name;
    ///
    /// let name = Name::parse("laion/CLIP@v1.0").expect("a valid name");
    /// assert_eq!((name.id.as_str(), name.revision()), ("laion/CLIP", "v1.0"));
    /// assert_eq!(Name::parse("weights/clip.pt"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (id, revision) = match text.split_once('@') {
            Some((id, revision)) => (id, Some(revision)),
            None => (text, None),
        };
        let (organisation, model) = id.split_once('/')?;
        let is_file = FILE_ENDINGS.iter().any(|ending| model.ends_with(ending));
        let is_name = is_part(organisation) && is_part(model) && id.len() <= MAX_ID_BYTES && !is_file;
        let is_valid = is_name && revision.is_none_or(is_revision);
        is_valid.then(|| Self { id: id.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// Parses a path as a name, unless the path exists.
    pub fn of_path(path: &Path) -> Option<Self> {
        if path.exists() { None } else { Self::parse(path.to_str()?) }
    }

    /// Returns the revision, which is `main` by default.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// Returns the name of the same model at a commit.
    pub fn at(&self, commit: &str) -> Self {
        Self { id: self.id.clone(), revision: Some(commit.to_owned()) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(f, "{}@{revision}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// Returns whether a revision is a full commit, which never changes.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == COMMIT_DIGITS && revision.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Returns whether a text is the name of a file, without a path and not hidden.
pub fn is_plain_file(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

fn is_part(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_inner = |c: char| !matches!(c, '.' | '-');
    part.chars().all(is_plain)
        && part.starts_with(is_inner)
        && part.ends_with(is_inner)
        && !part.contains("--")
        && !part.contains("..")
}

/// Returns whether a text is a valid revision. It becomes a path in the cache, so that `..` is refused.
fn is_revision(revision: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    let is_step = |part: &str| !part.is_empty() && !part.starts_with('.');
    revision.chars().all(is_plain) && revision.split('/').all(is_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinguished_from_paths() {
        for name in ["openai/clip-vit-base-patch32", "a/b.c", "laion/CLIP_1@v1.0", "a/b@refs/pr/3"] {
            let parsed = Name::parse(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(parsed.to_string(), name);
        }
        for path in [
            "clip",
            "a/b/c",
            "/a",
            "a/",
            "./clip",
            "../clip",
            "~/clip",
            "a/b.safetensors",
            "weights/clip.pt",
            "a/b@",
            "a/b@../c",
            "a/b@x/../y",
            "a/b c",
            "a\\b/c",
            "a/b--c",
            "https://hub/a",
            "a/b@c@d",
        ] {
            assert_eq!(Name::parse(path), None, "{path}");
        }
        assert_eq!(Name::parse("a/b").expect("a name").revision(), "main");
    }
}
