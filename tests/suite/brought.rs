use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression as Codec};
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use tar::EntryType;

use crate::pool::{Pool, file_name, run, said};
use crate::server::Server;

/// A file's bytes, or the kind and the target of a link.
type Content<'a> = Result<&'a [u8], (EntryType, &'a str)>;

/// A tar file with these entries.
fn tar(entries: &[(&str, Content)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match content {
            Ok(bytes) => {
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, name, *bytes).expect("a vector takes all");
            }
            Err((kind, target)) => {
                header.set_entry_type(*kind);
                header.set_size(0);
                tar.append_link(&mut header, name, target).expect("a vector takes all");
            }
        }
    }
    tar.into_inner().expect("a vector takes all")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("a vector takes all");
    gzip.finish().expect("a vector takes all")
}

fn parquet(path: &Path, columns: Vec<(&str, ArrayRef)>, codec: Codec) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let properties = WriterProperties::builder().set_compression(codec).build();
    let file = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("writing");
    writer.close().expect("writing");
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// The name and the prompt of each row, or its error.
fn prompts(rows: &[Value]) -> Vec<(String, String)> {
    let prompt = |row: &Value| match row["error"].as_str() {
        Some(error) => format!("error: {error}"),
        None => row["prompt"].as_str().unwrap_or("none").to_owned(),
    };
    rows.iter().map(|row| (file_name(row), prompt(row))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, prompt)| ((*name).to_owned(), (*prompt).to_owned())).collect()
}

#[test]
fn a_prompt_stands_beside_an_image_as_text_or_json_in_small_or_capital_letters() {
    let pool = Pool::new();
    fs::create_dir(pool.file("beside")).expect("a folder");
    for name in ["1.JPG", "2.jpg", "3.jpg", "4.jpg", "5.jpg"] {
        pool.write(&format!("beside/{name}"), pool.image("cat.jpg"));
    }
    pool.write("beside/1.TXT", "\u{feff}a cat\r\n");
    pool.write("beside/2.json", "\u{feff}{\"similarity\": NaN, \"caption\": \" a cat \"}");
    pool.write("beside/3.txt", "a cat");
    pool.write("beside/3.json", "{\"caption\": \"a dog\"}");
    pool.write("beside/4.json", "{\"shapes\": []}");
    pool.write("beside/5.json", "{\"caption\"");
    let rows = pool.json(&["beside"], 1);
    let found = prompts(&rows);
    let expected = [("1.JPG", "a cat"), ("2.jpg", "a cat"), ("3.jpg", "a cat"), ("4.jpg", "none")];
    assert_eq!(found[..4], pairs(&expected));
    assert!(found[4].1.contains("beside/5.json: expected JSON"), "{found:?}");
    assert!(rows[..3].iter().all(|row| row["prompt_source"] == "sidecar"), "{rows:?}");
}

#[test]
fn a_name_twice_in_a_tar_file_and_files_that_stand_apart_are_errors() {
    let pool = Pool::new();
    let (cat, fish) = (pool.image("cat.jpg"), pool.image("fish.jpg"));
    let [cat, fish] = [&cat, &fish].map(|bytes| Ok(bytes.as_slice()));
    let (a_cat, a_fish) = (Ok(&b"a cat"[..]), Ok(&b"a fish"[..]));
    let twice = "error: the tar file has the name 0.jpg twice, and which file is meant cannot be known";

    pool.write("t.tar", tar(&[("0.jpg", cat), ("0.txt", a_cat), ("0.jpg", fish), ("0.txt", a_fish), ("1.jpg", cat)]));
    assert_eq!(prompts(&pool.json(&["t.tar"], 1)), pairs(&[("0.jpg", twice), ("1.jpg", "none")]));
    pool.write("t.tar", tar(&[("0.jpg", cat), ("0.jpg", fish), ("0.txt", a_cat)]));
    assert_eq!(prompts(&pool.json(&["t.tar"], 1)), pairs(&[("0.jpg", twice)]));

    pool.write("t.tar", tar(&[("0.jpg", cat), ("1.jpg", fish), ("0.txt", a_cat), ("1.txt", a_fish)]));
    let found = prompts(&pool.json(&["t.tar"], 1));
    assert_eq!(found[..2], pairs(&[("0.jpg", "none"), ("1.jpg", "none")]));
    assert!(found[2].1.contains("2 files with prompts do not follow their images, the first is 0.txt"), "{found:?}");

    pool.write("t.tar", tar(&[("0.txt", a_cat), ("1.txt", a_fish), ("0.jpg", cat), ("1.jpg", fish)]));
    let found = prompts(&pool.json(&["t.tar"], 1));
    assert!(found.len() == 2 && found.iter().all(|(_, prompt)| prompt.contains("in two places")), "{found:?}");
}

