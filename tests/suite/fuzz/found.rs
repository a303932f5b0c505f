//! Inputs that once made a parser panic or take too much memory.

use tsp_mgs_core::Error;
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::preprocess::decode;

use super::containers::{gif, webp};
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
        assert_eq!(embedded_prompt(&gif(&text(length))).is_some(), is_read, "a comment of {length} bytes");
        assert_eq!(embedded_prompt(&webp(b"", &text(length))).is_some(), is_read, "a packet of {length} bytes");
    }
}
