use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use arrow_array::{ArrayRef, BinaryArray, Float64Array, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields};
use parquet::basic::Compression;
use serde_json::Value;
use tempfile::TempDir;
use tsp_mgs_trainer::data::dataset::{self, DataArgs, Dataset, ImageSource};
use tsp_mgs_trainer::data::decoded::DecodedSet;
use tsp_mgs_trainer::data::image_cache::ImageCache;

use crate::parity;
use crate::support::archives::write_parquet;
use crate::support::data_folder::DataFolder;
use crate::support::fixtures::{fixture, read};
use crate::support::program::trainer;

/// A column of numbers; the other columns of the published table are text.
const NUMBERS: [&str; 4] = ["mos_quality", "std_quality", "mos_align", "std_align"];

/// `files` has a synthetic data set, and `parquet` the same one with its images inside `AGIQA-3K.parquet`.
static SETS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (files, parquet) = (folder.path().join("files"), folder.path().join("parquet"));
    succeed(&["synth", "--images", "24", "--seed", "2", "--out"], &files);
    fs::create_dir(&parquet).expect("a folder");
    fs::copy(files.join("README.txt"), parquet.join("README.txt")).expect("copying");

    let mut csv = csv::Reader::from_path(files.join("data.csv")).expect("a table");
    let header = csv.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = csv.records().map(|row| row.expect("a row")).collect();
    let column = |i: usize| rows.iter().map(|row| &row[i]).collect::<Vec<_>>();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("image", hugging_face(&files_of(&files, &column(0)), &column(0)))];
    for (i, name) in header.iter().enumerate().skip(1) {
        let numbers = || column(i).iter().map(|cell| cell.parse::<f64>().expect("a number")).collect::<Vec<_>>();
        let cells: ArrayRef = if NUMBERS.contains(&name) {
            Arc::new(Float64Array::from(numbers()))
        } else {
            Arc::new(StringArray::from(column(i)))
        };
        columns.push((name, cells));
    }
    write_parquet(&parquet.join("AGIQA-3K.parquet"), columns, Compression::SNAPPY);
    folder
});

fn succeed(arguments: &[&str], out: &Path) -> Output {
    let output = trainer().args(arguments).arg(out).output().expect("the trainer runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The images of a synthetic data set.
fn files_of(set: &Path, names: &[&str]) -> Vec<Vec<u8>> {
    let args = DataArgs { data: set.to_owned(), layout: None, images: None, columns: None, skip_bad: false };
    let found = dataset::open(&args).expect("it reads");
    let of = |name: &&str| found.items.iter().find(|item| item.name == *name).expect("an item");
    names.iter().map(|name| of(name).image.read().expect("a file")).collect()
}

/// Images as Hugging Face writes them.
fn hugging_face(images: &[Vec<u8>], paths: &[&str]) -> ArrayRef {
    let fields = [("bytes", DataType::Binary), ("path", DataType::Utf8)];
    let fields: Fields = fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec().into();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(BinaryArray::from_iter(images.iter().map(Some))), Arc::new(StringArray::from(paths.to_vec()))];
    Arc::new(StructArray::new(fields, columns, None))
}

fn set(name: &str) -> Dataset {
    dataset::open(&args_of(name)).expect("it reads")
}

fn args_of(name: &str) -> DataArgs {
    DataArgs { data: SETS.path().join(name), layout: None, images: None, columns: None, skip_bad: false }
}

#[test]
fn a_data_set_is_the_same_with_its_images_inside() {
    let (files, parquet) = (set("files"), set("parquet"));
    assert_eq!(
        (&files.name, files.is_synthetic, &files.sha256),
        (&parquet.name, parquet.is_synthetic, &parquet.sha256)
    );
    for (file, cell) in files.items.iter().zip(&parquet.items) {
        assert_eq!((&file.name, &file.generator, &file.style), (&cell.name, &cell.generator, &cell.style));
        assert!(matches!(&cell.image, ImageSource::Cell { column, .. } if column == "image"), "{:?}", cell.image);
        assert_eq!(file.image.read().expect("a file"), cell.image.read().expect("a cell"), "{}", cell.image);
    }
    let cache = tempfile::tempdir().expect("a temporary folder");
    let decoded = |name| DecodedSet::open(&args_of(name), &[], cache.path()).expect("images");
    let (files, parquet) = (decoded("files"), decoded("parquet"));
    assert_eq!(files.images_sha256, parquet.images_sha256);
    assert!(files.images.iter().zip(&*parquet.images).all(|(file, cell)| file.entry == cell.entry), "equal images");
}

#[test]
fn an_image_of_an_unchanged_parquet_file_is_not_read_again() {
    let folder = DataFolder::new();
    let grey = read(&fixture("images/grey.jpg"));
    let table = folder.file("set.parquet");
    write_parquet(
        &table,
        vec![("image", Arc::new(BinaryArray::from_iter([Some(&grey), Some(&grey)])) as ArrayRef)],
        Compression::UNCOMPRESSED,
    );
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let touch = || File::options().write(true).open(&table).and_then(|file| file.set_modified(an_hour_ago));
    touch().expect("a time");
    let cells = [1, 2, 3].map(|row| ImageSource::Cell { table: table.clone(), column: "image".into(), row });
    let cache = ImageCache::open(&folder.file("cache")).expect("a folder");
    let filled = cache.fill(&cells).expect("a cache");
    assert!(filled[..2].iter().all(Result::is_ok));
    let error = format!("{:#}", filled[2].as_ref().expect_err("there are two rows"));
    assert!(error.contains("set.parquet: row 3: the Parquet file has no such row"), "{error}");

    fs::write(&table, vec![0; read(&table).len()]).expect("writing");
    touch().expect("a time");
    assert!(cache.fill(&cells[..2]).expect("a cache").iter().all(Result::is_ok), "size and time are the same");
    fs::write(&table, "other bytes").expect("writing");
    let error = format!("{:#}", cache.fill(&cells[..1]).expect("a cache")[0].as_ref().expect_err("no Parquet file"));
    assert!(error.contains("set.parquet: row 1: the rest of the file cannot be read"), "{error}");
}

#[test]
fn columns_name_images_of_each_kind_and_wrong_ones_are_refused() {
    let folder = DataFolder::new();
    let grey = read(&fixture("images/grey.jpg"));
    let text = |texts: [&str; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let blobs = Arc::new(BinaryArray::from_iter([Some(grey.as_slice()), None, Some(b"\xff no image")])) as ArrayRef;
    let scores = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0])) as ArrayRef;
    let columns =
        vec![("jpg", blobs), ("file", text(["a", "b", "c"])), ("caption", text(["x", "y", "z"])), ("mos", scores)];
    write_parquet(&folder.file("set.parquet"), columns, Compression::UNCOMPRESSED);
    let open = |columns: &str| dataset::open(&folder.args_with_columns("set.parquet", columns));
    let names = |columns| open(columns).expect("it reads").items.into_iter().map(|item| item.name).collect::<Vec<_>>();
    assert_eq!(names("image=jpg,prompt=caption,mos=mos"), ["row-1", "row-2", "row-3"]);
    assert_eq!(names("image=jpg,name=file,mos=mos"), ["a", "b", "c"]);

    for (columns, expected) in [
        ("image=png,mos=mos", "expected a column `png`, found jpg, file, caption, mos"),
        ("image=jpg,mos=caption", "expected a number for perception, found \"x\""),
        ("image=file,name=caption,mos=mos", "column `file` has paths, which are the names of the images; omit name="),
        ("image=file,mos=mos", "none of its 3 images is in"),
    ] {
        let error = format!("{:#}", open(columns).expect_err(columns));
        assert!(error.contains(expected), "{columns}: {error}");
    }
    let args = folder.args_with_columns("set.parquet", "image=jpg,mos=mos");
    let with_images = DataArgs { images: Some(folder.path().to_owned()), ..args.clone() };
    let error = format!("{:#}", dataset::open(&with_images).expect_err("the images are inside"));
    assert!(error.contains("column `jpg` holds the images; omit --images"), "{error}");

    let error = DecodedSet::open(&args, &[], &folder.file("cache")).err().expect("two rows have no image");
    let error = format!("{error:#}");
    assert!(error.contains("2 images cannot be decoded"), "{error}");
    assert!(error.contains("set.parquet: row 2: expected an image, found nothing"), "{error}");
    assert!(error.contains("set.parquet: row 3: "), "{error}");
    let decoded =
        DecodedSet::open(&DataArgs { skip_bad: true, ..args }, &[], &folder.file("cache")).expect("one image");
    assert_eq!((decoded.set.items.len(), decoded.undecodable.len()), (1, 2));
}

