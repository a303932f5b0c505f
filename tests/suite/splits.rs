use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Output;

use serde_json::Value;
use tsp_mgs_trainer::data::dataset::{DataArgs, Dataset, Problems, open};
use tsp_mgs_trainer::data::splits::{Split, draw, read};

use crate::support::data_folder::{DataFolder, parquet_file, workbook};
use crate::support::program::trainer;

fn splits(arguments: &[&str]) -> Output {
    trainer().arg("splits").args(arguments).output().expect("the trainer runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("Unicode")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Ten images of five prompts, in every layout of lists.
fn every_layout() -> Vec<(DataFolder, &'static str, Option<&'static str>, &'static str)> {
    let rows = |row: &dyn Fn(usize) -> String| (0..10).map(row).collect::<String>();
    let tables: [(&str, Option<&str>, &str, Vec<u8>); 6] = [
        ("data.csv", None, AGIQA_3K, {
            let row = |i| format!("m_normal_{i}.jpg,\"prompt, {}\",,,,1.{i},0.5,2,0.5\r\n", i / 2);
            format!("{AGIQA_3K}\r\n{}", rows(&row)).into()
        }),
        ("AIGC_MOS_Zscore.xlsx", None, "Image,Prompt,MOS", {
            let rows: Vec<_> =
                (0..10).map(|i| (format!("m_{i}.jpg"), format!("prompt, {}", i / 2), 0.1 + i as f64 / 7.0)).collect();
            workbook(&rows.iter().map(|row| (row.0.as_str(), row.1.as_str(), row.2)).collect::<Vec<_>>())
        }),
        ("all_set.csv", None, AIGCIQA2023, {
            let row = |i| format!("m{},00{}.png,1.{i},2,3,\"\"\"prompt {}\"\"\"\n", i % 2, i / 2, i / 2);
            format!("{AIGCIQA2023}\n{}", rows(&row)).into()
        }),
        ("info_train.csv", None, "", rows(&|i| format!("m_{i}.png,\"prompt, {}\",1.{i}\n", i / 2)).into()),
        ("mine.csv", Some("image=file,prompt=text,mos=q"), "q,note,text,file", {
            format!("q,note,text,file\n{}", rows(&|i| format!("1.{i},,\"p\n{}\",{i}.png\n", i / 2))).into()
        }),
        ("mine.parquet", Some("image=file,prompt=caption,mos=score"), "file,caption,score", {
            let names: Vec<(String, String)> = (0..10).map(|i| (format!("{i}.png"), format!("p {}", i / 2))).collect();
            let rows: Vec<_> =
                names.iter().map(|(name, prompt)| (name.as_str(), Some(prompt.as_str()), Some(0.1), 1)).collect();
            parquet_file(&rows)
        }),
    ];
    let folder = |(name, columns, header, table): (_, _, _, Vec<u8>)| {
        let folder = DataFolder::new();
        folder.write(name, table);
        (folder, name, columns, header)
    };
    tables.into_iter().map(folder).collect()
}

const AGIQA_3K: &str = "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align";
const AIGCIQA2023: &str = "model,image_name,mosz1,mosz2,mosz3,prompt";

/// Reads the lists, with images that are made for this.
fn read_back(folder: &DataFolder, lists: &str, args: &DataArgs, names: &BTreeSet<String>) -> (Dataset, Vec<Split>) {
    folder.images(names.iter().map(String::as_str));
    let dataset = open(args).expect("it reads");
    let splits = read(&folder.file(lists), args, &dataset).expect("the lists are of this data set");
    (dataset, splits)
}

#[test]
fn lists_that_were_made_pass_the_check_and_read_back_in_every_layout() {
    for (folder, table, columns, header) in every_layout() {
        let args = match columns {
            Some(columns) => folder.args_with_columns(table, columns),
            None => folder.args_of(table),
        };
        let (data, out) = (folder.file(table), folder.file("lists"));
        let (data, out) = (data.to_str().expect("Unicode"), out.to_str().expect("Unicode"));
        let columns: Vec<&str> = columns.iter().flat_map(|columns| ["--columns", columns]).collect();
        let make =
            splits(&[&["make", "--data", data, "--out", out, "--seed", "5", "--count", "3"], &columns[..]].concat());
        assert!(make.status.success(), "{table}: {}", stderr(&make));
        assert_eq!(stdout(&make).lines().count(), 4, "{table}: a line a split, and where they are");

        let check = splits(&[&["check", "--splits", out, "--data", data], &columns[..]].concat());
        assert!(check.status.success(), "{table}: {}", stderr(&check));
        let mut names = BTreeSet::new();
        for part in ["train", "val"] {
            let text = fs::read_to_string(folder.file(&format!("lists/2/{part}.csv"))).expect("a list");
            assert!(text.starts_with(header) && !text.contains('\r'), "{table}: {text}");
            let mut list = csv::ReaderBuilder::new().has_headers(!header.is_empty()).from_reader(text.as_bytes());
            for row in list.records().map(|row| row.expect("a row")) {
                names.insert(match header {
                    AIGCIQA2023 => format!("{}/{}", &row[0], &row[1]),
                    "q,note,text,file" => row[3].to_owned(),
                    _ => row[0].to_owned(),
                });
            }
        }
        assert_eq!(names.len(), 10, "{table}: {names:?}");
        let (dataset, read) = read_back(&folder, "lists", &args, &names);
        assert_eq!(read, draw(&dataset.items, 5, 3).expect("five prompts"), "{table}");
        assert_eq!((read[0].train.len(), read[0].test.len()), (8, 2), "{table}");
    }
}

#[test]
fn rows_in_lists_are_those_of_the_table() {
    let (folder, table, ..) = every_layout().remove(0);
    let out = folder.file("deep/er/lists");
    let make = ["make", "--data", folder.path().to_str().expect("Unicode"), "--out", out.to_str().expect("Unicode")];
    assert!(splits(&make).status.success());
    let published = fs::read_to_string(folder.file(table)).expect("the table").replace("\r\n", "\n");
    for split in 1..=10 {
        let list = |part| fs::read_to_string(out.join(format!("{split}/{part}.csv"))).expect("a list");
        let (train, val) = (list("train"), list("val"));
        let rows: BTreeSet<&str> = train.lines().chain(val.lines()).collect();
        assert_eq!(rows, published.lines().collect(), "split {split}");
        assert_eq!((train.lines().count(), val.lines().count()), (9, 3));
    }
    assert_eq!(fs::read_dir(&out).expect("the folder").count(), 10);
    let left: Vec<_> = fs::read_dir(folder.file("deep/er")).expect("the folder").collect();
    assert_eq!(left.len(), 1, "no drafts: {left:?}");
}

#[test]
fn a_folder_that_exists_is_refused_and_left_alone() {
    let (folder, ..) = every_layout().remove(0);
    folder.write("lists/notes.txt", "mine");
    let out = folder.file("lists");
    let make = ["make", "--data", folder.path().to_str().expect("Unicode"), "--out", out.to_str().expect("Unicode")];
    let output = splits(&make);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("exists already"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(out).expect("the folder").count(), 1);
}

/// Two splits. In the first, one of four test prompts and one image are also in the training part. The second has no leak.
fn leaking() -> DataFolder {
    let folder = DataFolder::new();
    let list = |rows: &[&str]| format!("Image,Prompt,MOS\n{}", rows.concat());
    folder.write(
        "10/train.csv",
        list(&["a.jpg,One cat,1\n", "b.jpg,two,1\n", "b.jpg,two,1\n", "c.jpg,\"three, x\",1\n"]),
    );
    folder.write("10/val.csv", list(&["d.jpg, one  CAT ,1\n", "e.jpg,five,1\n", "f.jpg,six,1\n", "b.jpg,seven,1\n"]));
    folder.write("9/train.csv", list(&["a.jpg,one,1\n"]));
    folder.write("9/val.csv", list(&["b.jpg,two,1\n"]));
    folder.write("notes/train.csv", "no list");
    folder
}

#[test]
fn the_check_counts_prompts_and_images_in_both_parts() {
    let folder = leaking();
    let dir = folder.path().to_str().expect("Unicode");
    let output = splits(&["check", "--splits", dir, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "a leak fails");
    let reports: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let part = |rows: usize, prompts: usize, doubles: &[&str]| serde_json::json!({ "rows": rows, "prompts": prompts, "without_prompt": 0, "double_names": doubles });
    let expected = serde_json::json!([
        { "folder": "9", "train": part(1, 1, &[]), "test": part(1, 1, &[]), "shared_prompts": [], "shared_images": [] },
        {
            "folder": "10", "train": part(4, 3, &["b.jpg"]), "test": part(4, 4, &[]),
            "shared_prompts": ["one  CAT"], "shared_images": ["b.jpg"]
        },
    ]);
    assert_eq!(reports, expected);

    let output = splits(&["check", "--splits", dir]);
    assert_eq!(output.status.code(), Some(1));
    let table = stdout(&output);
    let lines: Vec<Vec<&str>> = table.lines().skip(1).take(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [["9", "1", "1", "1", "1", "0", "0", "0"], ["10", "4", "4", "3", "4", "1", "1", "1"]], "{table}");
    assert!(table.contains("10: 1 of 4 test prompts are in the training part: \"one  CAT\""), "{table}");
    assert!(
        stderr(&output).contains("1 of 2 splits have test prompts or test images in the training part"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn names_that_the_data_set_does_not_have_are_listed_with_their_lines() {
    let (folder, table, ..) = every_layout().remove(0);
    folder.images((0..10).map(|i| format!("m_normal_{i}.jpg")).collect::<Vec<_>>().iter().map(String::as_str));
    let list = |names: &[&str]| {
        let rows = names.iter().map(|name| format!("{name},p,,,,1,0,1,0\n")).collect::<String>();
        format!("{AGIQA_3K}\n{rows}")
    };
    folder.write("lists/1/train.csv", list(&["m_normal_0.jpg", "other.jpg", "m_normal_2.jpg"]));
    folder.write("lists/1/val.csv", list(&["m_normal_3.jpg", "m_normal_3.jpg", "m_normal_4.jpeg"]));
    let args = folder.args_of(table);
    let dataset = open(&args).expect("it reads");
    let error = read(&folder.file("lists"), &args, &dataset).expect_err("names are wrong");
    let problems = error.downcast::<Problems>().expect("about rows").problems;
    let found: BTreeMap<String, usize> =
        problems.iter().map(|problem| (problem.name.clone().expect("a name"), problem.line)).collect();
    assert_eq!(found, BTreeMap::from([("m_normal_4.jpeg".to_owned(), 4), ("other.jpg".to_owned(), 3)]));
    let dir = folder.file("lists");
    let check =
        ["check", "--splits", dir.to_str().expect("Unicode"), "--data", folder.path().to_str().expect("Unicode")];
    let output = splits(&check);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("lists/1/val.csv:4: m_normal_4.jpeg: expected an image of AGIQA-3K"),
        "{}",
        stderr(&output)
    );

    folder.write("lists/1/val.csv", list(&["x.jpg", "y.jpg"]));
    let error = read(&folder.file("lists"), &args, &dataset).expect_err("another data set's").to_string();
    assert!(error.contains("none of its 2 images is in AGIQA-3K (the first is x.jpg)"), "{error}");
}

#[test]
fn names_that_were_left_out_of_the_data_set_are_left_out_of_its_splits() {
    let (folder, table, ..) = every_layout().remove(0);
    let names: Vec<String> = (1..10).map(|i| format!("m_normal_{i}.jpg")).collect();
    folder.images(names.iter().map(String::as_str));
    folder
        .write("lists/0/train.csv", format!("{AGIQA_3K}\nm_normal_0.jpg,p,,,,1,0,1,0\nm_normal_1.jpg,p,,,,1,0,1,0\n"));
    folder.write("lists/0/val.csv", format!("{AGIQA_3K}\nm_normal_2.jpg,p,,,,1,0,1,0\nm_normal_2.jpg,p,,,,1,0,1,0\n"));
    let args = DataArgs { skip_bad: true, ..folder.args_of(table) };
    let dataset = open(&args).expect("nine images are there");
    let splits = read(&folder.file("lists"), &args, &dataset).expect("the lists are of this data set");
    assert_eq!(splits, [Split { folder: "0".to_owned(), train: vec![0], test: vec![1] }]);
}

#[test]
fn wrong_folders_of_lists_say_what_was_expected() {
    let empty = DataFolder::new();
    let dir = empty.path().to_str().expect("Unicode");
    let check = |arguments: &[&str]| splits(&[&["check", "--splits"], arguments].concat());
    let output = check(&[dir]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("expected folders 1, 2, … with train.csv and val.csv"), "{}", stderr(&output));
    empty.write("1/train.csv", "Image,Prompt,MOS\na.jpg,x,1\n");
    let output = check(&[dir]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("reading the table") && stderr(&output).contains("val.csv"),
        "{}",
        stderr(&output)
    );
    assert_eq!(check(&[dir, "--skip-bad"]).status.code(), Some(2), "flags of a data set need --data");
    let make = ["make", "--data", dir, "--out", "x", "--count", "0"];
    assert_eq!(splits(&make).status.code(), Some(2));
}
