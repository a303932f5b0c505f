//! Tables of images and of opinion scores.

use std::path::Path;
use std::sync::Arc;

use arbtest::arbitrary::{Result, Unstructured};
use arrow_array::{ArrayRef, BinaryArray, StringArray};
use parquet::basic::Compression as Codec;
use tsp_mgs_trainer::data::dataset::{self, DataArgs, Dataset};
use tsp_mgs_trainer::data::splits;
use tsp_mgs_trainer::score::images::SkippedImages;
use tsp_mgs_trainer::score::input::{InputArgs, count, records};

use super::mutate::{mutate, mutated_zip};
use super::target::Input;
use crate::support::archives::{write_parquet, zip_entries};
use crate::support::data_folder::{DataFolder, parquet_file, workbook};
use crate::support::fixtures::read;

/// Parts of tables.
const WORDS: [&[u8]; 20] = [
    b",",
    b";",
    b"\t",
    b"|",
    b"\"",
    b"\"\"",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff",
    b"image",
    b"NaN",
    b"-inf",
    b"1e999",
    b"data:image/png;base64,",
    b"https://a.b/c",
    b"{\"image\": [[[[[[[[",
    b"PAR1",
];

/// Parts of the XML in a workbook.
const XML_WORDS: [&[u8]; 4] = [b"<row r=\"4294967295\">", b"<c r=\"ZZZZZZ99999999\">", b"</row>", b"&#x0;"];

/// Tables of images in all formats.
pub fn image_tables() -> Vec<Input> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.parquet");
    let texts = |values: &[&str]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let images: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&b"\x89PNG"[..]), None]));
    let mut tables: Vec<Input> = [
        ("csv", "\u{feff}id,image,prompt\na,1.png,\"a \"\"cat\"\", red\"\nb,2.png,\n\"c\",data:image/png;base64,iVBORw0=,x\n"),
        ("csv", "image;prompt\r\n1.png;a cat\r\n2.png;\"a\r\ndog\"\r\n"),
        ("tsv", "image\tprompt\n1.png\ta cat\n2.png\ta dog\n"),
        ("jsonl", "{\"image\": \"1.png\", \"prompt\": \"a cat\", \"similarity\": NaN}\n\n{\"path\": \"2.png\", \"id\": 7}\n"),
    ]
    .map(|(ending, text)| Input { ending, bytes: text.into() })
    .into();
    for codec in [Codec::UNCOMPRESSED, Codec::SNAPPY] {
        let columns = vec![("id", texts(&["a", "b"])), ("image", images.clone()), ("prompt", texts(&["a cat", "x"]))];
        write_parquet(&path, columns, codec);
        tables.push(Input { ending: "parquet", bytes: read(&path) });
    }
    tables
}

/// One of `tables`, changed.
pub fn changed(u: &mut Unstructured, tables: &[Input]) -> Result<Input> {
    let Input { ending, bytes } = u.choose(tables)?;
    if *ending == "xlsx" && u.ratio(7, 8)? {
        let entries = zip_entries(bytes);
        let entry = u.choose(&entries)?;
        return Ok(Input { ending, bytes: mutated_zip(u, bytes, entry, &XML_WORDS)? });
    }
    let mut bytes = bytes.clone();
    mutate(u, &mut bytes, &WORDS)?;
    Ok(Input { ending, bytes })
}

/// Reads all rows. Images are not opened.
pub fn read_images(path: &Path, bytes: &[u8]) {
    let args = InputArgs { from: vec![path.to_owned()], ..InputArgs::default() };
    let _ = count(&args); // `None` if it cannot be known
    let Ok(records) = records(&args, &SkippedImages::default()) else { return };
    let rows = records.count();
    // A row takes at least its line break. Parquet can store repeated rows in a few bytes.
    assert!(path.extension().is_some_and(|ending| ending == "parquet") || rows <= bytes.len() + 1, "{rows} rows");
}

/// Tables of opinion scores: a published layout, one with named columns, a workbook and a Parquet file.
pub fn opinion_tables() -> Vec<Input> {
    let header = "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align";
    let rows = "a_0.jpg,a cat,,,anime style,2.5,0.5,3.25,0.25\nb_1.jpg,\"a, dog\",red,,,1.0,0.1,4.5,0.5\n";
    let scores = [("0.jpg", Some("a cat"), Some(1.5), 3), ("1.jpg", None, None, 4)];
    vec![
        Input { ending: "csv", bytes: format!("{header}\n{rows}").into() },
        Input { ending: "csv", bytes: b"file,caption,score\n0.jpg,a cat,1.5\n1.jpg,,2e0\n".to_vec() },
        Input { ending: "xlsx", bytes: workbook(&[("0.jpg", "a cat", 1.0), ("1.jpg", "a dog", 2.0)]) },
        Input { ending: "parquet", bytes: parquet_file(&scores) },
    ]
}

/// Reads a table of opinion scores, without its images.
pub fn read_opinions(path: &Path, _: &[u8]) {
    for columns in [None, Some("image=file,prompt=caption,mos=score"), Some("image=Image,prompt=Prompt,mos=MOS")] {
        let columns = columns.map(|columns| columns.parse().expect("columns"));
        let args = DataArgs { data: path.to_owned(), layout: None, images: None, columns, skip_bad: true };
        // A wrong table is an error.
        let _ = dataset::open(&args);
    }
}

/// A data set with a list of a split that can be replaced.
pub struct SplitFolder {
    folder: DataFolder,
    args: DataArgs,
    dataset: Dataset,
}

impl SplitFolder {
    pub fn new() -> Self {
        let folder = DataFolder::new();
        folder.images(["0.jpg", "1.jpg"]);
        folder.write("t.csv", LISTS[0]);
        folder.write("1/val.csv", "image,mos\n1.jpg,2\n");
        let args = folder.args_with_columns("t.csv", "image=image,mos=mos");
        let dataset = dataset::open(&args).expect("a data set");
        Self { folder, args, dataset }
    }

    /// Reads the split with this training list.
    pub fn read(&self, list: &[u8]) {
        self.folder.write("1/train.csv", list);
        // A wrong list is an error.
        let _ = splits::read(self.folder.path(), &self.args, &self.dataset);
    }
}

/// Lists with a header and without.
const LISTS: [&str; 2] = ["image,mos\n0.jpg,1.5\n1.jpg,2\n", "0.jpg,1.5\n\"1.jpg\",2\n"];

pub fn lists() -> Vec<Input> {
    LISTS.map(|list| Input { ending: "csv", bytes: list.into() }).into()
}