#[test]
fn training_and_evaluation_are_the_same_with_images_inside() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let run = |arguments: &[&str], name: &str| -> PathBuf {
        let data = SETS.path().join(name);
        let common = ["--device", "cpu", "--data", data.to_str().expect("Unicode"), "--out"];
        let folder = out.path().join(format!("{}-{name}", arguments[0]));
        succeed(&[arguments, &common].concat(), &folder);
        folder
    };
    let train = ["train", "--scratch", "tiny", "--joint", "--batch", "8", "--train-crops", "1", "--crops", "1"];
    let train = [&train[..], &["--epochs", "1", "--seed", "3"]].concat();
    let weights = |name| read(&run(&train, name).join("paper/weights-01.safetensors"));
    assert!(weights("files") == weights("parquet"), "equal pixels give equal weights");

    let evaluated = |name| {
        let folder = run(&["evaluate", "--crops", "1", "--all"], name);
        let page = String::from_utf8(read(&folder.join("report.html"))).expect("a page");
        assert!(
            page.contains("data:image/jpeg;base64,") && !page.contains("class=\"missing\""),
            "thumbnails of {name}"
        );
        let json: Value = serde_json::from_slice(&read(&folder.join("evaluation.json"))).expect("JSON");
        let rows = json[0]["rows"].as_array().expect("rows").iter();
        rows.map(|row| (row["prompt"].to_string(), row["predicted"].to_string())).collect::<Vec<_>>()
    };
    assert_eq!(evaluated("files"), evaluated("parquet"));
}

#[test]
fn a_reproduction_finds_a_data_set_with_images_inside() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let clip = out.path().join("clip.safetensors");
    fs::write(&clip, &parity::shards()[0]).expect("a file");
    let data = SETS.path().join("parquet");
    let job = "agiqa-3k_alignment_clip_split-1";
    let [data, clip] = [&data, &clip].map(|path| path.to_str().expect("Unicode"));
    let arguments = ["reproduce", "table4", "--data", data, "--clip", clip, "--device", "cpu", "--repeats", "1"];
    succeed(&[&arguments[..], &["--only", job, "--out"]].concat(), &out.path().join("runs"));
    assert!(out.path().join("runs/jobs").join(job).join("evaluation.json").is_file());
}
