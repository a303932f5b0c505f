use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parquet::basic::Compression as Codec;
use serde_json::{Value, json};

use crate::support::archives::{tar_of_files, write_parquet};
use crate::support::image_folder::{ImageFolder, file_name, pairs, prompts, scores};
use crate::support::program::{json_lines, run, stderr};

#[test]
fn every_kind_of_input_gives_the_scores_of_the_folder() {
    let folder = ImageFolder::new();
    let names = ["broken.png", "cat.jpg", "coffee.jpg", "fish.jpg", "rocket.png"];
    let bytes: Vec<Vec<u8>> = names.map(|name| folder.image(name)).into();
    let prompts: Vec<Option<String>> =
        folder.json(&["images"], 1).iter().map(|row| row["prompt"].as_str().map(str::to_owned)).collect();
    let expected = scores(&folder.json(&["images"], 1), file_name);
    assert_eq!(expected.values().filter(|scores| scores.is_some()).count(), 4);

    let paths: String = names.iter().map(|name| format!("images/{name}\r\n\n")).collect();
    folder.write("list.txt", &paths);
    folder.write("folder.txt", "images\n");

    let csv = |image: &dyn Fn(usize) -> String| {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["key", "text", "file"]).expect("a row");
        for (i, name) in names.iter().enumerate() {
            csv.write_record([name, prompts[i].as_deref().unwrap_or_default(), &image(i)]).expect("a row");
        }
        csv.into_inner().expect("a vector takes all")
    };
    folder.write("images/table.csv", csv(&|i| names[i].to_owned()));
    let url = |i: usize| format!("data:image/png;base64,{}", STANDARD.encode(&bytes[i]));
    folder.write("urls.csv", csv(&url));
    let lines = |i: usize| {
        json!({"key": names[i], "text": prompts[i], "file": format!("images/{}", names[i])}).to_string() + "\n"
    };
    folder.write("table.jsonl", (0..5).map(lines).collect::<String>());

    let key: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
    let text: ArrayRef = Arc::new(StringArray::from(prompts.clone()));
    let paths: ArrayRef = Arc::new(StringArray::from(names.map(|name| format!("images/{name}")).to_vec()));
    let blobs: ArrayRef = Arc::new(BinaryArray::from_iter(bytes.iter().map(Some)));
    let hugging: ArrayRef = {
        // Hugging Face's `Image`: one row has bytes, the others have paths.
        let has = |i: &usize| *i == 2;
        let blobs = BinaryArray::from_iter((0..5).map(|i| has(&i).then(|| &bytes[i])));
        let paths = StringArray::from_iter((0..5).map(|i| (!has(&i)).then(|| format!("images/{}", names[i]))));
        let fields =
            Fields::from(vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)]);
        Arc::new(StructArray::new(fields, vec![Arc::new(blobs), Arc::new(paths)], None))
    };
    for (file, images) in [("paths.parquet", paths), ("bytes.parquet", blobs), ("hugging.parquet", hugging)] {
        write_parquet(
            &folder.file(file),
            vec![("key", key.clone()), ("text", text.clone()), ("file", images)],
            Codec::UNCOMPRESSED,
        );
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
    folder.write("shard.tar", tar_of_files(&borrowed));

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
        let rows = folder.json(&arguments, 1);
        assert_eq!(scores(&rows, file_name), expected, "{kind}");
        assert_eq!(rows.len(), 5, "{kind}");
        if arguments.contains(&"--columns") {
            assert_eq!(rows[1]["prompt_source"], "table", "{kind}");
        }
    }
    let row = &folder.json(&["shard.tar"], 1)[1];
    assert_eq!((&row["id"], &row["path"]), (&"shard.tar/set/cat.jpg".into(), &"shard.tar/set/cat.jpg".into()));
    let row = &folder.json(&[&["--from", "bytes.parquet"], &named[..]].concat(), 1)[1];
    assert_eq!((&row["id"], &row["path"]), (&"cat.jpg".into(), &Value::Null));
}

