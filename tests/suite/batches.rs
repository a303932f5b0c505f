use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use image::imageops::{crop_imm, flip_horizontal};
use tempfile::TempDir;
use tsp_mgs_core::preprocess::{Enlarged, Mirror, ViewPlan, decode, enlarged_size, views};
use tsp_mgs_trainer::data::image_cache::CachedImage;
use tsp_mgs_trainer::data::loader::{Augmentation, Batch, BatchPlan, Batches, EvaluationBatches, Mirroring};

use crate::image_cache::fill;
use crate::support::compare::assert_close;
use crate::support::fixtures::{fixture, read};

const SIDE: u32 = 224;
const PLAN: BatchPlan = BatchPlan {
    batch_size: NonZeroUsize::new(4).expect("not zero"),
    views: ViewPlan { side: SIDE, has_image: true, crops: 3 },
    mirroring: Mirroring::Half,
    seed: 7,
    workers: NonZeroUsize::new(2).expect("not zero"),
};

/// Images of different sizes. One has an EXIF orientation.
const FILES: [&str; 5] =
    ["upscaled_300x200.png", "odd_513x777.png", "wide_1100x520.png", "kept_512x512.png", "orientation_6.jpg"];
/// Indices into `FILES`, some of them twice. They are three batches, and the last one is not full.
const ITEMS: [usize; 10] = [0, 1, 2, 3, 4, 3, 2, 1, 0, 4];

fn cached() -> (TempDir, Arc<[CachedImage]>) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> = FILES.iter().map(|name| fixture("images").join(name)).collect();
    let images = fill(folder.path(), &paths).into_iter().map(|image| image.expect("an image")).collect();
    (folder, images)
}

fn epoch(images: &Arc<[CachedImage]>, plan: BatchPlan, epoch: u64, step: usize) -> Vec<Batch> {
    let batches = Batches::from_step(images.clone(), &ITEMS, plan, epoch, step).expect("batches");
    batches.map(|batch| batch.expect("a batch")).collect()
}

