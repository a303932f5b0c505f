use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use image::{Rgb, RgbImage};
use tsp_mgs_trainer::data::dataset::ImageSource;
use tsp_mgs_trainer::data::image_cache::{CachedImage, ImageCache, data_set_hash};

use crate::support::fixtures::{fixture, read};

/// A cache in `folder` with these images.
pub fn fill(folder: &Path, paths: &[PathBuf]) -> Vec<Result<CachedImage>> {
    let sources: Vec<ImageSource> = paths.iter().cloned().map(ImageSource::from).collect();
    ImageCache::open(folder).expect("a folder").fill(&sources).expect("a cache")
}

/// The names of complete entries.
fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("text"));
    names.filter(|name| name.ends_with(".tsp-mgs-views-1")).collect()
}

fn write_image(path: &Path, red: u8) {
    RgbImage::from_pixel(520, 530, Rgb([red, 0, 0])).save(path).expect("saved");
}

fn set_modified(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("a time");
}

fn an_hour_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600)
}

#[test]
fn entries_belong_to_contents_and_not_to_names() {
    let (folder, cache) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let [first, second] = ["a.png", "b.png"].map(|name| folder.path().join(name));
    write_image(&first, 10);
    write_image(&second, 10);
    let paths = [first, second];
    let images: Vec<_> = fill(cache.path(), &paths).into_iter().map(|image| image.expect("an image")).collect();
    assert_eq!(images[0].entry, images[1].entry);
    assert_eq!(entries(cache.path()).len(), 1);

    write_image(&paths[1], 20);
    let images: Vec<_> = fill(cache.path(), &paths).into_iter().map(|image| image.expect("an image")).collect();
    assert_ne!(images[0].sha256, images[1].sha256);
    assert_eq!(entries(cache.path()).len(), 2);
    for (image, red) in images.iter().zip([10, 20]) {
        let map = image.map().expect("an entry");
        assert_eq!(map.enlarged().pixels()[..3], [red, 0, 0]);
    }
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_changed_one_is() {
    let (folder, cache) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let paths = [folder.path().join("image.png")];
    write_image(&paths[0], 10);
    let time = an_hour_ago();
    set_modified(&paths[0], time);
    let sha256 = fill(cache.path(), &paths).remove(0).expect("an image").sha256;

    // The file is not an image any more, but has the same size and time. So it is not read.
    let size = read(&paths[0]).len();
    fs::write(&paths[0], vec![0; size]).expect("written");
    set_modified(&paths[0], time);
    assert_eq!(fill(cache.path(), &paths).remove(0).expect("known").sha256, sha256);
    // An incomplete line, as of a killed process, is skipped.
    let index = cache.path().join("index.jsonl");
    fs::write(&index, [read(&index), b"{\"path\":\"".to_vec()].concat()).expect("written");
    assert_eq!(fill(cache.path(), &paths).remove(0).expect("known").sha256, sha256);

    set_modified(&paths[0], time + Duration::from_secs(1));
    assert!(fill(cache.path(), &paths)[0].is_err(), "another time");
    fs::write(&paths[0], vec![0; size + 1]).expect("written");
    set_modified(&paths[0], time);
    assert!(fill(cache.path(), &paths)[0].is_err(), "another size");
}

#[test]
fn a_file_that_may_still_change_is_read_again() {
    let (folder, cache) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let paths = [folder.path().join("image.bmp")];
    // A time in the future, so that the file does not become old during the test.
    let time = SystemTime::now() + Duration::from_secs(3600);
    let hashes = [10, 20].map(|red| {
        write_image(&paths[0], red);
        set_modified(&paths[0], time);
        fill(cache.path(), &paths).remove(0).expect("an image").sha256
    });
    assert_ne!(hashes[0], hashes[1], "same size, same time, other pixels");
}

#[test]
fn a_damaged_entry_is_remade() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["kept_512x512.png", "upscaled_300x200.png"].map(|name| fixture("images").join(name));
    let images: Vec<_> = fill(folder.path(), &paths).into_iter().map(|image| image.expect("an image")).collect();
    let whole = read(&images[1].entry);
    let mut other_version = whole.clone();
    other_version[8] += 1;
    let mut other_size = whole.clone();
    other_size[12] += 1;
    for damaged in [&whole[..whole.len() - 1], &whole[..64], &whole[..10], &[], &other_version, &other_size] {
        fs::write(&images[1].entry, damaged).expect("written");
        assert!(images[1].map().is_err(), "{} bytes", damaged.len());
        let filled = fill(folder.path(), &paths);
        assert!(filled.iter().all(Result::is_ok));
        assert!(read(&images[1].entry) == whole, "remade from {} bytes", damaged.len());
    }
}

#[test]
fn an_image_that_cannot_be_read_is_named_and_the_others_go_on() {
    let (folder, cache) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let broken = folder.path().join("broken.png");
    let bytes = read(&fixture("images/kept_512x512.png"));
    fs::write(&broken, &bytes[..bytes.len() / 2]).expect("written");
    let paths = [fixture("images/wide_1100x520.png"), broken, folder.path().join("missing.png"), folder.path().into()];
    let filled = fill(cache.path(), &paths);
    assert!(filled[0].is_ok());
    for (path, (result, reason)) in paths[1..].iter().zip(filled[1..].iter().zip([
        "not an image that can be decoded",
        "opening the file",
        "not a file",
    ])) {
        let text = format!("{:#}", result.as_ref().expect_err("no image"));
        assert!(text.starts_with(&format!("{}: {reason}", path.display())), "{text}");
    }
    assert_eq!(fs::read_dir(cache.path()).expect("a folder").count(), 2, "one entry and the index");
}

#[test]
fn a_data_sets_hash_follows_from_names_and_contents() {
    // printf '%s  %s\n' 11 a.png 22 b.png | sha256sum
    let expected = "c805dee2e555ec389d198fb34da78e7143eb10b1118558f2a23a5a145a216431";
    assert_eq!(data_set_hash([("a.png", "11"), ("b.png", "22")]), expected);
    assert_eq!(data_set_hash([("b.png", "22"), ("a.png", "11")]), expected);
    assert_ne!(data_set_hash([("b.png", "11"), ("a.png", "22")]), expected);
}
