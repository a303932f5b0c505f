use image::{ImageBuffer, ImageFormat, Luma};
use serde::Deserialize;
use tsp_mgs_core::Error;
use tsp_mgs_core::preprocess::{Enlarged, Mirror, ViewPlan, decode, kept_size, views, window_count};

use crate::support::{assert_close, fixture, json, read, tensors, values};

const SIDE: usize = 224;
const PLAN: ViewPlan = ViewPlan { side: SIDE as u32, has_image: true, crops: 15 };

/// One 8-bit level in normalised units: 1 / 255 / 0.2613, the smallest deviation.
const LEVEL: f32 = 0.015_01;

/// PyTorch's sample positions are float32: at sharp edges of large images that moves values so far.
const POSITIONS: f32 = 3e-4;

#[derive(Deserialize)]
struct Reference {
    positions_yx: Vec<Vec<[usize; 2]>>,
    files: Vec<ReferenceFile>,
}

#[derive(Deserialize)]
struct ReferenceFile {
    file: String,
    width: u32,
    height: u32,
    resized_width: f32,
    resized_height: f32,
    windows: Vec<[f32; 2]>,
}

/// How many 8-bit levels our pixels may be off, and how far a view's mean.
fn tolerance(file: &str) -> (f32, f32) {
    match file {
        // libjpeg-turbo made the reference; measured over whole images, our decoder's colour differs by
        // up to 8 levels at sharp edges where colour is stored at half size, by 0.2 on average (more in a
        // window of edges), and its
        // inverse cosine transform by up to 2.
        "baseline_420.jpg" => (8.0, 0.5),
        name if name.ends_with(".jpg") => (2.0, 0.05),
        _ => (0.0, 0.01),
    }
}

