use std::fs;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use serde_json::Value;
use tsp_mgs_core::preprocess::{FLAT, TINY};

use crate::support::fixtures::repository;
use crate::support::program::trainer;

const WARNING: &str = "demo weights, trained on synthetic images";

/// The notes of each image in the folder, without the warning of the built-in weights.
fn notes(folder: &Path, flags: &[&str]) -> Vec<(String, String)> {
    let mut command = trainer();
    command.args(["score", "images", "--device", "cpu", "--crops", "1", "--prompt", "a cat", "--format", "jsonl"]);
    let output = command.args(flags).current_dir(folder).output().expect("the trainer runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    rows.map(|line| {
        let row: Value = serde_json::from_slice(line).expect("a JSON object a line");
        let notes = row["notes"].as_array().expect("a list").iter().map(|note| note.as_str().expect("a text"));
        let notes: Vec<&str> = notes.filter(|note| *note != WARNING).collect();
        assert!(row["perception"]["score"].is_number(), "{row}");
        (row["path"].as_str().expect("a path").to_owned(), notes.join("; "))
    })
    .collect()
}

#[test]
fn an_image_of_one_colour_or_of_few_pixels_is_scored_with_a_note() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("images");
    fs::create_dir(&images).expect("a folder");
    let cat = image::open(repository("www/samples/cat.jpg")).expect("a sample").into_rgb8();
    cat.save(images.join("cat.png")).expect("writing");
    RgbImage::new(300, 400).save(images.join("black.png")).expect("writing");
    // An image of one colour, except for its last pixel.
    let mut nearly = RgbImage::from_pixel(600, 600, Rgb([200, 30, 90]));
    nearly.put_pixel(599, 599, Rgb([0, 0, 0]));
    nearly.save(images.join("nearly.png")).expect("writing");
    image::imageops::thumbnail(&cat, 63, 80).save(images.join("tiny.png")).expect("writing");
    let file = fs::File::create(images.join("red.jpg")).expect("a file");
    let red = RgbImage::from_pixel(600, 520, Rgb([200, 30, 90]));
    JpegEncoder::new_with_quality(file, 20).encode_image(&red).expect("writing");

    let expected = [("black.png", FLAT), ("cat.png", ""), ("nearly.png", ""), ("red.jpg", FLAT), ("tiny.png", TINY)];
    let expected = expected.map(|(name, note)| (format!("images/{name}"), note.to_owned()));
    assert_eq!(notes(folder.path(), &[]), expected);
    // Stored features keep the notes.
    for _ in 0..2 {
        assert_eq!(notes(folder.path(), &["--features", "kept"]), expected);
    }
}

#[test]
fn the_note_stands_in_the_column_notes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    RgbImage::new(8, 8).save(folder.path().join("black.png")).expect("writing");
    let mut command = trainer();
    command.args(["score", "black.png", "--device", "cpu", "--prompt", "a cat", "--format", "csv"]);
    let output = command.current_dir(folder.path()).output().expect("the trainer runs");
    let mut csv = csv::Reader::from_reader(output.stdout.as_slice());
    let column = csv.headers().expect("a header").iter().position(|name| name == "notes").expect("a column notes");
    let row = csv.records().next().expect("a row").expect("a row");
    assert_eq!(row[column], format!("{WARNING}; {FLAT}; {TINY}"));
}
