//! Names of images in a gallery. A gallery is public, so names and errors leave out the folders that contain the input.

use std::path::{Component, Path, PathBuf};

use crate::input::record::RecordName;

/// Names the images of an input, whose paths it holds.
pub struct Names(Vec<PathBuf>);

impl Names {
    /// Creates the names of the images in `paths`.
    pub fn new(paths: &[PathBuf]) -> Self {
        Self(paths.to_vec())
    }

    /// Returns the id of an image that a table names. For other images, it returns the path below the input folder, or the
    /// file name.
    pub fn of(&self, name: &RecordName) -> String {
        if name.path.as_ref() != Some(&name.id) {
            return name.id.clone();
        }
        let path = Path::new(&name.id);
        let below = self.0.iter().filter_map(|input| path.strip_prefix(input).ok());
        let below = below.filter(|rest| !rest.as_os_str().is_empty()).min_by_key(|rest| rest.as_os_str().len());
        let is_below_here = || path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let is_input = || self.0.iter().any(|input| input == path);
        let shown = match below {
            Some(rest) => rest,
            None if is_below_here() && !is_input() => path,
            None => path.file_name().map_or(path, Path::new),
        };
        shown.to_string_lossy().into_owned()
    }

    /// Returns the text of an error without the folder of the image.
    pub fn error(name: &RecordName, error: &anyhow::Error) -> String {
        let text = format!("{error:#}");
        let folder = name.path.as_deref().and_then(|path| Path::new(path).parent());
        match folder.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => text.replace(&format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR), ""),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn names_leave_out_the_folders_that_lead_to_the_input() {
        let names = Names::new(&["/home/me/photos".into(), "/home/me/cat.png".into(), "a/b.png".into()]);
        for (path, expected) in [
            ("/home/me/photos/x/y.png", "x/y.png"),
            ("/home/me/cat.png", "cat.png"),
            ("a/b.png", "b.png"),
            ("found/by/a/pattern.png", "found/by/a/pattern.png"),
            ("../elsewhere/c.png", "c.png"),
            ("/elsewhere/d.png", "d.png"),
        ] {
            assert_eq!(names.of(&RecordName::of_path(Path::new(path))), expected);
        }
        assert_eq!(names.of(&RecordName { id: "7".into(), path: Some("/home/me/photos/x.png".into()) }), "7");
    }

    #[test]
    fn errors_leave_out_the_folder_of_the_image() {
        let name = RecordName::of_path(Path::new("/home/me/photos/x.png"));
        let error = anyhow!("expected JSON").context("reading the prompt /home/me/photos/x.json");
        assert_eq!(Names::error(&name, &error), "reading the prompt x.json: expected JSON");
    }
}
