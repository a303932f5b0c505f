use serde::Deserialize;
use tsp_mgs_core::preprocess::{Enlarged, Mirror, ViewPlan, Views, crop_positions, decode, kept_size, views};

use crate::support::compare::assert_close;
use crate::support::fixtures::{fixture, json, read, tensors, values};

const SIDE: usize = 224;
const PLAN: ViewPlan = ViewPlan { side: SIDE as u32, has_image: true, crops: 15 };

/// One 8-bit level in normalised units: 1 / 255 / 0.2613, the smallest deviation.
const LEVEL: f32 = 0.015_01;

/// PyTorch computes sample positions in float32, which changes values by this much at sharp edges of large images.
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

/// The tolerances of pixels, in 8-bit levels, and of the mean of a view.
fn tolerance(file: &str) -> (f32, f32) {
    match file {
        // The reference is libjpeg-turbo. Measured over whole images, colours of our decoder differ by up to 8 levels at sharp
        // edges if colour is stored at half size, and by 0.2 on average (more in a crop with edges). Its inverse cosine
        // transform differs by up to 2.
        "baseline_420.jpg" => (8.0, 0.5),
        name if name.ends_with(".jpg") => (2.0, 0.05),
        _ => (0.0, 0.01),
    }
}

/// The pixels that scoring sends to the device for ViT-B/32, rearranged from the order of tokens to `[views, 3, side, side]`.
fn shipped_pixels(views: &Views) -> Vec<f32> {
    const PATCH: usize = 32;
    const GRID: usize = SIDE / PATCH;
    let pixels = views.pixels(PATCH as u32);
    let place = |i: usize| {
        let (view, channel, y, x) = (i / (3 * SIDE * SIDE), i / (SIDE * SIDE) % 3, i / SIDE % SIDE, i % SIDE);
        let token = view * GRID * GRID + y / PATCH * GRID + x / PATCH;
        (token * 3 + channel) * PATCH * PATCH + y % PATCH * PATCH + x % PATCH
    };
    (0..pixels.len()).map(|i| pixels[place(i)]).collect()
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
        let corners: Vec<f32> = found.crop_rects.iter().flat_map(|w| [w.x * x_scale, w.y * y_scale]).collect();
        assert_close(&corners, file.windows.as_flattened(), 0.02, &format!("{name}: windows"));

        let plane = SIDE * SIDE;
        let pixels = shipped_pixels(&found);
        assert!(pixels == found.pixels(SIDE as u32), "{name}: training has other pixels");
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
fn the_longest_panorama_scores_without_its_four_gigapixels() {
    for (width, height) in [(16_384, 1), (1, 16_384)] {
        let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x + y) as u8, 0, 255]));
        let views = views(&image, PLAN).expect("it fits the limits");
        assert_eq!(views.pixels(32).len(), 16 * 3 * SIDE * SIDE);
        let last = views.crop_rects[14];
        assert!(last.x + last.width <= width as f32 + 0.01 && last.y + last.height <= height as f32 + 0.01, "{last:?}");
    }
}

#[test]
fn more_crops_than_the_smallest_image_has_are_refused() {
    let image = image::RgbImage::new(512, 512);
    assert!(views(&image, ViewPlan { crops: 100, ..PLAN }).is_ok());
    let error = views(&image, ViewPlan { crops: 101, ..PLAN }).expect_err("512 × 512 has 100 windows");
    assert_eq!(error.to_string(), "101 crops were asked for, expected 1 to 100");
}

/// Images of different sizes. Two are so long that they are not enlarged as a whole.
const SHAPES: [&str; 5] =
    ["upscaled_300x200.png", "odd_513x777.png", "wide_1100x520.png", "panorama_6000x20.png", "sliver_1x400.png"];

#[test]
fn pixels_that_were_kept_give_the_same_views() {
    for name in SHAPES {
        let image = decode(&read(&fixture("images").join(name))).expect("an image");
        let enlarged = Enlarged::new(&image);
        let kept = Enlarged::from_pixels(enlarged.pixels(), image.width(), image.height()).expect("all pixels");
        let (expected, found) = (views(&image, PLAN).expect("views"), kept.views(PLAN).expect("views"));
        assert!(expected.pixels(32) == found.pixels(32), "{name}: other pixels");
        assert_eq!(expected.crop_rects, found.crop_rects, "{name}");
        assert_eq!((found.width, found.height), image.dimensions(), "{name}");
        let short = &enlarged.pixels()[1..];
        assert!(Enlarged::from_pixels(short, image.width(), image.height()).is_none(), "{name}: a pixel is missing");
    }
}

#[test]
fn windows_are_counted_on_the_enlarged_image() {
    // torch: (length - 224) // stride + 1 in both directions, for 512 x 768, 513 x 777, 1100 x 520, 512 x 153,600.
    let cases = [((200, 300), 10 * 18), ((513, 777), 10 * 18), ((1100, 520), 19 * 7), ((20, 6000), 7 * 3196)];
    for ((width, height), count) in cases {
        assert_eq!(crop_positions(width, height, 224), count, "{width} × {height}");
    }
}

#[test]
fn chosen_windows_are_places_in_the_grid_of_the_mirror_image() {
    for name in SHAPES {
        let image = decode(&read(&fixture("images").join(name))).expect("an image");
        let source = Enlarged::new(&image);
        let count = source.crop_positions(PLAN.side);
        let plan = ViewPlan { crops: 15, ..PLAN };
        let windows: Vec<u64> = (0..15).map(|i| count / 15 * i).collect();
        let found = source.views_at(plan, &windows, Mirror::No).pixels(PLAN.side);
        assert!(found == views(&image, plan).expect("views").pixels(PLAN.side), "{name}: evenly spaced crops");

        let found = source.views_at(plan, &windows, Mirror::LeftRight).pixels(PLAN.side);
        // The image is mirrored after it is enlarged, as in IPCE.
        let (width, height) = kept_size(image.width(), image.height());
        let large = image::RgbImage::from_raw(width, height, source.pixels().to_vec()).expect("all pixels");
        let expected = views(&image::imageops::flip_horizontal(&large), plan).expect("views").pixels(PLAN.side);
        let whole = 3 * SIDE * SIDE;
        let is_lazy = width.min(height) < 512;
        // An image that is mirrored before it is enlarged differs where a value is between two levels.
        let tolerance = if is_lazy { LEVEL } else { 0.0 };
        assert_close(&found[..whole], &expected[..whole], tolerance.max(1e-5), &format!("{name}: resized"));
        assert_close(&found[whole..], &expected[whole..], tolerance, &format!("{name}: windows"));
    }
}
