use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::pool::{Pool, file_name, json_lines, run, said, scores};
use crate::support::read;

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.expect("columns of one length");
    let mut writer = ArrowWriter::try_new(File::create(path).expect("a file"), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("writing");
    writer.close().expect("writing");
}

/// A tar file with these files, as WebDataset's writer makes it.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).expect("a vector takes all");
    }
    tar.into_inner().expect("a vector takes all")
}

#[test]
fn every_kind_of_input_gives_the_scores_of_the_folder() {
    let pool = Pool::new();
    let names = ["broken.png", "cat.jpg", "coffee.jpg", "fish.jpg", "rocket.png"];
    let bytes: Vec<Vec<u8>> = names.map(|name| pool.image(name)).into();
    let prompts: Vec<Option<String>> =
        pool.json(&["images"], 1).iter().map(|row| row["prompt"].as_str().map(str::to_owned)).collect();
    let expected = scores(&pool.json(&["images"], 1), file_name);
    assert_eq!(expected.values().filter(|scores| scores.is_some()).count(), 4);

    let paths: String = names.iter().map(|name| format!("images/{name}\r\n\n")).collect();
    pool.write("list.txt", &paths);
    pool.write("folder.txt", "images\n");

    let csv = |image: &dyn Fn(usize) -> String| {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["key", "text", "file"]).expect("a row");
        for (i, name) in names.iter().enumerate() {
            csv.write_record([name, prompts[i].as_deref().unwrap_or_default(), &image(i)]).expect("a row");
        }
        csv.into_inner().expect("a vector takes all")
    };
    pool.write("images/table.csv", csv(&|i| names[i].to_owned()));
    let url = |i: usize| format!("data:image/png;base64,{}", STANDARD.encode(&bytes[i]));
    pool.write("urls.csv", csv(&url));
    let lines = |i: usize| {
        json!({"key": names[i], "text": prompts[i], "file": format!("images/{}", names[i])}).to_string() + "\n"
    };
    pool.write("table.jsonl", (0..5).map(lines).collect::<String>());

    let key: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
    let text: ArrayRef = Arc::new(StringArray::from(prompts.clone()));
    let paths: ArrayRef = Arc::new(StringArray::from(names.map(|name| format!("images/{name}")).to_vec()));
    let blobs: ArrayRef = Arc::new(BinaryArray::from_iter(bytes.iter().map(Some)));
    let hugging: ArrayRef = {
        // Hugging Face's `Image`, once with bytes and else with a path.
        let has = |i: &usize| *i == 2;
        let blobs = BinaryArray::from_iter((0..5).map(|i| has(&i).then(|| &bytes[i])));
        let paths = StringArray::from_iter((0..5).map(|i| (!has(&i)).then(|| format!("images/{}", names[i]))));
        let fields =
            Fields::from(vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)]);
        Arc::new(StructArray::new(fields, vec![Arc::new(blobs), Arc::new(paths)], None))
    };
    for (file, images) in [("paths.parquet", paths), ("bytes.parquet", blobs), ("hugging.parquet", hugging)] {
        write_parquet(&pool.file(file), vec![("key", key.clone()), ("text", text.clone()), ("file", images)]);
    }

    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let stem = name.split('.').next().expect("a stem");
        files.push((format!("set/{name}"), bytes[i].clone()));
        files.push((format!("set/{stem}.cls"), b"7".to_vec()));
        match &prompts[i] {
            Some(prompt) if i % 2 == 0 => files.push((format!("set/{stem}.txt"), prompt.clone().into_bytes())),
            Some(prompt) => {
                files.push((format!("set/{stem}.json"), json!({"caption": prompt}).to_string().into_bytes()));
            }
            None => {}
        }
    }
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    pool.write("shard.tar", tar(&borrowed));

    let named = ["--columns", "id=key,image=file,prompt=text"];
    let inputs: [(&str, Vec<&str>); 11] = [
        ("a pattern", vec!["images/*.[jp]*g"]),
        ("a list", vec!["--from", "list.txt"]),
        ("a list of a folder", vec!["--from", "folder.txt"]),
        ("CSV", [&["--from", "images/table.csv"], &named[..]].concat()),
        ("CSV with data URLs", [&["--from", "urls.csv"], &named[..]].concat()),
        ("CSV and a folder of images", [&["--from", "images/table.csv", "--images", "images"], &named[..]].concat()),
        ("JSON lines", [&["--from", "table.jsonl"], &named[..]].concat()),
        ("Parquet with paths", [&["--from", "paths.parquet"], &named[..]].concat()),
        ("Parquet with bytes", [&["--from", "bytes.parquet"], &named[..]].concat()),
        ("Parquet as Hugging Face writes it", [&["--from", "hugging.parquet"], &named[..]].concat()),
        ("a tar file", vec!["shard.tar"]),
    ];
    for (kind, arguments) in inputs {
        let rows = pool.json(&arguments, 1);
        assert_eq!(scores(&rows, file_name), expected, "{kind}");
        assert_eq!(rows.len(), 5, "{kind}");
        if arguments.contains(&"--columns") {
            assert_eq!(rows[1]["prompt_source"], "table", "{kind}");
        }
    }
    let row = &pool.json(&["shard.tar"], 1)[1];
    assert_eq!((&row["id"], &row["path"]), (&"shard.tar/set/cat.jpg".into(), &"shard.tar/set/cat.jpg".into()));
    let row = &pool.json(&[&["--from", "bytes.parquet"], &named[..]].concat(), 1)[1];
    assert_eq!((&row["id"], &row["path"]), (&"cat.jpg".into(), &Value::Null));
}

