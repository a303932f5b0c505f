//! Archives and Parquet files with given content.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;
use tar::EntryType;

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

/// A tar file with these files, in the order in which WebDataset's writer would store them.
pub fn tar_of_files(files: &[(&str, &[u8])]) -> Vec<u8> {
    tar(&files.iter().map(|&(name, bytes)| (name, Entry::File(bytes))).collect::<Vec<_>>())
}

pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("a vector takes all");
    gzip.finish().expect("a vector takes all")
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
