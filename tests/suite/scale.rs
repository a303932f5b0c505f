use std::fs::{self, File};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::pool::{Pool, file_name, json_lines, run, said};
use crate::support::read;

/// What CSV and Parquet have, in their order.
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
    let pool = Pool::many(20);
    let output = |threads: &str| run(&mut pool.score(&["many", "--format", "jsonl", "--threads", threads]), 1).stdout;
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
    let pool = Pool::new();
    for file in ["out.csv", "out.jsonl", "out.parquet", "out.txt"] {
        let output = run(&mut pool.score(&["images", "--output", file]), 1);
        assert!(said(&output).contains(&format!("wrote 5 rows to {file}")), "{}", said(&output));
        assert!(output.stdout.is_empty());
        assert!(!pool.file(&format!("{file}.parts")).exists(), "the parts are gone");
    }
    let json = json_lines(&read(&pool.file("out.jsonl")));
    assert_eq!(json, pool.json(&["images"], 1), "a file holds what is printed");

    let mut csv = csv::Reader::from_path(pool.file("out.csv")).expect("a file");
    assert_eq!(csv.headers().expect("a header").iter().collect::<Vec<_>>(), COLUMNS);
    let csv: Vec<csv::StringRecord> = csv.records().map(|row| row.expect("a row")).collect();

    let [parquet] = <[RecordBatch; 1]>::try_from(read_parquet(&pool.file("out.parquet"))).expect("one batch");
    assert_eq!(parquet.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), COLUMNS);
    assert_eq!((json.len(), csv.len(), parquet.num_rows()), (5, 5, 5));

    let flat = |row: &Value, name: &str| match (name, &row[name]) {
        ("perception" | "alignment", task) => task["score"].clone(),
        ("notes", Value::Array(notes)) => notes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ").into(),
        // A row with an error says no more in JSON.
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
                // The shortest text that is this number, as in the other formats.
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
    assert!(String::from_utf8_lossy(&read(&pool.file("out.txt"))).starts_with("perception  alignment  image\n"));
}

#[test]
fn an_output_that_is_there_is_not_replaced_without_being_asked() {
    let pool = Pool::new();
    pool.write("out.csv", "mine");
    let output = run(&mut pool.score(&["images", "--output", "out.csv"]), 1);
    assert!(said(&output).contains("out.csv exists; pass --overwrite"), "{}", said(&output));
    assert_eq!(read(&pool.file("out.csv")), b"mine");
    run(&mut pool.score(&["images", "--output", "out.csv", "--overwrite"]), 1);
    assert!(read(&pool.file("out.csv")).starts_with(b"id,path,"));
    for wrong in ["out", "out.xml"] {
        let output = run(&mut pool.score(&["images", "--output", wrong]), 2);
        assert!(
            said(&output).contains("expected a file ending in .csv, .jsonl, .parquet or .txt"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn max_errors_stops_after_one_more() {
    let pool = Pool::new();
    for i in 0..6 {
        pool.write(&format!("images/z{i}.png"), "a text");
    }
    let all = run(&mut pool.score(&["images", "--max-errors", "7"]), 1);
    assert!(said(&all).contains("7 of 11 images could not be scored"), "{}", said(&all));
    assert!(!said(&all).contains("stopped"), "{}", said(&all));
    let none = run(&mut pool.score(&["images", "--max-errors", "0", "--format", "csv"]), 1);
    assert!(said(&none).contains("stopped, as --max-errors says"), "{}", said(&none));
    // The broken image is the first, and is told.
    assert!(String::from_utf8_lossy(&none.stdout).lines().nth(1).is_some_and(|row| row.contains("not an image")));
}

#[test]
fn features_that_are_kept_score_again_without_the_image() {
    let pool = Pool::new();
    let arguments = ["images", "--features", "kept"];
    let plain = pool.json(&["images"], 1);
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
    close(&pool.json(&arguments, 1), &plain);
    let folder = fs::read_dir(pool.file("kept")).expect("a folder").next().expect("one of the model");
    let files = || -> Vec<std::path::PathBuf> {
        let folders = fs::read_dir(folder.as_ref().expect("a folder").path()).expect("a folder");
        let files = folders.flat_map(|entry| fs::read_dir(entry.expect("a folder").path()).expect("a folder"));
        files.map(|entry| entry.expect("a file").path()).collect()
    };
    assert_eq!(files().len(), 4, "one for each image that could be read");

    // The same from the features, with other options and another prompt, as from the images.
    close(&pool.json(&arguments, 1), &plain);
    let other = ["--prompt", "a red boat", "--alpha", "0.5", "--temperature", "none"];
    let from_images = pool.json(&[&["images"], &other[..]].concat(), 1);
    close(&pool.json(&[&arguments, &other[..]].concat(), 1), &from_images);

    // It is the features that are looked at: with another image's, the scores are the other's.
    let row = |rows: &[Value], name: &str| rows.iter().find(|row| file_name(row) == name).expect("a row").clone();
    let contents: Vec<Vec<u8>> = files().iter().map(|file| read(file)).collect();
    files().iter().for_each(|file| fs::write(file, &contents[0]).expect("writing"));
    let same = pool.json(&[&arguments, &other[..]].concat(), 1);
    assert_eq!(row(&same, "cat.jpg")["perception"], row(&same, "fish.jpg")["perception"]);
    assert_ne!(row(&from_images, "cat.jpg")["perception"], row(&from_images, "fish.jpg")["perception"]);

    // What is damaged is made anew.
    files().iter().for_each(|file| fs::write(file, &contents[0][..100]).expect("writing"));
    close(&pool.json(&arguments, 1), &plain);
    assert!(files().iter().all(|file| read(file).len() > 100));
}
