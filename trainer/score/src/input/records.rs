//! The records of all inputs that the flags name, and their number.

use anyhow::{Context, Result, bail};

use super::args::InputArgs;
use super::images::{EXTENSIONS, SkippedImages};
use super::paths::{count_path, of_path};
use super::record::Records;
use super::tables::{count_table, display, of_tables, tables};

/// Returns the records of all inputs that the flags name: first those of the paths, then those of lists and tables.
///
/// # Errors
/// Returns an error if a list or table cannot be opened, or if there are no records.
pub fn records(args: &InputArgs, skipped: &SkippedImages) -> Result<Records> {
    let seen = skipped.clone();
    let mut records: Records = Box::new(args.paths.clone().into_iter().flat_map(move |path| of_path(&path, &seen)));
    for from in &args.from {
        let opened = of_tables(from, args, skipped).with_context(|| format!("reading {}", display(from)))?;
        records = Box::new(records.chain(opened));
    }
    let mut records = records.peekable();
    if records.peek().is_none() {
        if args.paths.is_empty() {
            let tables: Vec<String> = args.from.iter().map(|from| display(from)).collect();
            bail!("{} has no rows; expected a line or a row for each image", tables.join(", "));
        }
        let inputs: Vec<String> = args.paths.iter().chain(&args.from).map(|path| display(path)).collect();
        let skipped = skipped.note().map(|note| format!(" ({note})")).unwrap_or_default();
        bail!("no image in {}; expected files ending in {}{skipped}", inputs.join(", "), EXTENSIONS.join(", "));
    }
    Ok(Box::new(records))
}

/// Returns the number of records for the progress bar, or `None` if it is unknown without reading images.
pub fn count(args: &InputArgs) -> Option<u64> {
    let mut records = 0;
    for path in &args.paths {
        records += count_path(path)?;
    }
    for from in &args.from {
        for table in tables(from).ok()? {
            records += count_table(&table)?;
        }
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn images_are_counted_without_reading_them() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| temporary.path().join(name);
        let path = |name: &str| file(name).to_string_lossy().into_owned();
        fs::create_dir(file("folder")).expect("a folder");
        for name in ["folder/1.png", "folder/2.jpg", "folder/2.txt", "folder/3.heic"] {
            fs::write(file(name), "").expect("writing");
        }
        let mut tar = tar::Builder::new(Vec::new());
        for name in ["1.png", "1.txt", "2.png", "3.png"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            tar.append_data(&mut header, name, &b"abc"[..]).expect("a vector takes all");
        }
        fs::write(file("a.tar"), tar.into_inner().expect("a vector takes all")).expect("writing");
        fs::write(file("a.csv"), "image\n\"data:image/png;base64,?\"\nx\n").expect("writing");
        fs::write(file("a.jsonl"), "{}\n\n{}\n").expect("writing");
        fs::write(file("list.txt"), format!("{}\n{}\n{}\n", path("folder"), path("a.tar"), path("absent.png")))
            .expect("writing");
        fs::write(file("packed.tgz"), [0x1f, 0x8b, 8]).expect("writing");

        let count_of = |paths: &[&str], from: &[&str]| {
            let all = |names: &[&str]| names.iter().map(|name| file(name)).collect();
            count(&InputArgs { paths: all(paths), from: all(from), ..InputArgs::default() })
        };
        assert_eq!(count_of(&["folder", "a.tar", "folder/*.png", "absent.png"], &[]), Some(2 + 3 + 1 + 1));
        assert_eq!(count_of(&[], &["a.csv", "a.jsonl", "list.txt"]), Some(2 + 2 + 2 + 3 + 1));
        assert_eq!(count_of(&["packed.tgz"], &[]), None, "it would have to be unpacked");
    }
}