#[test]
fn standard_input_takes_paths_and_json_lines() {
    let pool = Pool::new();
    for text in
        ["images/cat.jpg\nimages/fish.jpg\n", "{\"image\": \"images/cat.jpg\"}\n{\"path\": \"images/fish.jpg\"}"]
    {
        let mut child = pool.score(&["--from", "-", "--format", "jsonl"]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the trainer runs");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let ids: Vec<String> = json_lines(&output.stdout).iter().map(file_name).collect();
        assert_eq!(ids, ["cat.jpg", "fish.jpg"], "{text}");
    }
}

#[test]
fn what_is_wrong_in_a_table_is_a_row_and_the_rest_goes_on() {
    let pool = Pool::new();
    pool.write("t.csv", b"id,image,prompt\na,images/cat.jpg,x\nb,images/cat.jpg\nc,\xff,x\nd,,x\n,images/absent.png,\na,images/fish.jpg,y\n");
    let rows = pool.json(&["--from", "t.csv"], 1);
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["a", "t.csv#2", "t.csv#3", "d", "images/absent.png", "a"], "ids need not differ");
    let errors: Vec<&str> = rows.iter().map(|row| row["error"].as_str().unwrap_or("none")).collect();
    let expected = [
        "none",
        "expected 3 fields, found 2",
        "expected UTF-8, found other bytes in field 2",
        "row 4 of t.csv has no image",
    ];
    assert_eq!(errors[..4], expected);
    assert!(errors[4].contains("opening the file") && errors[5] == "none", "{errors:?}");

    pool.write(
        "t.jsonl",
        "{\"image\": \"images/cat.jpg\"}\n{\"image\": \"images/cat.j\n[]\n{\"image\": 7}\n{\"image\": {}}\n",
    );
    let rows = pool.json(&["--from", "t.jsonl"], 1);
    let errors: Vec<&str> = rows.iter().map(|row| row["error"].as_str().unwrap_or("none")).collect();
    assert!(errors[0] == "none" && errors[1].starts_with("expected a JSON object: EOF"), "{errors:?}");
    assert!(
        errors[2] == "expected a JSON object, found a list" && errors[3].contains("opening the file"),
        "{errors:?}"
    );
    assert_eq!(errors[4..], ["`image`: expected text, found an object"]);
}

#[test]
fn nulls_in_parquet_are_no_ids_no_prompts_and_no_images() {
    let pool = Pool::new();
    let (cat, fish) = (pool.image("cat.jpg"), pool.image("fish.jpg"));
    let images = BinaryArray::from_iter([Some(&cat), None, Some(&fish), Some(&cat)]);
    write_parquet(
        &pool.file("t.parquet"),
        vec![
            ("id", Arc::new(Int64Array::from(vec![Some(7), Some(8), None, Some(7)]))),
            ("image", Arc::new(images)),
            ("prompt", Arc::new(StringArray::from(vec![Some("a cat"), Some("x"), Some("a fish"), None]))),
        ],
    );
    let rows = pool.json(&["--from", "t.parquet"], 1);
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["7", "8", "t.parquet#3", "7"]);
    assert_eq!(rows[1]["error"], "row 2 of t.parquet has no image");
    let is_scored = |task: &str| rows.iter().map(|row| row[task]["score"].is_number()).collect::<Vec<_>>();
    assert_eq!(is_scored("perception"), [true, false, true, true]);
    assert_eq!(is_scored("alignment"), [true, false, true, false]);
}

