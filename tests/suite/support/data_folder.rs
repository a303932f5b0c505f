//! Small tables in the published formats, in temporary folders.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::TempDir;
use tsp_mgs_trainer::data::dataset::DataArgs;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A folder for a data set. It is removed on drop.
pub struct DataFolder(TempDir);

impl DataFolder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(path, bytes).expect("writing");
    }

    /// Makes empty files, since images are not opened here.
    pub fn images<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        names.into_iter().for_each(|name| self.write(name, ""));
    }

    pub fn args(&self) -> DataArgs {
        self.args_of("")
    }

    pub fn args_of(&self, table: &str) -> DataArgs {
        let data = if table.is_empty() { self.path().to_owned() } else { self.file(table) };
        DataArgs { data, layout: None, images: None, columns: None, skip_bad: false }
    }

    pub fn args_with_columns(&self, table: &str, columns: &str) -> DataArgs {
        DataArgs { columns: Some(columns.parse().expect("columns")), ..self.args_of(table) }
    }
}

/// A workbook as by Excel, with texts in the sheet and not in a shared list.
pub fn workbook(rows: &[(&str, &str, f64)]) -> Vec<u8> {
    let text = |cell: &str, text: &str| format!(r#"<c r="{cell}" t="inlineStr"><is><t>{text}</t></is></c>"#);
    let mut sheet = format!(r#"<row r="1">{}{}{}</row>"#, text("A1", "Image"), text("B1", "Prompt"), text("C1", "MOS"));
    for (row, (image, prompt, mos)) in (2..).zip(rows) {
        let (image, prompt) = (text(&format!("A{row}"), image), text(&format!("B{row}"), prompt));
        sheet += &format!(r#"<row r="{row}">{image}{prompt}<c r="C{row}"><v>{mos}</v></c></row>"#);
    }
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let files = [
        (
            "[Content_Types].xml",
            format!(
                r#"<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>"#
            ),
        ),
        (
            "_rels/.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!(r#"<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>"#),
        ),
    ];
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, text) in files {
        zip.start_file(name, options).expect("an entry");
        zip.write_all(text.as_bytes()).expect("writing");
    }
    zip.finish().expect("a whole file").into_inner()
}

/// A Parquet file with every kind of column that is read, a column that cannot be read, and nulls:
/// `file` (text), `caption` (bytes), `score` (double), `votes` (int32) and `image` (a group with bytes).
pub fn parquet_file(rows: &[(&str, Option<&str>, Option<f64>, i32)]) -> Vec<u8> {
    let schema = "message schema { required binary file (UTF8); optional binary caption; optional double score; \
                  required int32 votes; required group image { required binary bytes; } }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    let defined = |is_there: bool| i16::from(is_there);
    let mut column = 0;
    while let Some(mut next) = group.next_column().expect("a column") {
        let bytes = |text: &str| ByteArray::from(text);
        match column {
            0 | 4 => {
                let values: Vec<ByteArray> = rows.iter().map(|row| bytes(row.0)).collect();
                next.typed::<ByteArrayType>().write_batch(&values, None, None)
            }
            1 => {
                let values: Vec<ByteArray> = rows.iter().filter_map(|row| row.1.map(bytes)).collect();
                let levels: Vec<i16> = rows.iter().map(|row| defined(row.1.is_some())).collect();
                next.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)
            }
            2 => {
                let values: Vec<f64> = rows.iter().filter_map(|row| row.2).collect();
                let levels: Vec<i16> = rows.iter().map(|row| defined(row.2.is_some())).collect();
                next.typed::<DoubleType>().write_batch(&values, Some(&levels), None)
            }
            _ => {
                let values: Vec<i32> = rows.iter().map(|row| row.3).collect();
                next.typed::<Int32Type>().write_batch(&values, None, None)
            }
        }
        .expect("writing a column");
        next.close().expect("a whole column");
        column += 1;
    }
    group.close().expect("a whole group");
    writer.into_inner().expect("a whole file")
}