#[test]
fn links_in_a_tar_file_are_errors_and_not_passed_over() {
    let pool = Pool::new();
    let cat = pool.image("cat.jpg");
    let link = |kind, target| Err((kind, target));
    pool.write(
        "t.tar",
        tar(&[
            ("0.jpg", Ok(&cat)),
            ("0.txt", Ok(b"a cat")),
            ("1.jpg", link(EntryType::Link, "0.jpg")),
            ("1.txt", Ok(b"a cat")),
            ("2.jpg", Ok(&cat)),
            ("2.txt", link(EntryType::Symlink, "0.txt")),
            ("notes", link(EntryType::Symlink, "0.txt")),
        ]),
    );
    let found = prompts(&pool.json(&["t.tar"], 1));
    assert_eq!((found.len(), &found[0].1), (3, &"a cat".to_owned()));
    assert!(found[1].1.contains("a link to 0.jpg, and links in tar files are not followed"), "{found:?}");
    assert!(found[2].1.contains("reading the prompt: 2.txt: a link to 0.txt"), "{found:?}");
}

#[test]
fn gzipped_tar_files_are_read_and_what_is_none_is_told() {
    let pool = Pool::new();
    let cat = pool.image("cat.jpg");
    let json: &[u8] = b"{\"similarity\": NaN, \"caption\": \"a cat\"}";
    let whole = tar(&[("0.jpg", Ok(&cat)), ("0.json", Ok(json)), ("1.jpg", Ok(&cat)), ("1.avif", Ok(b"?"))]);
    let packed = gzipped(&whole);
    for name in ["a.tar.gz", "a.tgz", "a.tar"] {
        pool.write(name, &packed);
        let output = run(&mut pool.score(&["--format", "jsonl", name]), 0);
        let rows = crate::pool::json_lines(&output.stdout);
        assert_eq!(prompts(&rows), pairs(&[("0.jpg", "a cat"), ("1.jpg", "none")]), "{name}");
        assert!(
            said(&output).contains("1 file was passed over, in formats that are not read: 1 .avif"),
            "{}",
            said(&output)
        );
    }
    pool.write("a.tar.gz", &packed[..packed.len() - 40]);
    let rows = pool.json(&["a.tar.gz"], 1);
    assert!(rows.last().expect("a row")["error"].is_string(), "{rows:?}");
    for (bytes, expected) in [(&b""[..], "the file is empty"), (b"\x28\xb5\x2f\xfd1234", "compressed")] {
        pool.write("a.tar.zst", bytes);
        let rows = pool.json(&["a.tar.zst"], 1);
        assert!(rows[0]["error"].as_str().expect("an error").contains(expected), "{rows:?}");
    }
}

#[test]
fn quotation_marks_that_are_not_closed_cost_their_row_and_are_told() {
    let pool = Pool::new();
    pool.write("images/t.csv", "image,prompt\ncat.jpg,\"a cat\nfish.jpg,a fish\n");
    let rows = pool.json(&["--from", "images/t.csv"], 1);
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &"images/t.csv#1".into()));
    let error = rows[0]["error"].as_str().expect("an error");
    assert!(error.starts_with("from line 2: a quotation mark that is not closed"), "{error}");

    pool.write("images/t.csv", "image,prompt\ncat.jpg,\"a cat\nfish.jpg,\"a fish\"\nrocket.png,\"a \"\"rocket\"\"\"\n");
    let found = prompts(&pool.json(&["--from", "images/t.csv"], 1));
    assert!(found[0].1.contains("a quotation mark that is not closed"), "{found:?}");
    assert_eq!(found[1..], pairs(&[("rocket.png", "a \"rocket\"")]));

    pool.write("images/t.csv", "\"image,prompt\ncat.jpg,a cat\n");
    let output = run(&mut pool.score(&["--from", "images/t.csv"]), 1);
    assert!(said(&output).contains("the header: a quotation mark"), "{}", said(&output));
}

