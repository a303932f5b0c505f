//! Inputs that once made a parser panic or take too much memory.

use std::fs;
use std::io::{Cursor, Write};

use arrow_ipc::reader::StreamReader;
use tsp_mgs_core::Error;
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::preprocess::decode;
use tsp_mgs_trainer::data::dataset;
use tsp_mgs_trainer::score::model::{Model, ModelArgs};
use tsp_mgs_trainer::score::stream::next_batch;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::containers::{gif, webp};
use super::streams::arrow_streams;
use crate::support::archives::repacked_zip;
use crate::support::data_folder::{DataFolder, workbook};
use crate::support::image_bytes::{Scans, jpeg};

/// The longest text with a prompt that is read.
const TEXT_LIMIT: usize = 8 << 20;

#[test]
fn a_second_frame_of_another_size_is_refused() {
    let mut file = jpeg(16, 16, (1, 1), Scans::Apart);
    let position = |file: &[u8], marker: u8| {
        file.windows(3).rposition(|bytes| bytes == [0xff, marker, 0]).expect("the file has this segment")
    };
    let frame = position(&file, 0xc0);
    let mut second = file[frame..frame + 19].to_vec();
    second[5..9].copy_from_slice(&[0, 200, 0, 200]);
    let last_scan = position(&file, 0xda);
    file.splice(last_scan..last_scan, second);
    assert!(matches!(decode(&file), Err(Error::Scans)), "it has planes of two sizes");
}

#[test]
fn long_comments_and_packets_are_not_read() {
    let text = |length: usize| {
        let mut text = b"<dc:description>a cat Job ID: 1\nSteps: 1".to_vec();
        text.resize(length - 17, b' ');
        [&text[..], b"</dc:description>"].concat()
    };
    for (length, is_read) in [(TEXT_LIMIT, true), (TEXT_LIMIT + 1, false)] {
        assert_eq!(embedded_prompt(&gif(b"", &text(length))).is_some(), is_read, "a comment of {length} bytes");
        assert_eq!(embedded_prompt(&gif(&text(length), b"")).is_some(), is_read, "a packet of {length} bytes");
        assert_eq!(embedded_prompt(&webp(b"", &text(length))).is_some(), is_read, "a packet of {length} bytes");
    }
}

#[test]
fn a_tensor_that_repeats_one_element_billions_of_times_is_refused() {
    // {"w": torch.zeros(1).expand(1 << 31)}
    let pickle: [&[u8]; 10] = [
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(",
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ",
        b"K\0",                           // offset
        b"\x8a\x05\0\0\0\x80\0\x85",      // shape
        b"K\0\x85",                       // stride
        b"\x89",                          // requires_grad
        b"ccollections\nOrderedDict\n)R", // hooks
        b"t",
        b"R",
        b"s.",
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("a/data.pkl", pickle.concat()), ("a/data/0", vec![0; 4]), ("a/version", b"3\n".to_vec())] {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(&content).expect("writing");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("w.pt");
    fs::write(&path, zip.finish().expect("a whole file").into_inner()).expect("writing");
    let opened = Model::open(&ModelArgs { clip: Some(path), ..ModelArgs::default() });
    let error = format!("{:#}", opened.err().expect("a tensor of 8 GiB"));
    assert!(error.contains("times the size of the file"), "{error}");
}

#[test]
fn a_workbook_with_a_cell_far_away_is_refused() {
    let folder = DataFolder::new();
    let whole = workbook(&[("0.jpg", "a cat", 1.0)]);
    for (cell, expected) in [("XFD1048576", "the sheet has 16384 columns"), ("A1048576", "expected a number")] {
        let bytes = repacked_zip(&whole, |_, content| {
            let text = String::from_utf8_lossy(content).replace("r=\"A2\"", &format!("r=\"{cell}\""));
            *content = text.into_bytes();
        });
        folder.write("t.xlsx", bytes);
        let opened = dataset::open(&folder.args_with_columns("t.xlsx", "image=Image,mos=MOS"));
        let error = format!("{:#}", opened.expect_err("a row without a score"));
        assert!(error.contains(expected), "{cell}: {error}");
    }
}

/// The bytes of a stream include the sizes of its buffers. The reader panics on a size that exceeds the data.
#[test]
fn a_panic_of_the_arrow_reader_becomes_an_error() {
    let stream = &arrow_streams()[0];
    let error_with = |place: usize| {
        let mut damaged = stream.clone();
        damaged[place] = 0xff;
        next_batch(&mut StreamReader::try_new(Cursor::new(damaged), None).ok()?)?.err()
    };
    let mut errors = (0..stream.len()).filter_map(error_with).map(|error| format!("{error:#}"));
    assert!(errors.any(|error| error.starts_with("internal error: ")));
}
