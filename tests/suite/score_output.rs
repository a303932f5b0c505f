use std::fs::{self, File};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::support::fixtures::read;
use crate::support::image_folder::{ImageFolder, file_name};
use crate::support::program::{json_lines, run, stderr};

/// The columns of CSV and Parquet, in their order.
const COLUMNS: [&str; 14] = [
    "id",
    "path",
    "perception",
    "alignment",
    "prompt",
    "prompt_source",
    "prompt_truncated",
    "width",
    "height",
    "crops",
    "device",
    "model",
    "notes",
    "error",
];

fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("a file")).expect("Parquet");
    reader.build().expect("Parquet").map(|batch| batch.expect("rows")).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_rows_in_the_same_order() {
    let folder = ImageFolder::many(20);
    let output = |threads: &str| run(&mut folder.score(&["many", "--format", "jsonl", "--threads", threads]), 1).stdout;
    let one = output("1");
    let rows = json_lines(&one);
    let ids: Vec<String> = rows.iter().map(file_name).collect();
    assert_eq!(ids.len(), 20);
    assert!(ids.is_sorted(), "{ids:?}");
    assert_eq!(rows.iter().filter(|row| row["error"].is_string()).count(), 3);
    assert!(output("5") == one);
}

#[test]
fn every_format_has_the_same_columns_and_values() {
    let folder = ImageFolder::new();
    for file in ["out.csv", "out.jsonl", "out.parquet", "out.txt"] {
        let output = run(&mut folder.score(&["images", "--output", file]), 1);
        assert!(stderr(&output).contains(&format!("wrote 5 rows to {file}")), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
        assert!(!folder.file(&format!("{file}.parts")).exists(), "the parts are gone");
    }
    let json = json_lines(&read(&folder.file("out.jsonl")));
    assert_eq!(json, folder.json(&["images"], 1), "a file holds what is printed");

    let mut csv = csv::Reader::from_path(folder.file("out.csv")).expect("a file");
    assert_eq!(csv.headers().expect("a header").iter().collect::<Vec<_>>(), COLUMNS);
    let csv: Vec<csv::StringRecord> = csv.records().map(|row| row.expect("a row")).collect();

    let [parquet] = <[RecordBatch; 1]>::try_from(read_parquet(&folder.file("out.parquet"))).expect("one batch");
    assert_eq!(parquet.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), COLUMNS);
    assert_eq!((json.len(), csv.len(), parquet.num_rows()), (5, 5, 5));

    let flat = |row: &Value, name: &str| match (name, &row[name]) {
        ("perception" | "alignment", task) => task["score"].clone(),
        ("notes", Value::Array(notes)) => notes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ").into(),
        // In JSON, a row with an error has no other fields.
        (_, value) => value.clone(),
    };
    for (i, row) in json.iter().enumerate() {
        for (column, name) in COLUMNS.into_iter().enumerate() {
            let expected = flat(row, name);
            let cell = parquet.column(column);
            let found: Value = match cell.data_type() {
                _ if cell.is_null(i) => Value::Null,
                DataType::Utf8 => cell.as_string::<i32>().value(i).into(),
                DataType::Int32 => cell.as_primitive::<Int32Type>().value(i).into(),
                DataType::Boolean => cell.as_boolean().value(i).into(),
                // Numbers are written as the shortest text that reads back as the same number, as in the other formats.
                _ => {
                    let text = cell.as_primitive::<Float32Type>().value(i).to_string();
                    json!(text.parse::<f64>().expect("a number"))
                }
            };
            if !(row["error"].is_string() && matches!(name, "crops" | "device" | "model")) {
                assert_eq!(found, expected, "Parquet: {name} of row {i}");
            }
            let text = match &found {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            assert_eq!(&csv[i][column], text, "CSV: {name} of row {i}");
        }
    }
    let errors: Vec<bool> = json.iter().map(|row| row["error"].is_string()).collect();
    assert_eq!(errors, [true, false, false, false, false]);
    assert!(String::from_utf8_lossy(&read(&folder.file("out.txt"))).starts_with("perception  alignment  image\n"));
}

#[test]
fn an_output_that_is_there_is_not_replaced_without_being_asked() {
    let folder = ImageFolder::new();
    folder.write("out.csv", "mine");
    let output = run(&mut folder.score(&["images", "--output", "out.csv"]), 1);
    assert!(stderr(&output).contains("out.csv exists; pass --overwrite"), "{}", stderr(&output));
    assert_eq!(read(&folder.file("out.csv")), b"mine");
    run(&mut folder.score(&["images", "--output", "out.csv", "--overwrite"]), 1);
    assert!(read(&folder.file("out.csv")).starts_with(b"id,path,"));
    for wrong in ["out", "out.xml"] {
        let output = run(&mut folder.score(&["images", "--output", wrong]), 2);
        assert!(
            stderr(&output).contains("expected a file ending in .csv, .jsonl, .parquet or .txt"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn max_errors_stops_after_one_more() {
    let folder = ImageFolder::new();
    for i in 0..6 {
        folder.write(&format!("images/z{i}.png"), "a text");
    }
    let all = run(&mut folder.score(&["images", "--max-errors", "7"]), 1);
    assert!(stderr(&all).contains("7 of 11 images could not be scored"), "{}", stderr(&all));
    assert!(!stderr(&all).contains("stopped"), "{}", stderr(&all));
    let none = run(&mut folder.score(&["images", "--max-errors", "0", "--format", "csv"]), 1);
    assert!(stderr(&none).contains("stopped: more images failed than --max-errors allows"), "{}", stderr(&none));
    // The damaged image is the first one, and it is reported.
    assert!(String::from_utf8_lossy(&none.stdout).lines().nth(1).is_some_and(|row| row.contains("not an image")));
}

#[test]
fn features_that_are_kept_score_again_without_the_image() {
    let folder = ImageFolder::new();
    let arguments = ["images", "--features", "kept"];
    let plain = folder.json(&["images"], 1);
    let close = |found: &[Value], expected: &[Value]| {
        for (found, expected) in found.iter().zip(expected) {
            for (task, part) in [("perception", "score"), ("alignment", "score"), ("alignment", "q_image")] {
                let number = |row: &Value| row[task][part].as_f64().unwrap_or(f64::NAN);
                let is_close = (number(found) - number(expected)).abs() < 1e-5;
                assert!(is_close || expected["error"].is_string(), "{found} and {expected}");
            }
            assert_eq!((&found["width"], &found["height"]), (&expected["width"], &expected["height"]));
            assert_eq!(found["perception"]["patches"][0]["x"], expected["perception"]["patches"][0]["x"]);
        }
    };
    close(&folder.json(&arguments, 1), &plain);
    let kept = fs::read_dir(folder.file("kept")).expect("a folder").next().expect("one of the model");
    let files = || -> Vec<std::path::PathBuf> {
        let folders = fs::read_dir(kept.as_ref().expect("a folder").path()).expect("a folder");
        let files = folders.flat_map(|entry| fs::read_dir(entry.expect("a folder").path()).expect("a folder"));
        files.map(|entry| entry.expect("a file").path()).collect()
    };
    assert_eq!(files().len(), 4, "one for each image that could be read");

    // With other options and another prompt, scores from features equal scores from images.
    close(&folder.json(&arguments, 1), &plain);
    let other = ["--prompt", "a red boat", "--alpha", "0.5", "--temperature", "none"];
    let from_images = folder.json(&[&["images"], &other[..]].concat(), 1);
    close(&folder.json(&[&arguments, &other[..]].concat(), 1), &from_images);

    // The features are used and not the images: with the features of another image, the scores are those of that image.
    let row = |rows: &[Value], name: &str| rows.iter().find(|row| file_name(row) == name).expect("a row").clone();
    let contents: Vec<Vec<u8>> = files().iter().map(|file| read(file)).collect();
    files().iter().for_each(|file| fs::write(file, &contents[0]).expect("writing"));
    let same = folder.json(&[&arguments, &other[..]].concat(), 1);
    assert_eq!(row(&same, "cat.jpg")["perception"], row(&same, "fish.jpg")["perception"]);
    assert_ne!(row(&from_images, "cat.jpg")["perception"], row(&from_images, "fish.jpg")["perception"]);

    // Damaged features are computed again.
    files().iter().for_each(|file| fs::write(file, &contents[0][..100]).expect("writing"));
    close(&folder.json(&arguments, 1), &plain);
    assert!(files().iter().all(|file| read(file).len() > 100));
}