#[test]
fn standard_input_takes_paths_and_json_lines() {
    let folder = ImageFolder::new();
    for text in
        ["images/cat.jpg\nimages/fish.jpg\n", "{\"image\": \"images/cat.jpg\"}\n{\"path\": \"images/fish.jpg\"}"]
    {
        let mut child = folder.score(&["--from", "-", "--format", "jsonl"]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the trainer runs");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let ids: Vec<String> = json_lines(&output.stdout).iter().map(file_name).collect();
        assert_eq!(ids, ["cat.jpg", "fish.jpg"], "{text}");
    }
}

#[test]
fn a_prompt_stands_beside_an_image_as_text_or_json_in_small_or_capital_letters() {
    let folder = ImageFolder::new();
    fs::create_dir(folder.file("beside")).expect("a folder");
    for name in ["1.JPG", "2.jpg", "3.jpg", "4.jpg", "5.jpg"] {
        folder.write(&format!("beside/{name}"), folder.image("cat.jpg"));
    }
    folder.write("beside/1.TXT", "\u{feff}a cat\r\n");
    folder.write("beside/2.json", "\u{feff}{\"similarity\": NaN, \"caption\": \" a cat \"}");
    folder.write("beside/3.txt", "a cat");
    folder.write("beside/3.json", "{\"caption\": \"a dog\"}");
    folder.write("beside/4.json", "{\"shapes\": []}");
    folder.write("beside/5.json", "{\"caption\"");
    let rows = folder.json(&["beside"], 1);
    let found = prompts(&rows);
    let expected = [("1.JPG", "a cat"), ("2.jpg", "a cat"), ("3.jpg", "a cat"), ("4.jpg", "none")];
    assert_eq!(found[..4], pairs(&expected));
    assert!(found[4].1.contains("beside/5.json: expected JSON"), "{found:?}");
    assert!(rows[..3].iter().all(|row| row["prompt_source"] == "sidecar"), "{rows:?}");
}

#[test]
fn a_prompt_may_begin_with_a_minus() {
    let folder = ImageFolder::new();
    for prompt in ["-x", "--no cat"] {
        let rows = folder.json(&["images/cat.jpg", "--prompt", prompt], 0);
        assert_eq!(rows[0]["prompt"], prompt);
    }
}

#[test]
fn what_cannot_be_scored_is_told_in_a_sentence() {
    let folder = ImageFolder::new();
    folder.write("t.csv", "URL,TEXT\nhttps://example.org/0.jpg,a cat\n");
    folder.write("empty.csv", "");
    folder.write("empty.parquet", "");
    folder.write("header.csv", "image,prompt\n");
    folder.write("empty.txt", "\r\n");
    folder.write("empty.png", "");
    fs::create_dir(folder.file("none")).expect("a folder");
    fs::create_dir(folder.file("raw")).expect("a folder");
    folder.write("raw/1.avif", "?");
    folder.write("raw/2.HEIC", "?");
    folder.write("raw/3.heic", "?");
    folder.write("raw/notes.md", "?");
    for (arguments, expected) in [
        (vec!["--from", "t.csv", "--columns", "image=URL,prompt=TEXT"], "images are not downloaded"),
        (vec!["https://example.org/0.jpg"], "images are not downloaded"),
        (vec!["t.csv"], "this is a table; pass it as --from t.csv"),
        (vec!["--from", "empty.csv"], "the table is empty"),
        (vec!["--from", "empty.parquet"], "the file is empty, expected a Parquet file"),
        (vec!["--from", "header.csv"], "header.csv has no rows"),
        (vec!["--from", "empty.txt"], "empty.txt has no rows"),
        (vec!["empty.png"], "the file is empty"),
        (vec!["none"], "no image in none; expected files ending in png"),
        (vec!["raw"], "3 images were skipped, because the format is not supported: 1 .avif, 2 .heic"),
    ] {
        let output = run(&mut folder.score(&arguments), 1);
        let all = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(all.contains(expected), "{arguments:?}: {all}");
    }
    folder.write("raw/4.jpg", folder.image("cat.jpg"));
    let output = run(&mut folder.score(&["raw"]), 0);
    assert_eq!(stderr(&output).matches("skipped").count(), 1, "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn escape_sequences_in_names_do_not_reach_the_terminal() {
    let folder = ImageFolder::new();
    let name = "\u{1b}[31mred\u{1b}[0m.jpg";
    folder.write(name, folder.image("cat.jpg"));
    folder.write("\u{1b}[2J.png", "no image");
    for arguments in [vec![name], vec!["\u{1b}[2J.png"], vec!["--from", "\u{1b}[2J.csv"]] {
        let output = folder.score(&arguments).output().expect("the trainer runs");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).expect("text");
        assert!(!all.contains('\u{1b}') && all.contains("\\u{1b}["), "{all}");
    }
    // Names in output for machines are not changed.
    assert_eq!(folder.json(&[name], 0)[0]["id"], name);
}