fn workers(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

#[test]
fn batches_do_not_depend_on_the_number_of_workers() {
    let (_folder, images) = cached();
    let one = epoch(&images, BatchPlan { workers: workers(1), ..PLAN }, 3, 0);
    assert_eq!(one.iter().map(|batch| batch.items.len()).collect::<Vec<_>>(), [4, 4, 2]);
    for n in [2, 5] {
        assert!(one == epoch(&images, BatchPlan { workers: workers(n), ..PLAN }, 3, 0), "{n} workers");
    }
}

#[test]
fn an_epoch_shows_every_item_once() {
    let (_folder, images) = cached();
    let mut shown: Vec<usize> = epoch(&images, PLAN, 0, 0).into_iter().flat_map(|batch| batch.items).collect();
    assert_ne!(shown, ITEMS, "they are shuffled");
    let mut items = ITEMS.to_vec();
    shown.sort_unstable();
    items.sort_unstable();
    assert_eq!(shown, items);
}

#[test]
fn an_epoch_that_starts_at_a_step_equals_one_whose_steps_are_skipped() {
    let (_folder, images) = cached();
    let whole = epoch(&images, PLAN, 3, 0);
    for step in 0..=3 {
        assert!(whole[step..] == epoch(&images, PLAN, 3, step), "from step {step}");
    }
}

#[test]
fn buffers_that_are_given_back_hold_the_same_batches() {
    let (_folder, images) = cached();
    let expected = epoch(&images, PLAN, 3, 0);
    let mut batches = Batches::from_step(images, &ITEMS, PLAN, 3, 0).expect("batches");
    for expected in expected {
        let found = batches.next().expect("a batch").expect("no error");
        assert!(found == expected);
        batches.give_back(vec![f32::NAN; 7]);
        batches.give_back(found.pixels);
    }
    assert!(batches.next().is_none());
}

#[test]
fn seed_and_epoch_change_order_and_windows() {
    let (_folder, images) = cached();
    let map = images[1].map().expect("an entry");
    let image = map.enlarged();
    let all: Vec<usize> = (0..100).collect();
    let other = BatchPlan { seed: 8, ..PLAN };
    assert_ne!(PLAN.order(&all, 0), other.order(&all, 0));
    assert_ne!(PLAN.order(&all, 0), PLAN.order(&all, 1));
    assert_ne!(PLAN.augmentation(&image, 0, 5).crop_positions, other.augmentation(&image, 0, 5).crop_positions);
    assert_ne!(PLAN.augmentation(&image, 0, 5).crop_positions, PLAN.augmentation(&image, 1, 5).crop_positions);
    assert_ne!(PLAN.augmentation(&image, 0, 5).crop_positions, PLAN.augmentation(&image, 0, 6).crop_positions);
    assert!(epoch(&images, PLAN, 0, 0) != epoch(&images, other, 0, 0));
}

#[test]
fn what_is_drawn_stays_the_same_between_versions() {
    // These values are from this code, not from a reference. A resumed run depends on them.
    let image = RgbImage::new(512, 512);
    let source = Enlarged::new(&image);
    assert_eq!(PLAN.augmentation(&source, 2, 9), Augmentation { mirror: Mirror::No, crop_positions: vec![76, 14, 4] });
    assert_eq!(
        PLAN.augmentation(&source, 2, 10),
        Augmentation { mirror: Mirror::LeftRight, crop_positions: vec![95, 36, 88] }
    );
    assert_eq!(PLAN.order(&[0, 1, 2, 3, 4, 5, 6, 7], 2), [5, 1, 4, 3, 6, 2, 7, 0]);
}

#[test]
fn windows_are_uniform_and_every_other_image_is_mirrored() {
    const PLACES: usize = 4000;
    let image = RgbImage::new(512, 512);
    let source = Enlarged::new(&image);
    let plan = BatchPlan { views: ViewPlan { crops: 8, ..PLAN.views }, ..PLAN };
    let draws: Vec<Augmentation> = (0..PLACES).map(|place| plan.augmentation(&source, 0, place)).collect();

    let mut counts = [0.0; 100];
    draws.iter().flat_map(|draw| &draw.crop_positions).for_each(|&window| counts[window as usize] += 1.0);
    let expected = (8 * PLACES) as f64 / 100.0;
    let chi_square: f64 = counts.iter().map(|count| (count - expected) * (count - expected) / expected).sum();
    // Quantiles of χ² with 99 degrees of freedom: 1 of 10,000 values is smaller, and 1 is larger.
    assert!((54.98..160.06).contains(&chi_square), "{chi_square}");
    // Crops are drawn with replacement. The probability that 8 of 100 are all different is 0.7504.
    let distinct = draws.iter().filter(|draw| {
        let mut positions = draw.crop_positions.clone();
        positions.sort_unstable();
        positions.dedup();
        positions.len() == 8
    });
    let distinct = distinct.count() as f64 / PLACES as f64;
    assert!((distinct - 0.7504).abs() < 0.03, "{distinct}");

    let mirrored = draws.iter().filter(|draw| draw.mirror == Mirror::LeftRight).count();
    // Four standard deviations: 4 × sqrt(4000 / 4).
    assert!(mirrored.abs_diff(PLACES / 2) < 126, "{mirrored} of {PLACES}");

    let never = BatchPlan { mirroring: Mirroring::Off, ..plan };
    for (place, draw) in draws.iter().enumerate() {
        let expected = Augmentation { mirror: Mirror::No, crop_positions: draw.crop_positions.clone() };
        assert_eq!(never.augmentation(&source, 0, place), expected, "without mirroring, place {place}");
    }
}

#[test]
fn batches_hold_the_windows_that_were_drawn() {
    let (_folder, images) = cached();
    let plane = (SIDE * SIDE) as usize;
    let mut mirrored = 0;
    for (place, item, pixels) in epoch(&images, PLAN, 1, 0).iter().enumerate().flat_map(|(step, batch)| {
        let views = batch.pixels.chunks_exact(4 * 3 * plane).zip(&batch.items).enumerate();
        assert_eq!(batch.pixels.len(), batch.items.len() * 4 * 3 * plane);
        views.map(move |(i, (pixels, &item))| (step * 4 + i, item, pixels))
    }) {
        let map = images[item].map().expect("an entry");
        let source = map.enlarged();
        let (width, height) = source.upright_size();
        let (width, height) = enlarged_size(width, height);
        let image = RgbImage::from_raw(width, height, source.pixels().to_vec()).expect("all pixels");
        let Augmentation { mirror, crop_positions } = PLAN.augmentation(&source, 1, place);
        mirrored += usize::from(mirror == Mirror::LeftRight);
        let image = if mirror == Mirror::LeftRight { flip_horizontal(&image) } else { image };

        let resized = views(&image, ViewPlan { crops: 0, ..PLAN.views }).expect("a view").pixels(SIDE);
        assert_close(&pixels[..3 * plane], &resized, 1e-5, &format!("item {item}: resized"));
        let stride = if width.max(height) >= 1024 { 48 } else { 32 };
        let columns = u64::from((width - SIDE) / stride + 1);
        for (&window, found) in crop_positions.iter().zip(pixels[3 * plane..].chunks_exact(3 * plane)) {
            let (x, y) = ((window % columns) as u32 * stride, (window / columns) as u32 * stride);
            let crop = crop_imm(&image, x, y, SIDE, SIDE).to_image();
            // CLIP's mean and standard deviation (SPEC §1.3), in float64.
            let normal = [(0.48145466, 0.26862954), (0.4578275, 0.26130258), (0.40821073, 0.27577711)];
            let expected: Vec<f32> = (0..3)
                .flat_map(|channel| crop.pixels().map(move |pixel| (channel, pixel.0[channel])))
                .map(|(c, level)| ((f64::from(level) / 255.0 - normal[c].0) / normal[c].1) as f32)
                .collect();
            assert_close(found, &expected, 1e-6, &format!("item {item}: window {window}"));
        }
    }
    assert!((1..ITEMS.len()).contains(&mirrored), "both cases are seen");
}

#[test]
fn evaluation_sees_the_views_of_a_score_in_order() {
    let (_folder, images) = cached();
    let plan = BatchPlan { views: ViewPlan { crops: 15, ..PLAN.views }, ..PLAN };
    let batches = EvaluationBatches::new(images.clone(), &[4, 0, 1, 2, 3], plan).expect("batches");
    let batches: Vec<_> = batches.map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1]);
    let found = batches.iter().flatten();
    assert_eq!(found.clone().map(|(item, _)| *item).collect::<Vec<_>>(), [4, 0, 1, 2, 3]);
    for (item, found) in found {
        let image = decode(&read(images[*item].source.path())).expect("an image");
        let expected = views(&image, plan.views).expect("views");
        assert!(found.pixels(SIDE) == expected.pixels(SIDE), "{}: other pixels", FILES[*item]);
        assert_eq!(found.crop_rects, expected.crop_rects, "{}", FILES[*item]);
        assert_eq!((found.width, found.height), (expected.width, expected.height), "{}", FILES[*item]);
    }
}

#[test]
fn an_entry_that_is_damaged_later_ends_the_batches_with_the_image_named() {
    let (_folder, images) = cached();
    fs::write(&images[2].entry, b"TSPMGSPX").expect("written");
    let mut batches = Batches::from_step(images.clone(), &ITEMS, PLAN, 0, 0).expect("batches");
    let error = batches.find_map(Result::err).expect("an error");
    let text = format!("{error:#}");
    assert!(text.contains(FILES[2]) && text.contains("8 bytes") && text.contains("start again"), "{text}");
    assert!(batches.next().is_none());
}

#[test]
fn items_that_are_no_images_are_refused() {
    let (_folder, images) = cached();
    let error = Batches::from_step(images.clone(), &[0, 5], PLAN, 0, 0).err().expect("five images");
    assert_eq!(error.to_string(), "there is no item 5: the number of images is 5");
    assert!(EvaluationBatches::new(images, &[], PLAN).is_err());
}