#[test]
fn views_equal_pillow_and_torch() {
    let reference: Reference = serde_json::from_value(json("views.json")).expect("views.json");
    let expected = tensors(&fixture("views.safetensors"));
    assert!(reference.files.len() >= 12);
    for file in &reference.files {
        let name = &file.file;
        let image = decode(&read(&fixture("images").join(name))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = views(&image, PLAN).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((found.width, found.height), (file.width, file.height), "{name}");

        let (x_scale, y_scale) = (file.resized_width / file.width as f32, file.resized_height / file.height as f32);
        let corners: Vec<f32> = found.windows.iter().flat_map(|w| [w.x * x_scale, w.y * y_scale]).collect();
        assert_close(&corners, file.windows.as_flattened(), 0.02, &format!("{name}: windows"));

        let plane = SIDE * SIDE;
        let pixels = found.pixels();
        let samples: Vec<f32> = (0..=PLAN.crops)
            .flat_map(|view| reference.positions_yx[view].iter().map(move |position| (view, position)))
            .flat_map(|(view, [y, x])| (0..3).map(move |channel| (view * 3 + channel) * plane + y * SIDE + x))
            .map(|i| pixels[i])
            .collect();
        let means: Vec<f32> = pixels
            .chunks_exact(plane)
            .map(|channel| (channel.iter().map(|&value| f64::from(value)).sum::<f64>() / plane as f64) as f32)
            .collect();
        let (levels, mean_levels) = tolerance(name);
        let samples_off = levels * LEVEL + POSITIONS;
        assert_close(&samples, &values(&expected, &format!("{name}.samples")), samples_off, &format!("{name}: pixels"));
        assert_close(
            &means,
            &values(&expected, &format!("{name}.mean")),
            mean_levels * LEVEL,
            &format!("{name}: means"),
        );
    }
}

#[test]
fn a_side_over_the_limit_is_an_error_that_names_the_size() {
    let mut png = std::io::Cursor::new(Vec::new());
    ImageBuffer::<Luma<u8>, _>::new(1, 20_000).write_to(&mut png, ImageFormat::Png).expect("encoding");
    let error = decode(png.get_ref()).expect_err("20,000 pixels are too many");
    assert!(matches!(error, Error::ImageSize { width: 1, height: 20_000, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the image is 1 × 20000 pixels, expected 1 to 16384 a side");
}

#[test]
fn the_longest_panorama_scores_without_its_four_gigapixels() {
    for (width, height) in [(16_384, 1), (1, 16_384)] {
        let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x + y) as u8, 0, 255]));
        let views = views(&image, PLAN).expect("it fits the limits");
        assert_eq!(views.pixels().len(), 16 * 3 * SIDE * SIDE);
        let last = views.windows[14];
        assert!(last.x + last.width <= width as f32 + 0.01 && last.y + last.height <= height as f32 + 0.01, "{last:?}");
    }
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_memory_is_taken() {
    // A PNG header of 4 billion pixels a side and nothing behind it.
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

/// How a JPEG file's scans hold its components.
#[derive(Clone, Copy, PartialEq)]
enum Scans {
    Together,
    Apart,
}

/// A baseline JPEG file of flat blocks, whose colour covers `h` × `v` blocks of brightness (ITU-T T.81).
fn jpeg(width: usize, height: usize, (h, v): (usize, usize), scans: Scans) -> Vec<u8> {
    let segment = |marker: u8, data: &[u8]| {
        let length = u16::try_from(data.len() + 2).expect("short").to_be_bytes();
        [&[0xff, marker], &length[..], data].concat()
    };
    // Each table has codes of 8 bits: for lengths of DC differences, and for the end of a block.
    let table = |kind: u8, symbols: &[u8]| {
        let counts = [0, 0, 0, 0, 0, 0, 0, symbols.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0];
        segment(0xc4, &[&[kind], &counts[..], symbols].concat())
    };
    let size = |side: usize| u16::try_from(side).expect("short").to_be_bytes();
    let sampling = (h << 4 | v) as u8;
    let frame = [&[8], &size(height)[..], &size(width), &[3, 1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0]].concat();
    let lengths: Vec<u8> = (0..12).collect();
    let tables = [segment(0xdb, &[[0].as_slice(), &[8; 64]].concat()), table(0, &lengths), table(0x10, &[0])].concat();
    let mut file = [b"\xff\xd8", &tables[..], &segment(0xc0, &frame)].concat();

    // The level of a block, less 128.
    let level = |component: usize, x: usize, y: usize| ((x * 67 + y * 131 + component * 53) * 29 % 181) as i32 - 90;
    let each = [(h, v), (1, 1), (1, 1)];
    let (across, down) = (width.div_ceil(8 * h), height.div_ceil(8 * v));
    // Components of each scan, and its blocks: component, column, row.
    let scans: Vec<(Vec<usize>, Vec<[usize; 3]>)> = match scans {
        Scans::Together => {
            let mut blocks = Vec::new();
            for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                for (component, (h, v)) in each.into_iter().enumerate() {
                    blocks.extend((0..v * h).map(|i| [component, x * h + i % h, y * v + i / h]));
                }
            }
            vec![(vec![0, 1, 2], blocks)]
        }
        // Without the blocks that are there just to fill the last group.
        Scans::Apart => [0, 1, 2]
            .map(|component| {
                let (columns, rows) =
                    ((width * each[component].0).div_ceil(8 * h), (height * each[component].1).div_ceil(8 * v));
                let blocks = (0..rows).flat_map(|y| (0..columns).map(move |x| [component, x, y]));
                (vec![component], blocks.collect())
            })
            .into(),
    };
    for (components, blocks) in scans {
        let names = components.iter().flat_map(|&component| [component as u8 + 1, 0]);
        let header: Vec<u8> = std::iter::once(components.len() as u8).chain(names).chain([0, 63, 0]).collect();
        file.extend(segment(0xda, &header));
        let (mut bits, mut before) = (String::new(), [0; 3]);
        for [component, x, y] in blocks {
            let level = level(component, x, y);
            let difference = level - std::mem::replace(&mut before[component], level);
            let length = (32 - difference.unsigned_abs().leading_zeros()) as usize;
            bits += &format!("{length:08b}");
            let amplitude = if difference < 0 { difference + (1 << length) - 1 } else { difference };
            if length > 0 {
                bits += &format!("{amplitude:0length$b}");
            }
            bits += "00000000";
        }
        while bits.len() % 8 > 0 {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8) {
            let byte = u8::from_str_radix(std::str::from_utf8(byte).expect("ASCII"), 2).expect("eight bits");
            file.push(byte);
            if byte == 0xff {
                file.push(0);
            }
        }
    }
    [&file[..], b"\xff\xd9"].concat()
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

/// A JPEG file with a scan of two of its three components.
pub fn jpeg_with_a_scan_of_two() -> Vec<u8> {
    let mut file = jpeg(16, 16, (1, 1), Scans::Apart);
    let at = file.windows(4).position(|bytes| bytes == [0xff, 0xda, 0, 8]).expect("a scan");
    file.splice(at..at + 7, [0xff, 0xda, 0, 10, 2, 1, 0, 2, 0]);
    file
}

#[test]
fn jpeg_scans_of_two_of_three_components_are_refused() {
    let file = jpeg_with_a_scan_of_two();
    assert!(matches!(decode(&file), Err(Error::Scans)), "{:?}", decode(&file));
}

/// An uncompressed TIFF file in one strip; `extra` is what ExtraSamples says of the channel behind the colours.
fn tiff(samples: &[[u8; 4]], width: u16, photometric: u16, extra: u16) -> Vec<u8> {
    const FIELDS: u32 = 9;
    let bits_at = 8 + 2 + 12 * FIELDS + 4;
    let height = samples.len() as u16 / width;
    let short = |value: u16| (3_u16, 1, u32::from(value));
    let fields: [(u16, (u16, u32, u32)); FIELDS as usize] = [
        (256, short(width)),
        (257, short(height)),
        (258, (3, 4, bits_at)),
        (259, short(1)),
        (262, short(photometric)),
        (273, (4, 1, bits_at + 8)),
        (277, short(4)),
        (279, (4, 1, 4 * samples.len() as u32)),
        (338, short(extra)),
    ];
    let mut bytes = [&b"II*\0\x08\0\0\0"[..], &(FIELDS as u16).to_le_bytes()].concat();
    for (tag, (kind, count, value)) in fields {
        bytes
            .extend([&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    bytes.extend([0, 0, 0, 0, 8, 0, 8, 0, 8, 0, 8, 0]);
    bytes.extend(samples.as_flattened());
    bytes
}

#[test]
fn tiff_colours_that_alpha_multiplied_already_are_not_multiplied_again() {
    // Red and blue, fully seen, half seen and not at all; as they are, and multiplied.
    let plain = [[200, 0, 90, 255], [200, 0, 90, 128], [200, 0, 90, 0]];
    let multiplied = [[200, 0, 90, 255], [100, 0, 45, 128], [0, 0, 0, 0]];
    let [plain, multiplied] = [(plain, 2), (multiplied, 1)]
        .map(|(samples, extra)| decode(&tiff(&samples, 3, 2, extra)).expect("a TIFF file").into_raw());
    assert_eq!(plain, [200, 0, 90, 227, 127, 172, 255, 255, 255]);
    assert_eq!(multiplied, plain);
    // More colour than its alpha allows stays in range.
    let wrong = decode(&tiff(&[[255, 0, 0, 10]], 1, 2, 1)).expect("a TIFF file");
    assert_eq!(wrong.into_raw(), [255, 245, 245]);
}

/// A TIFF file of one pixel in CIELab.
pub fn lab_tiff() -> Vec<u8> {
    tiff(&[[1, 2, 3, 4]], 1, 8, 0)
}

#[test]
fn a_tiff_file_of_another_kind_is_named() {
    let error = decode(&lab_tiff()).expect_err("CIELab is not read").to_string();
    assert!(error.starts_with("a TIFF file of a kind that is not read (") && error.contains("Lab"), "{error}");
}

#[test]
fn webp_files_that_promise_more_than_there_is_are_read() {
    let simple = read(&fixture("images/lossless.webp"));
    let image = decode(&simple).expect("a WebP file");
    let sides = [image.width() - 1, image.height() - 1].map(|side| side.to_le_bytes()[..3].to_vec()).concat();
    for flags in [0x04, 0x08, 0x20, 0x2c] {
        // An extended header, then the pixels as they were.
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
    // Phones append a film to a photograph.
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
        // A file with metadata starts with an extended header: flags, then width and height less one.
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

#[test]
fn more_crops_than_the_smallest_image_has_are_refused() {
    let image = image::RgbImage::new(512, 512);
    assert!(views(&image, ViewPlan { crops: 100, ..PLAN }).is_ok());
    let error = views(&image, ViewPlan { crops: 101, ..PLAN }).expect_err("512 × 512 has 100 windows");
    assert_eq!(error.to_string(), "101 crops were asked for, expected 1 to 100");
}

/// Small, odd, wide, and two that are kept small as they are too long to be enlarged whole.
const SHAPES: [&str; 5] =
    ["upscaled_300x200.png", "odd_513x777.png", "wide_1100x520.png", "panorama_6000x20.png", "sliver_1x400.png"];

#[test]
fn pixels_that_were_kept_give_the_same_views() {
    for name in SHAPES {
        let image = decode(&read(&fixture("images").join(name))).expect("an image");
        let enlarged = Enlarged::new(&image);
        let kept = Enlarged::from_pixels(enlarged.pixels(), image.width(), image.height()).expect("all pixels");
        let (expected, found) = (views(&image, PLAN).expect("views"), kept.views(PLAN).expect("views"));
        assert!(expected.pixels() == found.pixels(), "{name}: other pixels");
        assert_eq!(expected.windows, found.windows, "{name}");
        assert_eq!((found.width, found.height), image.dimensions(), "{name}");
        let short = &enlarged.pixels()[1..];
        assert!(Enlarged::from_pixels(short, image.width(), image.height()).is_none(), "{name}: a pixel is missing");
    }
}

#[test]
fn windows_are_counted_on_the_enlarged_image() {
    // torch: (length - 224) // stride + 1 in both directions, of 512 x 768, 513 x 777, 1100 x 520, 512 x 153,600.
    let cases = [((200, 300), 10 * 18), ((513, 777), 10 * 18), ((1100, 520), 19 * 7), ((20, 6000), 7 * 3196)];
    for ((width, height), count) in cases {
        assert_eq!(window_count(width, height, 224), count, "{width} × {height}");
    }
}

#[test]
fn chosen_windows_are_places_in_the_grid_of_the_mirror_image() {
    for name in SHAPES {
        let image = decode(&read(&fixture("images").join(name))).expect("an image");
        let source = Enlarged::new(&image);
        let count = source.window_count(PLAN.side);
        let plan = ViewPlan { crops: 15, ..PLAN };
        let windows: Vec<u64> = (0..15).map(|i| count / 15 * i).collect();
        let mut found = vec![0.0; plan.pixel_count()];
        source.fill(plan, &windows, Mirror::No, &mut found);
        assert!(found == views(&image, plan).expect("views").pixels(), "{name}: the windows that are laid down");

        source.fill(plan, &windows, Mirror::LeftRight, &mut found);
        // The image is enlarged first, as in IPCE; one that is kept small stands for both.
        let (width, height) = kept_size(image.width(), image.height());
        let large = image::RgbImage::from_raw(width, height, source.pixels().to_vec()).expect("all pixels");
        let expected = views(&image::imageops::flip_horizontal(&large), plan).expect("views").pixels();
        let whole = 3 * SIDE * SIDE;
        let is_lazy = width.min(height) < 512;
        // Made pixel by pixel, a mirrored image differs where a value lies between two levels.
        let tolerance = if is_lazy { LEVEL } else { 0.0 };
        assert_close(&found[..whole], &expected[..whole], tolerance.max(1e-5), &format!("{name}: resized"));
        assert_close(&found[whole..], &expected[whole..], tolerance, &format!("{name}: windows"));
    }
}
