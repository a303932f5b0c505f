//! Tar files and Arrow streams.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arbtest::arbitrary::{Result, Unstructured};
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use tsp_mgs_trainer::score::images::SkippedImages;
use tsp_mgs_trainer::score::input::table::Table;
use tsp_mgs_trainer::score::input::{InputArgs, InputColumns, cells, count, records};
use tsp_mgs_trainer::score::stream::next_batch;

use super::mutate::mutate;
use super::target::Input;
use crate::support::archives::Entry::{File, Link};
use crate::support::archives::{gzipped, tar};

/// A tar file is made of blocks of this size.
const BLOCK: usize = 512;
/// Where the checksum is in the header of a tar file's entry.
const SUM: std::ops::Range<usize> = 148..156;
/// Parts of headers.
const TAR_WORDS: [&[u8]; 10] = [
    b"ustar\x0000",
    b"ustar  \0",
    b"././@LongLink",
    b"30 path=a/b.jpg\n",
    b"99999999999 size=1\n",
    b"00000000000\0",
    b"77777777777\0",
    b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    b".json",
    b"../",
];

/// A tar file with images, prompts and links.
pub fn tar_file() -> Vec<u8> {
    let long = format!("{}/2.jpg", "a".repeat(120));
    tar(&[
        ("0.jpg", File(b"\xff\xd8\xff")),
        ("0.txt", File("a café".as_bytes())),
        ("1.png", File(&[7; 600])),
        ("1.json", File(br#"{"caption": "a cat", "similarity": NaN}"#)),
        (&long, File(b"?")),
        ("3.jpg", Link(tar::EntryType::Symlink, "0.jpg")),
        ("notes", File(b"?")),
    ])
}

/// A changed tar file, gzipped or not. Most headers have right checksums.
pub fn changed_tar(u: &mut Unstructured, tar: &[u8]) -> Result<Input> {
    let mut bytes = tar.to_vec();
    mutate(u, &mut bytes, &TAR_WORDS)?;
    if u.ratio(7, 8)? {
        for block in bytes.chunks_exact_mut(BLOCK).filter(|block| block[257..].starts_with(b"ustar")) {
            block[SUM].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    if u.ratio(1, 8)? {
        bytes = gzipped(&bytes);
        if u.arbitrary()? {
            mutate(u, &mut bytes, &[])?;
        }
    }
    Ok(Input { ending: "tar", bytes })
}

/// Reads all images of a tar file, which are not decoded.
pub fn read_tar(path: &Path, bytes: &[u8]) {
    let args = InputArgs { paths: vec![path.to_owned()], ..InputArgs::default() };
    let _ = count(&args); // `None` if it cannot be known
    let Ok(records) = records(&args, &SkippedImages::default()) else { return };
    let images = records.count();
    assert!(bytes.starts_with(b"\x1f\x8b") || images <= bytes.len() / BLOCK + 1, "{images} images");
}

/// Streams of one batch, plain and compressed.
pub fn arrow_streams() -> Vec<Vec<u8>> {
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
        ("image", Arc::new(BinaryArray::from(vec![Some(&[7; 100][..]), None, Some(b"x")]))),
        ("prompt", Arc::new(StringArray::from(vec![Some("a cat"), Some(""), None]))),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    [None, Some(CompressionType::ZSTD)]
        .map(|compression| {
            let options = IpcWriteOptions::default().try_with_compression(compression).expect("it is built in");
            let mut writer =
                StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).expect("a writer");
            writer.write(&batch).expect("writing");
            writer.into_inner().expect("writing")
        })
        .into()
}

/// One of `streams`, changed.
pub fn changed_stream(u: &mut Unstructured, streams: &[Vec<u8>]) -> Result<Input> {
    let mut bytes = u.choose(streams)?.clone();
    mutate(u, &mut bytes, &[b"\xff\xff\xff\xff\x10\0\0\0", b"image", b"id"])?;
    Ok(Input { ending: "arrows", bytes })
}

/// Reads all rows of a stream, as `trainer score --stream` does.
pub fn read_stream(_: &Path, bytes: &[u8]) {
    let Ok(mut reader) = StreamReader::try_new(Cursor::new(bytes.to_vec()), None) else { return };
    let Ok(columns) = cells::columns(&reader.schema(), &InputColumns::default()) else { return };
    let table = Table::new("stdin".as_ref(), None);
    while let Some(Ok(batch)) = next_batch(&mut reader) {
        for row in 0..batch.num_rows() {
            let _ = cells::record(&batch, &table, &columns, row, 1);
        }
    }
}
