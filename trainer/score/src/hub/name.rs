//! Names of models: `ORG/NAME`, or `ORG/NAME@REVISION`.

use std::fmt;
use std::path::Path;

/// How names of weights files end; a path of such a file is no model's name.
const FILE_ENDINGS: [&str; 6] = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".json"];
/// Longest `ORG/NAME`, as the hub has it.
const MAX_BYTES: usize = 96;
/// Hexadecimal digits of a commit.
const COMMIT_DIGITS: usize = 40;
/// What a name without a revision stands for.
const DEFAULT_REVISION: &str = "main";

/// A model on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `ORG/NAME`.
    pub id: String,
    /// A branch, a tag or a commit, if one was given.
    revision: Option<String>,
}

impl Name {
    /// Reads a name; `None` where the text cannot be one.
    ///
    /// A name has exactly one slash before its revision. Its parts consist of letters, digits, `-`, `_` and `.`, neither begin
    /// nor end with `-` or `.`, and hold no `--` or `..`. These are the hub's own rules.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, revision) = match text.split_once('@') {
            Some((id, revision)) => (id, Some(revision)),
            None => (text, None),
        };
        let (organisation, model) = id.split_once('/')?;
        let is_file = FILE_ENDINGS.iter().any(|ending| model.ends_with(ending));
        let is_name = is_part(organisation) && is_part(model) && id.len() <= MAX_BYTES && !is_file;
        let is_valid = is_name && revision.is_none_or(is_revision);
        is_valid.then(|| Self { id: id.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// As [`Self::parse`], of a path that nothing stands at.
    pub fn of_path(path: &Path) -> Option<Self> {
        if path.exists() { None } else { Self::parse(path.to_str()?) }
    }

    /// The revision to fetch.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// The same model at a commit.
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

/// Whether a revision is a whole commit, which never changes.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == COMMIT_DIGITS && revision.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Whether a file's name leads to a file of the folder that it is joined to.
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

/// A revision becomes a path below the cache's folder.
fn is_revision(revision: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    let is_step = |part: &str| !part.is_empty() && !part.starts_with('.');
    revision.chars().all(is_plain) && revision.split('/').all(is_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
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
