use image::{ImageBuffer, ImageFormat, Luma};
use tsp_mgs_core::Error;
use tsp_mgs_core::preprocess::decode;

use crate::support::fixtures::{fixture, read};
use crate::support::image_bytes::{Scans, jpeg, jpeg_with_a_scan_of_two, lab_tiff, tiff};

#[test]
fn a_side_over_the_limit_is_an_error_that_names_the_size() {
    let mut png = std::io::Cursor::new(Vec::new());
    ImageBuffer::<Luma<u8>, _>::new(1, 20_000).write_to(&mut png, ImageFormat::Png).expect("encoding");
    let error = decode(png.get_ref()).expect_err("20,000 pixels are too many");
    assert!(matches!(error, Error::ImageSize { width: 1, height: 20_000, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the image is 1 × 20000 pixels, expected 1 to 16384 a side");
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_memory_is_taken() {
    // A PNG header with a width and height of 4 billion pixels, and nothing after it.
    let mut png = std::io::Cursor::new(Vec::new());
    ImageBuffer::<Luma<u8>, _>::new(1, 1).write_to(&mut png, ImageFormat::Png).expect("encoding");
    let mut bytes = png.into_inner();
    bytes[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    assert!(decode(&bytes).is_err());
}

#[test]
fn what_is_no_image_is_an_error_and_no_panic() {
    for bytes in [&b""[..], b"a text file", b"\xff\xd8", b"RIFF\0\0\0\0WEBP"] {
        assert!(decode(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn jpeg_components_in_scans_of_their_own_give_the_same_picture() {
    for (width, height) in [(88, 88), (70, 50), (33, 129), (8, 8), (1, 1)] {
        for sampling in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            let [expected, found] = [Scans::Together, Scans::Apart]
                .map(|scans| decode(&jpeg(width, height, sampling, scans)).expect("a JPEG file"));
            assert_eq!(found.dimensions(), (width as u32, height as u32));
            let off = |(a, b): (&u8, &u8)| a.abs_diff(*b);
            let most = expected.as_raw().iter().zip(found.as_raw()).map(off).max();
            assert_eq!(most, Some(0), "{width} × {height}, {sampling:?}");
        }
    }
    let whole = jpeg(70, 50, (2, 2), Scans::Apart);
    for cut in 2..whole.len() {
        assert!(decode(&whole[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn jpeg_scans_of_two_of_three_components_are_refused() {
    let file = jpeg_with_a_scan_of_two();
    assert!(matches!(decode(&file), Err(Error::Scans)), "{:?}", decode(&file));
}

#[test]
fn tiff_colours_that_alpha_multiplied_already_are_not_multiplied_again() {
    // Red and blue, opaque, half transparent and transparent, with unassociated and with associated alpha.
    let plain = [[200, 0, 90, 255], [200, 0, 90, 128], [200, 0, 90, 0]];
    let multiplied = [[200, 0, 90, 255], [100, 0, 45, 128], [0, 0, 0, 0]];
    let [plain, multiplied] = [(plain, 2), (multiplied, 1)]
        .map(|(samples, extra)| decode(&tiff(&samples, 3, 2, extra)).expect("a TIFF file").into_raw());
    assert_eq!(plain, [200, 0, 90, 227, 127, 172, 255, 255, 255]);
    assert_eq!(multiplied, plain);
    // A colour above its alpha is clamped.
    let wrong = decode(&tiff(&[[255, 0, 0, 10]], 1, 2, 1)).expect("a TIFF file");
    assert_eq!(wrong.into_raw(), [255, 245, 245]);
}

#[test]
fn a_tiff_file_of_another_kind_is_named() {
    let error = decode(&lab_tiff()).expect_err("CIELab is not read").to_string();
    assert!(error.starts_with("this kind of TIFF file is not supported (") && error.contains("Lab"), "{error}");
}

#[test]
fn webp_files_that_promise_more_than_there_is_are_read() {
    let simple = read(&fixture("images/lossless.webp"));
    let image = decode(&simple).expect("a WebP file");
    let sides = [image.width() - 1, image.height() - 1].map(|side| side.to_le_bytes()[..3].to_vec()).concat();
    for flags in [0x04, 0x08, 0x20, 0x2c] {
        // An extended header, and then the same pixels.
        let body = [b"WEBPVP8X\x0a\0\0\0", &[flags, 0, 0, 0][..], &sides, &simple[12..]].concat();
        let size = u32::try_from(body.len()).expect("small").to_le_bytes();
        let promising = [b"RIFF", &size[..], &body].concat();
        assert!(decode(&promising).is_ok_and(|found| found == image), "flags {flags:#x}");
    }
}

#[test]
fn a_file_that_ends_too_early_is_an_error_in_every_format() {
    let files = [
        "rgba.png",
        "baseline_420.jpg",
        "progressive_444.jpg",
        "orientation_6.jpg",
        "lossless.webp",
        "two_frames.gif",
        "plain.bmp",
        "deflate.tiff",
    ];
    for file in files {
        let bytes = read(&fixture("images").join(file));
        for percent in [1, 30, 60, 90] {
            // The first frame of the animation is the first half of its file.
            let whole = if file.ends_with(".gif") { bytes.len() / 2 } else { bytes.len() };
            assert!(decode(&bytes[..whole * percent / 100]).is_err(), "{percent} % of {file}");
        }
    }
}

#[test]
fn what_follows_a_whole_jpeg_does_not_matter() {
    // Phones append a video to a photograph.
    let mut bytes = read(&fixture("images/baseline_420.jpg"));
    bytes.extend_from_slice(b"film \xff\xda\0 film");
    assert!(decode(&bytes).is_ok());
}

#[test]
fn webp_files_are_turned_upright_with_and_without_a_prefix_in_their_exif() {
    let turned = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"; // orientation 6
    let plain = read(&fixture("images/lossless.webp"));
    let (width, height) = decode(&plain).expect("an image").dimensions();
    for prefix in [&b""[..], b"Exif\0\0"] {
        let exif = [prefix, turned].concat();
        // A file with metadata starts with an extended header: flags, then width − 1 and height − 1.
        let mut body = b"WEBPVP8X\x0a\0\0\0\x08\0\0\0".to_vec();
        body.extend_from_slice(&(width - 1).to_le_bytes()[..3]);
        body.extend_from_slice(&(height - 1).to_le_bytes()[..3]);
        body.extend_from_slice(&plain[12..]);
        body.extend_from_slice(b"EXIF");
        body.extend_from_slice(&(exif.len() as u32).to_le_bytes());
        body.extend_from_slice(&exif);
        let file = [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat();
        let upright = decode(&file).expect("an image");
        assert_eq!(upright.dimensions(), (height, width), "prefix {prefix:?}");
    }
}