#[test]
fn tables_without_the_columns_are_refused_with_what_they_have() {
    let pool = Pool::new();
    pool.write("t.csv", "a,b\n1,2\n");
    write_parquet(
        &pool.file("t.parquet"),
        vec![(
            "image",
            Arc::new(StructArray::from(vec![(
                Arc::new(Field::new("x", DataType::Int64, true)),
                Arc::new(Int64Array::from(vec![1])) as ArrayRef,
            )])),
        )],
    );
    pool.write("cut.parquet", &read(&pool.file("t.parquet"))[..100]);
    for (arguments, expected) in [
        (
            vec!["--from", "t.csv"],
            "reading t.csv: expected a column `image` or `path`, or --columns image=NAME, found a, b",
        ),
        (vec!["--from", "t.csv", "--columns", "image=a,prompt=c"], "expected a column `c`, found a, b"),
        (vec!["--from", "t.parquet"], "column `image`: expected paths (text), images (bytes) or Hugging Face's images"),
        (vec!["--from", "cut.parquet"], "reading cut.parquet"),
        (vec!["--from", "absent.csv"], "reading absent.csv"),
    ] {
        let output = run(&mut pool.score(&arguments), 1);
        assert!(said(&output).contains(expected) && output.stdout.is_empty(), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn a_tar_file_that_is_cut_gives_what_is_whole_and_says_so() {
    let pool = Pool::new();
    let (cat, fish) = (pool.image("cat.jpg"), pool.image("fish.jpg"));
    let whole = tar(&[("1.jpg", &cat), ("1.txt", b"a cat"), ("2.jpg", &fish), ("2.txt", b"a fish")]);
    let blocks = |bytes: &[u8]| 512 + bytes.len().next_multiple_of(512);
    let second = blocks(&cat) + 512 + 512;
    let marks = second + blocks(&fish) + 1024;
    pool.write("whole.tar", &whole);
    assert_eq!(pool.json(&["whole.tar"], 0).len(), 2);

    for (cut, expected) in [
        (second + 300, vec!["1.jpg"]),
        (second + 512 + 1000, vec!["1.jpg"]),
        (second, vec!["1.jpg"]),
        (marks, vec!["1.jpg", "2.jpg"]),
    ] {
        pool.write("cut.tar", &whole[..cut]);
        // What follows in the list is scored nevertheless.
        let rows = pool.json(&["cut.tar", "images/rocket.png"], 1);
        let scored = rows.iter().filter(|row| row["error"].is_null()).map(file_name).collect::<Vec<_>>();
        assert_eq!(scored, [expected, vec!["rocket.png"]].concat(), "cut at {cut}");
        let error = rows.iter().find(|row| row["id"] == "cut.tar").expect("a row for the file")["error"].to_string();
        assert!(error.contains("tar file"), "cut at {cut}: {error}");
    }
    // Cut between image and prompt: the image alone would be scored as one without a prompt.
    pool.write("cut.tar", &whole[..second + blocks(&fish)]);
    let rows = pool.json(&["cut.tar"], 1);
    let errors: BTreeSet<String> = rows.iter().filter(|row| row["error"].is_string()).map(file_name).collect();
    assert_eq!(errors, ["2.jpg", "cut.tar"].map(str::to_owned).into());

    let rows = pool.json(&["absent.tar", "images/cat.jpg"], 1);
    assert!(rows[0]["error"].is_string() && rows[1]["error"].is_null());
    fs::write(pool.file("no.tar"), vec![b'x'; 2000]).expect("writing");
    let rows = pool.json(&["no.tar"], 1);
    assert!(rows.len() == 1 && rows[0]["error"].to_string().contains("tar file"), "{rows:?}");
}
