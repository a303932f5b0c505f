use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use parquet::basic::{BrotliLevel, Compression as Codec};

use crate::support::archives::write_parquet;
use crate::support::fixtures::read;
use crate::support::image_folder::{ImageFolder, file_name, pairs, prompts};
use crate::support::program::{run, stderr};

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn tables_of_every_make_give_their_prompts() {
    let folder = ImageFolder::new();
    let expected = pairs(&[("cat.jpg", "a cat, red"), ("fish.jpg", "a fish")]);
    for (name, text) in [
        ("t.tsv", "image\tprompt\ncat.jpg\ta cat, red\nfish.jpg\ta fish\n"),
        ("t.csv", "image;prompt\r\ncat.jpg;a cat, red\r\nfish.jpg;a fish\r\n"),
        ("t.csv", "\u{feff}\"image\"|\"prompt\"\ncat.jpg|\"a cat, red\"\nfish.jpg|a fish"),
        (
            "t.jsonl",
            "\u{feff}{\"image\": \"cat.jpg\", \"prompt\": \"a cat, red\", \"id\": [1]}\r\n\
             {\"image\": \"fish.jpg\", \"prompt\": \"a fish\", \"punsafe\": NaN}\r\n",
        ),
    ] {
        folder.write(&format!("images/{name}"), text);
        assert_eq!(prompts(&folder.json(&["--from", &format!("images/{name}")], 0)), expected, "{text}");
    }
    folder.write("list.txt", "\u{feff}images/cat.jpg\r\nimages/fish.jpg\r\n");
    assert_eq!(
        folder.json(&["--from", "list.txt"], 0).iter().map(file_name).collect::<Vec<_>>(),
        ["cat.jpg", "fish.jpg"]
    );

    for codec in [Codec::LZ4, Codec::LZ4_RAW, Codec::BROTLI(BrotliLevel::default())] {
        let columns = vec![
            // pandas stores whole numbers with a missing value as floats. `--columns` does not name this column as the ids.
            ("id", Arc::new(Float64Array::from(vec![Some(1.0), None])) as ArrayRef),
            ("image", texts(&["cat.jpg", "fish.jpg"])),
            ("prompt", texts(&["a cat, red", "a fish"])),
        ];
        write_parquet(&folder.file("images/t.parquet"), columns, codec);
        assert_eq!(prompts(&folder.json(&["--from", "images/t.parquet"], 0)), expected, "{codec:?}");
        let output = run(&mut folder.score(&["--from", "images/t.parquet", "--columns", "id=id"]), 1);
        assert!(
            stderr(&output).contains("column `id`: expected text or whole numbers, found Float64"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn quotation_marks_that_are_not_closed_cost_their_row_and_are_told() {
    let folder = ImageFolder::new();
    folder.write("images/t.csv", "image,prompt\ncat.jpg,\"a cat\nfish.jpg,a fish\n");
    let rows = folder.json(&["--from", "images/t.csv"], 1);
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &"images/t.csv#1".into()));
    let error = rows[0]["error"].as_str().expect("an error");
    assert!(error.starts_with("from line 2: a quotation mark that is not closed"), "{error}");

    folder
        .write("images/t.csv", "image,prompt\ncat.jpg,\"a cat\nfish.jpg,\"a fish\"\nrocket.png,\"a \"\"rocket\"\"\"\n");
    let found = prompts(&folder.json(&["--from", "images/t.csv"], 1));
    assert!(found[0].1.contains("a quotation mark that is not closed"), "{found:?}");
    assert_eq!(found[1..], pairs(&[("rocket.png", "a \"rocket\"")]));

    folder.write("images/t.csv", "\"image,prompt\ncat.jpg,a cat\n");
    let output = run(&mut folder.score(&["--from", "images/t.csv"]), 1);
    assert!(stderr(&output).contains("the header: a quotation mark"), "{}", stderr(&output));
}

#[test]
fn a_folder_or_a_pattern_of_tables_is_all_of_its_tables() {
    let folder = ImageFolder::new();
    fs::create_dir_all(folder.file("tables/more")).expect("a folder");
    folder.write("tables/0.csv", "image,prompt\n../images/cat.jpg,a cat\n");
    folder.write("tables/more/1.jsonl", "{\"image\": \"../../images/fish.jpg\", \"prompt\": \"a fish\"}\n");
    write_parquet(
        &folder.file("tables/more/2.parquet"),
        vec![("image", texts(&["../../images/rocket.png"])), ("prompt", texts(&["a rocket"]))],
        Codec::SNAPPY,
    );
    folder.write("tables/_SUCCESS", "");
    let all = pairs(&[("cat.jpg", "a cat"), ("fish.jpg", "a fish"), ("rocket.png", "a rocket")]);
    assert_eq!(prompts(&folder.json(&["--from", "tables"], 0)), all);
    assert_eq!(prompts(&folder.json(&["--from", "tables/more/*"], 0)), all[1..]);
    // A later table that cannot be read becomes a row with an error, and the other tables are scored.
    folder.write("tables/more/1.jsonl", "");
    folder.write("tables/more/1.csv", "a,b\n");
    let rows = prompts(&folder.json(&["--from", "tables"], 1));
    assert!(rows[1].1.contains("reading the table: expected a column `image`"), "{rows:?}");
    assert_eq!((rows.len(), &rows[2]), (3, &all[2]));
    for (from, expected) in [("images", "expected files ending in csv"), ("no/*.csv", "expected files ending in csv")] {
        let output = run(&mut folder.score(&["--from", from]), 1);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn what_is_wrong_in_a_table_is_a_row_and_the_rest_goes_on() {
    let folder = ImageFolder::new();
    folder.write("t.csv", b"id,image,prompt\na,images/cat.jpg,x\nb,images/cat.jpg\nc,\xff,x\nd,,x\n,images/absent.png,\na,images/fish.jpg,y\n");
    let rows = folder.json(&["--from", "t.csv"], 1);
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

    folder.write(
        "t.jsonl",
        "{\"image\": \"images/cat.jpg\"}\n{\"image\": \"images/cat.j\n[]\n{\"image\": 7}\n{\"image\": {}}\n",
    );
    let rows = folder.json(&["--from", "t.jsonl"], 1);
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
    let folder = ImageFolder::new();
    let (cat, fish) = (folder.image("cat.jpg"), folder.image("fish.jpg"));
    let images = BinaryArray::from_iter([Some(&cat), None, Some(&fish), Some(&cat)]);
    write_parquet(
        &folder.file("t.parquet"),
        vec![
            ("id", Arc::new(Int64Array::from(vec![Some(7), Some(8), None, Some(7)]))),
            ("image", Arc::new(images)),
            ("prompt", Arc::new(StringArray::from(vec![Some("a cat"), Some("x"), Some("a fish"), None]))),
        ],
        Codec::UNCOMPRESSED,
    );
    let rows = folder.json(&["--from", "t.parquet"], 1);
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["7", "8", "t.parquet#3", "7"]);
    assert_eq!(rows[1]["error"], "row 2 of t.parquet has no image");
    let is_scored = |task: &str| rows.iter().map(|row| row[task]["score"].is_number()).collect::<Vec<_>>();
    assert_eq!(is_scored("perception"), [true, false, true, true]);
    assert_eq!(is_scored("alignment"), [true, false, true, false]);
}

#[test]
fn tables_without_the_columns_are_refused_with_what_they_have() {
    let folder = ImageFolder::new();
    folder.write("t.csv", "a,b\n1,2\n");
    write_parquet(
        &folder.file("t.parquet"),
        vec![(
            "image",
            Arc::new(StructArray::from(vec![(
                Arc::new(Field::new("x", DataType::Int64, true)),
                Arc::new(Int64Array::from(vec![1])) as ArrayRef,
            )])),
        )],
        Codec::UNCOMPRESSED,
    );
    folder.write("cut.parquet", &read(&folder.file("t.parquet"))[..100]);
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
        let output = run(&mut folder.score(&arguments), 1);
        assert!(stderr(&output).contains(expected) && output.stdout.is_empty(), "{arguments:?}: {}", stderr(&output));
    }
}