#[test]
fn tables_of_every_make_give_their_prompts() {
    let pool = Pool::new();
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
        pool.write(&format!("images/{name}"), text);
        assert_eq!(prompts(&pool.json(&["--from", &format!("images/{name}")], 0)), expected, "{text}");
    }
    pool.write("list.txt", "\u{feff}images/cat.jpg\r\nimages/fish.jpg\r\n");
    assert_eq!(
        pool.json(&["--from", "list.txt"], 0).iter().map(file_name).collect::<Vec<_>>(),
        ["cat.jpg", "fish.jpg"]
    );

    for codec in [Codec::LZ4, Codec::LZ4_RAW, Codec::BROTLI(BrotliLevel::default())] {
        let columns = vec![
            // What pandas makes of whole numbers with a gap; nobody said that these are the ids.
            ("id", Arc::new(Float64Array::from(vec![Some(1.0), None])) as ArrayRef),
            ("image", texts(&["cat.jpg", "fish.jpg"])),
            ("prompt", texts(&["a cat, red", "a fish"])),
        ];
        parquet(&pool.file("images/t.parquet"), columns, codec);
        assert_eq!(prompts(&pool.json(&["--from", "images/t.parquet"], 0)), expected, "{codec:?}");
        let output = run(&mut pool.score(&["--from", "images/t.parquet", "--columns", "id=id"]), 1);
        assert!(
            said(&output).contains("column `id`: expected text or whole numbers, found Float64"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn a_folder_or_a_pattern_of_tables_is_all_of_its_tables() {
    let pool = Pool::new();
    fs::create_dir_all(pool.file("tables/more")).expect("a folder");
    pool.write("tables/0.csv", "image,prompt\n../images/cat.jpg,a cat\n");
    pool.write("tables/more/1.jsonl", "{\"image\": \"../../images/fish.jpg\", \"prompt\": \"a fish\"}\n");
    parquet(
        &pool.file("tables/more/2.parquet"),
        vec![("image", texts(&["../../images/rocket.png"])), ("prompt", texts(&["a rocket"]))],
        Codec::SNAPPY,
    );
    pool.write("tables/_SUCCESS", "");
    let all = pairs(&[("cat.jpg", "a cat"), ("fish.jpg", "a fish"), ("rocket.png", "a rocket")]);
    assert_eq!(prompts(&pool.json(&["--from", "tables"], 0)), all);
    assert_eq!(prompts(&pool.json(&["--from", "tables/more/*"], 0)), all[1..]);
    // A later table that cannot be read is a row; the rest goes on.
    pool.write("tables/more/1.jsonl", "");
    pool.write("tables/more/1.csv", "a,b\n");
    let rows = prompts(&pool.json(&["--from", "tables"], 1));
    assert!(rows[1].1.contains("reading the table: expected a column `image`"), "{rows:?}");
    assert_eq!((rows.len(), &rows[2]), (3, &all[2]));
    for (from, expected) in [("images", "expected tables ending in csv"), ("no/*.csv", "expected tables ending in csv")]
    {
        let output = run(&mut pool.score(&["--from", from]), 1);
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
}

#[test]
fn what_cannot_be_scored_is_told_in_a_sentence() {
    let pool = Pool::new();
    pool.write("t.csv", "URL,TEXT\nhttps://example.org/0.jpg,a cat\n");
    pool.write("empty.csv", "");
    pool.write("empty.parquet", "");
    pool.write("header.csv", "image,prompt\n");
    pool.write("empty.txt", "\r\n");
    pool.write("empty.png", "");
    fs::create_dir(pool.file("none")).expect("a folder");
    fs::create_dir(pool.file("raw")).expect("a folder");
    pool.write("raw/1.avif", "?");
    pool.write("raw/2.HEIC", "?");
    pool.write("raw/3.heic", "?");
    pool.write("raw/notes.md", "?");
    for (arguments, expected) in [
        (vec!["--from", "t.csv", "--columns", "image=URL,prompt=TEXT"], "images are not fetched from addresses"),
        (vec!["https://example.org/0.jpg"], "images are not fetched from addresses"),
        (vec!["t.csv"], "a table, and no image: pass it as --from t.csv"),
        (vec!["--from", "empty.csv"], "the table is empty"),
        (vec!["--from", "empty.parquet"], "the file is empty, expected a Parquet file"),
        (vec!["--from", "header.csv"], "no row in header.csv"),
        (vec!["--from", "empty.txt"], "no row in empty.txt"),
        (vec!["empty.png"], "the file is empty"),
        (vec!["none"], "no image in none; expected files ending in png"),
        (vec!["raw"], "3 files were passed over, in formats that are not read: 1 .avif, 2 .heic"),
    ] {
        let output = run(&mut pool.score(&arguments), 1);
        let all = said(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(all.contains(expected), "{arguments:?}: {all}");
    }
    pool.write("raw/4.jpg", pool.image("cat.jpg"));
    let output = run(&mut pool.score(&["raw"]), 0);
    assert_eq!(said(&output).matches("passed over").count(), 1, "{}", said(&output));
}

#[test]
fn a_prompt_may_begin_with_a_minus() {
    let pool = Pool::new();
    for prompt in ["-x", "--no cat"] {
        let rows = pool.json(&["images/cat.jpg", "--prompt", prompt], 0);
        assert_eq!(rows[0]["prompt"], prompt);
    }
}

#[cfg(unix)]
#[test]
fn escape_sequences_in_names_do_not_reach_the_terminal() {
    let pool = Pool::new();
    let name = "\u{1b}[31mred\u{1b}[0m.jpg";
    pool.write(name, pool.image("cat.jpg"));
    pool.write("\u{1b}[2J.png", "no image");
    for arguments in [vec![name], vec!["\u{1b}[2J.png"], vec!["--from", "\u{1b}[2J.csv"]] {
        let output = pool.score(&arguments).output().expect("the trainer runs");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).expect("text");
        assert!(!all.contains('\u{1b}') && all.contains("\\u{1b}["), "{all}");
    }
    // For machines, names stay as they are.
    assert_eq!(pool.json(&[name], 0)[0]["id"], name);
}

#[test]
fn a_prompt_in_an_address_has_to_be_utf8() {
    let pool = Pool::new();
    let server = Server::start(&[]);
    let answer = server.score("?prompt=caf%E9", &pool.image("cat.jpg"));
    assert_eq!(answer.status, 400);
    assert!(String::from_utf8_lossy(&answer.body).contains("not percent-encoded UTF-8"), "{answer:?}");
    assert_eq!(server.score("?prompt=caf%C3%A9", &pool.image("cat.jpg")).status, 200);
}
