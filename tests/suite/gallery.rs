use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::fixtures::read;
use crate::support::image_folder::ImageFolder;
use crate::support::program::{json_lines, run, stderr};

/// HTML in a prompt.
const HTML: &str = "<script>alert(1)</script> \"quoted\" & more";

/// The sample images, and an image in a folder below them that has the name of another one, and HTML in its prompt.
fn images() -> ImageFolder {
    let folder = ImageFolder::new();
    fs::create_dir(folder.file("images/below")).expect("a folder");
    folder.write("images/below/cat.jpg", folder.image("coffee.jpg"));
    folder.write("images/below/cat.txt", HTML);
    folder
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|file| format!("{name}/{file}")));
        } else {
            found.insert(name);
        }
    }
    found
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_gallery_has_a_page_a_table_and_a_thumbnail_of_each_image() {
    let folder = images();
    let output = run(&mut folder.score(&["images", "--gallery", "site"]), 1);
    assert!(stderr(&output).contains("wrote a gallery of 6 images to site"), "{}", stderr(&output));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(printed.lines().count(), 7, "the results are printed as without a gallery: {printed}");

    let site = folder.file("site");
    let rows = json_lines(&read(&site.join("scores.jsonl")));
    let names: Vec<String> = rows.iter().map(|row| text(row, "id")).collect();
    assert_eq!(names, ["below/cat.jpg", "broken.png", "cat.jpg", "coffee.jpg", "fish.jpg", "rocket.png"]);
    let scored = folder.json(&["images"], 1);
    for (row, scored) in rows.iter().zip(&scored).filter(|(row, _)| row["error"].is_null()) {
        for task in ["perception", "alignment"] {
            let [found, expected] = [row, scored].map(|row| row[task]["score"].as_f64());
            assert_eq!(found.is_some(), expected.is_some());
            assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-4, "{found:?} is not {expected:?}");
        }
        let thumbnail = image::open(site.join(text(row, "path"))).expect("a thumbnail");
        assert!(thumbnail.width().max(thumbnail.height()) <= 512);
    }
    assert!(!text(&rows[1], "error").is_empty());
    assert_eq!(rows[0]["path"], rows[3]["path"], "equal images have one thumbnail");

    let files = files(&site);
    for name in ["index.html", "page.css", "icon.svg", "scores.jsonl", "script/published/define.js"] {
        assert!(files.contains(name), "{name} is missing in {files:?}");
    }
    assert_eq!(files.iter().filter(|name| name.starts_with("thumbnails/")).count(), 4);
    let mut beside = fs::read_dir(folder.file("")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    assert!(beside.all(|name| !name.to_string_lossy().starts_with('.')), "nothing unfinished is left");
}

#[test]
fn the_page_shows_the_best_images_first_without_javascript_and_texts_as_text() {
    let folder = images();
    run(&mut folder.score(&["images", "--gallery", "site"]), 1);
    let page = String::from_utf8(read(&folder.file("site/index.html"))).expect("UTF-8");
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"), "{page}");
    assert!(page.contains("<title>images</title>") && page.contains("Demo weights, trained on synthetic images."));
    assert!(!page.contains(&*folder.file("").to_string_lossy()), "the page names no folder of this machine");

    let mean = |row: &Value| {
        let scores: Vec<f64> =
            ["perception", "alignment"].iter().filter_map(|task| row[task]["score"].as_f64()).collect();
        if scores.is_empty() { f64::NEG_INFINITY } else { scores.iter().sum::<f64>() / scores.len() as f64 }
    };
    let mut rows = json_lines(&read(&folder.file("site/scores.jsonl")));
    rows.sort_by(|one, other| mean(other).total_cmp(&mean(one)));
    let expected: Vec<String> = rows.iter().map(|row| text(row, "id")).collect();
    let captions = page.split("<figcaption>").skip(1).filter_map(|rest| rest.split('<').next());
    // A slash is escaped, too.
    let shown: Vec<String> = captions.map(|caption| caption.replace("&#x2f;", "/")).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_gallery_replaces_a_gallery_when_it_is_told_to_and_nothing_else() {
    let folder = images();
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let said = stderr(&run(&mut folder.score(arguments), code));
        assert!(said.contains(expected), "{said}");
    };
    refused(&["images", "--gallery", "images/site"], 1, "pass a --gallery outside of it");
    refused(&["images", "--gallery", "images/", "--overwrite"], 1, "is both an input and the --gallery");
    let inside = folder.file("images/below/site").display().to_string();
    refused(&["images/bel*", "--gallery", &inside], 1, "pass a --gallery outside of it");
    refused(&["images", "--gallery", "site", "--output", "a.csv", "--resume"], 2, "cannot be used with");
    refused(&["images", "--overwrite"], 2, "required");

    fs::create_dir(folder.file("site")).expect("a folder");
    folder.write("site/diary.txt", "a text");
    refused(&["images", "--gallery", "site", "--overwrite"], 1, "site exists and is no gallery");
    fs::remove_file(folder.file("site/diary.txt")).expect("removing");
    run(&mut folder.score(&["images/cat.jpg", "--gallery", "site"]), 0);
    assert_eq!(json_lines(&read(&folder.file("site/scores.jsonl")))[0]["id"], "cat.jpg");

    refused(&["images", "--gallery", "site"], 1, "pass --overwrite to replace the gallery");
    folder.write("site/thumbnails/diary.txt", "a text");
    refused(&["images", "--gallery", "site", "--overwrite"], 1, "would be lost");
    fs::remove_file(folder.file("site/thumbnails/diary.txt")).expect("removing");
    run(&mut folder.score(&["images/fish.jpg", "--gallery", "site", "--overwrite", "--output", "fish.csv"]), 0);
    assert_eq!(files(&folder.file("site")).iter().filter(|name| name.starts_with("thumbnails/")).count(), 1);
    assert!(folder.file("fish.csv").is_file());
}

#[test]
fn a_run_that_stops_leaves_an_earlier_gallery_as_it_was() {
    let folder = images();
    run(&mut folder.score(&["images/cat.jpg", "--gallery", "site"]), 0);
    let before = read(&folder.file("site/index.html"));
    let stopped = run(&mut folder.score(&["images", "--gallery", "site", "--overwrite", "--max-errors", "0"]), 1);
    assert!(stderr(&stopped).contains("stopped"), "{}", stderr(&stopped));
    assert!(stderr(&stopped).contains("note: the gallery site was not written"), "{}", stderr(&stopped));
    assert_eq!(read(&folder.file("site/index.html")), before);
}

#[test]
fn stored_features_do_not_leave_a_gallery_without_thumbnails() {
    let folder = images();
    let arguments = ["images/cat.jpg", "--features", "features", "--gallery"];
    for site in ["first", "second"] {
        run(&mut folder.score(&[&arguments[..], &[site]].concat()), 0);
    }
    assert_eq!(files(&folder.file("first")), files(&folder.file("second")));
}
