//! Archives and Parquet files with given content.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;
use tar::EntryType;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// An entry of a tar file.
#[derive(Clone, Copy)]
pub enum Entry<'a> {
    File(&'a [u8]),
    /// A link of this type to this target.
    Link(EntryType, &'a str),
}

/// A tar file with these entries.
pub fn tar(entries: &[(&str, Entry)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match content {
            Entry::File(bytes) => {
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, name, *bytes).expect("a vector takes all");
            }
            Entry::Link(kind, target) => {
                header.set_entry_type(*kind);
                header.set_size(0);
                tar.append_link(&mut header, name, target).expect("a vector takes all");
            }
        }
    }
    tar.into_inner().expect("a vector takes all")
}

/// A tar file with these files, in this order.
pub fn tar_of_files(files: &[(&str, &[u8])]) -> Vec<u8> {
    tar(&files.iter().map(|&(name, bytes)| (name, Entry::File(bytes))).collect::<Vec<_>>())
}

pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("a vector takes all");
    gzip.finish().expect("a vector takes all")
}

/// The names of the entries of a ZIP archive. There are none if the bytes are no archive.
pub fn zip_entries(bytes: &[u8]) -> Vec<String> {
    let zip = ZipArchive::new(Cursor::new(bytes)).ok();
    zip.iter().flat_map(|zip| zip.file_names().map(|name| name.expect("a name").into_owned())).collect()
}

/// A ZIP archive whose entries are changed. The function gets the name and the content of each.
pub fn repacked_zip(bytes: &[u8], mut change: impl FnMut(&str, &mut Vec<u8>)) -> Vec<u8> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).expect("an archive");
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).expect("an entry");
        let (name, mut content) = (entry.name().expect("a name").into_owned(), Vec::new());
        entry.read_to_end(&mut content).expect("an entry");
        change(&name, &mut content);
        out.start_file(name, options).expect("an entry");
        out.write_all(&content).expect("writing");
    }
    out.finish().expect("a whole file").into_inner()
}

/// Writes a Parquet file with these columns, all of which may hold nulls.
pub fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>, codec: Codec) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let properties = WriterProperties::builder().set_compression(codec).build();
    let file = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("writing");
    writer.close().expect("writing");
}
