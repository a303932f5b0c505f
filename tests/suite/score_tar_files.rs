use std::collections::BTreeSet;
use std::fs;

use tar::EntryType;

use crate::support::archives::Entry::{File, Link};
use crate::support::archives::{gzipped, tar, tar_of_files};
use crate::support::image_folder::{ImageFolder, file_name, pairs, prompts};
use crate::support::program::{json_lines, run, stderr};

#[test]
fn a_name_twice_in_a_tar_file_and_files_that_stand_apart_are_errors() {
    let folder = ImageFolder::new();
    let (cat, fish) = (folder.image("cat.jpg"), folder.image("fish.jpg"));
    let [cat, fish] = [&cat, &fish].map(|bytes| File(bytes.as_slice()));
    let (a_cat, a_fish) = (File(&b"a cat"[..]), File(&b"a fish"[..]));
    let twice = "error: the tar file has the name 0.jpg twice, so that it is unknown which file is meant";

    folder.write("t.tar", tar(&[("0.jpg", cat), ("0.txt", a_cat), ("0.jpg", fish), ("0.txt", a_fish), ("1.jpg", cat)]));
    assert_eq!(prompts(&folder.json(&["t.tar"], 1)), pairs(&[("0.jpg", twice), ("1.jpg", "none")]));
    folder.write("t.tar", tar(&[("0.jpg", cat), ("0.jpg", fish), ("0.txt", a_cat)]));
    assert_eq!(prompts(&folder.json(&["t.tar"], 1)), pairs(&[("0.jpg", twice)]));

    folder.write("t.tar", tar(&[("0.jpg", cat), ("1.jpg", fish), ("0.txt", a_cat), ("1.txt", a_fish)]));
    let found = prompts(&folder.json(&["t.tar"], 1));
    assert_eq!(found[..2], pairs(&[("0.jpg", "none"), ("1.jpg", "none")]));
    assert!(found[2].1.contains("2 prompt files do not follow their images, the first is 0.txt"), "{found:?}");

    folder.write("t.tar", tar(&[("0.txt", a_cat), ("1.txt", a_fish), ("0.jpg", cat), ("1.jpg", fish)]));
    let found = prompts(&folder.json(&["t.tar"], 1));
    assert!(found.len() == 2 && found.iter().all(|(_, prompt)| prompt.contains("in two places")), "{found:?}");
}

#[test]
fn links_in_a_tar_file_are_errors_and_not_passed_over() {
    let folder = ImageFolder::new();
    let cat = folder.image("cat.jpg");
    folder.write(
        "t.tar",
        tar(&[
            ("0.jpg", File(&cat)),
            ("0.txt", File(b"a cat")),
            ("1.jpg", Link(EntryType::Link, "0.jpg")),
            ("1.txt", File(b"a cat")),
            ("2.jpg", File(&cat)),
            ("2.txt", Link(EntryType::Symlink, "0.txt")),
            ("notes", Link(EntryType::Symlink, "0.txt")),
        ]),
    );
    let found = prompts(&folder.json(&["t.tar"], 1));
    assert_eq!((found.len(), &found[0].1), (3, &"a cat".to_owned()));
    assert!(found[1].1.contains("a link to 0.jpg, and links in tar files are not followed"), "{found:?}");
    assert!(found[2].1.contains("reading the prompt: 2.txt: a link to 0.txt"), "{found:?}");
}

#[test]
fn gzipped_tar_files_are_read_and_what_is_none_is_told() {
    let folder = ImageFolder::new();
    let cat = folder.image("cat.jpg");
    let json: &[u8] = b"{\"similarity\": NaN, \"caption\": \"a cat\"}";
    let whole = tar(&[("0.jpg", File(&cat)), ("0.json", File(json)), ("1.jpg", File(&cat)), ("1.avif", File(b"?"))]);
    let packed = gzipped(&whole);
    for name in ["a.tar.gz", "a.tgz", "a.tar"] {
        folder.write(name, &packed);
        let output = run(&mut folder.score(&["--format", "jsonl", name]), 0);
        let rows = json_lines(&output.stdout);
        assert_eq!(prompts(&rows), pairs(&[("0.jpg", "a cat"), ("1.jpg", "none")]), "{name}");
        assert!(
            stderr(&output).contains("1 image was skipped, because the format is not supported: 1 .avif"),
            "{}",
            stderr(&output)
        );
    }
    folder.write("a.tar.gz", &packed[..packed.len() - 40]);
    let rows = folder.json(&["a.tar.gz"], 1);
    assert!(rows.last().expect("a row")["error"].is_string(), "{rows:?}");
    for (bytes, expected) in
        [(&b""[..], "the file is empty"), (b"\x28\xb5\x2f\xfd1234", "the compression is not supported")]
    {
        folder.write("a.tar.zst", bytes);
        let rows = folder.json(&["a.tar.zst"], 1);
        assert!(rows[0]["error"].as_str().expect("an error").contains(expected), "{rows:?}");
    }
}

#[test]
fn a_tar_file_that_is_cut_gives_what_is_whole_and_says_so() {
    let folder = ImageFolder::new();
    let (cat, fish) = (folder.image("cat.jpg"), folder.image("fish.jpg"));
    let whole = tar_of_files(&[("1.jpg", &cat), ("1.txt", b"a cat"), ("2.jpg", &fish), ("2.txt", b"a fish")]);
    let blocks = |bytes: &[u8]| 512 + bytes.len().next_multiple_of(512);
    let second = blocks(&cat) + 512 + 512;
    let marks = second + blocks(&fish) + 1024;
    folder.write("whole.tar", &whole);
    assert_eq!(folder.json(&["whole.tar"], 0).len(), 2);

    for (cut, expected) in [
        (second + 300, vec!["1.jpg"]),
        (second + 512 + 1000, vec!["1.jpg"]),
        (second, vec!["1.jpg"]),
        (marks, vec!["1.jpg", "2.jpg"]),
    ] {
        folder.write("cut.tar", &whole[..cut]);
        // The inputs after the tar file are scored.
        let rows = folder.json(&["cut.tar", "images/rocket.png"], 1);
        let scored = rows.iter().filter(|row| row["error"].is_null()).map(file_name).collect::<Vec<_>>();
        assert_eq!(scored, [expected, vec!["rocket.png"]].concat(), "cut at {cut}");
        let error = rows.iter().find(|row| row["id"] == "cut.tar").expect("a row for the file")["error"].to_string();
        assert!(error.contains("tar file"), "cut at {cut}: {error}");
    }
    // The file ends between an image and its prompt. Without an error, the image would be scored without a prompt.
    folder.write("cut.tar", &whole[..second + blocks(&fish)]);
    let rows = folder.json(&["cut.tar"], 1);
    let errors: BTreeSet<String> = rows.iter().filter(|row| row["error"].is_string()).map(file_name).collect();
    assert_eq!(errors, ["2.jpg", "cut.tar"].map(str::to_owned).into());

    let rows = folder.json(&["absent.tar", "images/cat.jpg"], 1);
    assert!(rows[0]["error"].is_string() && rows[1]["error"].is_null());
    fs::write(folder.file("no.tar"), vec![b'x'; 2000]).expect("writing");
    let rows = folder.json(&["no.tar"], 1);
    assert!(rows.len() == 1 && rows[0]["error"].to_string().contains("tar file"), "{rows:?}");
}
