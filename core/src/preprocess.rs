//! Image bytes to normalised views: the only decoding, resizing and cutting in the project (SPEC §1).
//!
//! The paper takes its inputs from IPCE (Peng et al., CVPRW 2024): the image resized whole, and
//! windows of it at full size. Equal to Pillow and PyTorch within one 8-bit level.

use std::io::Cursor;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::F32x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metadata::exif;

/// Names this preprocessing in model bundles; another way of making views needs another name.
pub const PREPROCESS_ID: &str = "tsp-mgs-views-1";
/// Longest side that is decoded, in pixels; two of them are 268 megapixels.
pub const MAX_SIDE: u32 = 16_384;
/// Images with a shorter side than this are enlarged to it (IPCE).
pub const SHORT_SIDE: u32 = 512;

/// Memory that a decoder may take: the largest image with four 16-bit channels.
const MAX_DECODER_BYTES: u64 = MAX_SIDE as u64 * MAX_SIDE as u64 * 8;
/// Enlarged images of up to this many pixels (96 MiB) are made whole; of longer ones just the
/// pixels that the views show.
const MAX_WHOLE_PIXELS: u64 = 1 << 25;
/// Distance between neighbouring windows (IPCE).
const STRIDE: u32 = 32;
/// The same for an image with a side of at least [`LARGE_SIDE`] (IPCE).
const LARGE_STRIDE: u32 = 48;
const LARGE_SIDE: u32 = 1024;

/// CLIP's normalisation (OpenAI CLIP, `clip.py`).
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_55, 0.261_302_6, 0.275_777_1];

/// What to make of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewPlan {
    /// Side of every view in pixels: the model's `image_size`.
    pub side: u32,
    /// Whether the whole image, resized, is the first view: `I_r`.
    pub has_image: bool,
    /// Number of windows that follow: `N`.
    pub crops: usize,
}

/// An image as the model sees it.
#[derive(Clone, Debug)]
pub struct Views {
    /// What was asked for.
    pub plan: ViewPlan,
    /// Normalised pixels, row-major `[views, 3, side, side]`: the resized image first, if planned.
    pub pixels: Vec<f32>,
    /// Where each window stands in the image.
    pub windows: Vec<Window>,
    /// Width of the upright image in pixels.
    pub width: u32,
    /// Height of the upright image in pixels.
    pub height: u32,
}

/// A rectangle in pixels of the upright image, before it was enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl ViewPlan {
    /// Number of views.
    pub fn len(&self) -> usize {
        usize::from(self.has_image) + self.crops
    }

    /// Whether there is nothing to make.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Largest `crops` for views of this side: what the smallest image, 512 × 512, has.
    pub fn max_crops(side: u32) -> usize {
        let along = ((SHORT_SIDE - side) / STRIDE + 1) as usize;
        along * along
    }
}

/// Decodes an image to 8-bit RGB: upright (D1), transparency on white (D2).
///
/// # Errors
/// [`Error::Image`] for bytes that are no image we read or a damaged one, [`Error::ImageSize`] for
/// sides over [`MAX_SIDE`], before memory is taken for them.
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(image::ImageError::IoError)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    // The decoder fills what is missing with grey.
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
        return Err(Error::Truncated);
    }
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(Error::ImageSize { width, height });
    }
    let orientation = orientation(&mut decoder, bytes);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(if image.color().has_alpha() { on_white(image) } else { image.into_rgb8() })
}

/// Whether a JPEG file reaches its end marker; what follows that is not looked at.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        // Up to the next marker: fill bytes, and after a scan's header its data, in which 0xff is
        // followed by 0 or a restart marker.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7);
        let Some(start) = rest.windows(2).position(is_marker) else { return false };
        let (marker, after) = (rest[start + 1], &rest[start + 2..]);
        if marker == END {
            return true;
        }
        let Some(length) = after.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length))) else {
            return false;
        };
        let Some(next) = after.get(length..) else { return false };
        rest = next;
    }
}

/// The EXIF orientation; none when it is unreadable, which is no reason to refuse the picture.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> Orientation {
    // `image` would take as much memory for a WebP file's EXIF as the file claims that it has.
    let found = match exif::in_webp(bytes) {
        Some(exif) => Orientation::from_exif_chunk(exif),
        None if bytes.starts_with(b"RIFF") => None,
        None => decoder.orientation().ok(),
    };
    found.unwrap_or(Orientation::NoTransforms)
}

/// Cuts and normalises the planned views of an upright image.
///
/// # Errors
/// [`Error::Crops`] when `plan` asks for more windows than every image has.
pub fn views(image: &RgbImage, plan: ViewPlan) -> Result<Views> {
    let max = ViewPlan::max_crops(plan.side);
    if plan.crops > max || plan.is_empty() {
        return Err(Error::Crops { found: plan.crops, max });
    }
    let source = Enlarged::new(image);
    let normalise = Normalise::new();
    let area = (plan.side * plan.side) as usize;
    let mut pixels = Vec::with_capacity(plan.len() * 3 * area);
    if plan.has_image {
        resize_whole(&source, plan.side, &normalise, &mut pixels);
    }
    let (x_scale, y_scale) = (image.width() as f32 / source.width as f32, image.height() as f32 / source.height as f32);
    let mut windows = Vec::with_capacity(plan.crops);
    for (x, y) in window_origins(source.width, source.height, plan.side, plan.crops) {
        let rgb = source.region(x, y, plan.side, plan.side);
        for channel in 0..3 {
            pixels.extend(rgb.iter().skip(channel).step_by(3).map(|&level| normalise.level(channel, level)));
        }
        windows.push(Window {
            x: x as f32 * x_scale,
            y: y as f32 * y_scale,
            width: plan.side as f32 * x_scale,
            height: plan.side as f32 * y_scale,
        });
    }
    Ok(Views { plan, pixels, windows, width: image.width(), height: image.height() })
}

/// Upper left corners of `floor(count / crops) × i`, of the row-major grid of all windows.
fn window_origins(width: u32, height: u32, side: u32, crops: usize) -> impl Iterator<Item = (u32, u32)> {
    let stride = if width.max(height) >= LARGE_SIDE { LARGE_STRIDE } else { STRIDE };
    let along = |length: u32| u64::from((length - side) / stride + 1);
    let (columns, rows) = (along(width), along(height));
    let step = columns * rows / crops.max(1) as u64;
    (0..crops as u64).map(move |i| {
        let window = step * i;
        ((window % columns) as u32 * stride, (window / columns) as u32 * stride)
    })
}

/// The resized view: bilinear, half-pixel centres, no antialias (D3), in PyTorch's arithmetic.
fn resize_whole(source: &Enlarged, side: u32, normalise: &Normalise, pixels: &mut Vec<f32>) {
    let columns = taps(source.width, side);
    let rows = taps(source.height, side);
    let area = (side * side) as usize;
    let start = pixels.len();
    pixels.resize(start + 3 * area, 0.0);
    let view = &mut pixels[start..];
    for (row, y) in rows.iter().enumerate() {
        for (column, x) in columns.iter().enumerate() {
            let corners = source.corners(x, y);
            for channel in 0..3 {
                let at = |corner: usize| normalise.level(channel, corners[corner][channel]);
                let upper = (1.0 - x.fraction) * at(0) + x.fraction * at(1);
                let lower = (1.0 - x.fraction) * at(2) + x.fraction * at(3);
                view[channel * area + row * side as usize + column] = (1.0 - y.fraction) * upper + y.fraction * lower;
            }
        }
    }
}

/// Two neighbouring pixels along one axis and how far the sample is towards the second.
struct Tap {
    first: u32,
    second: u32,
    fraction: f32,
}

fn taps(length: u32, side: u32) -> Vec<Tap> {
    let scale = length as f32 / side as f32;
    let tap = |i: u32| {
        let at = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
        let first = (at as u32).min(length - 1);
        Tap { first, second: (first + 1).min(length - 1), fraction: at - first as f32 }
    };
    (0..side).map(tap).collect()
}

/// An image of at least [`SHORT_SIDE`] pixels a side.
struct Enlarged<'a> {
    source: &'a RgbImage,
    width: u32,
    height: u32,
    /// The enlarged image, unless it is the source itself or too long to be made whole.
    whole: Option<RgbImage>,
}

impl<'a> Enlarged<'a> {
    fn new(source: &'a RgbImage) -> Self {
        let (short, long) = (source.width().min(source.height()), source.width().max(source.height()));
        if short >= SHORT_SIDE {
            return Self { source, width: source.width(), height: source.height(), whole: None };
        }
        let long = (u64::from(SHORT_SIDE) * u64::from(long) / u64::from(short)) as u32;
        let (width, height) = if source.width() <= source.height() { (SHORT_SIDE, long) } else { (long, SHORT_SIDE) };
        let mut this = Self { source, width, height, whole: None };
        if u64::from(width) * u64::from(height) <= MAX_WHOLE_PIXELS {
            let rgb = this.resized(0, 0, width, height);
            this.whole = RgbImage::from_raw(width, height, rgb);
        }
        this
    }

    /// Whether the pixels are made as they are asked for.
    fn is_lazy(&self) -> bool {
        self.whole.is_none() && self.source.dimensions() != (self.width, self.height)
    }

    /// The RGB pixels of a rectangle, row by row.
    fn region(&self, x: u32, y: u32, width: u32, height: u32) -> Vec<u8> {
        if self.is_lazy() {
            return self.resized(x, y, width, height);
        }
        let image = self.whole.as_ref().unwrap_or(self.source);
        let row_bytes = image.width() as usize * 3;
        let (start, length) = (x as usize * 3, width as usize * 3);
        let rows = image.as_raw().chunks_exact(row_bytes).skip(y as usize).take(height as usize);
        rows.flat_map(|row| &row[start..start + length]).copied().collect()
    }

    /// The pixels at the four crossings of two taps: upper left, upper right, lower left, lower right.
    fn corners(&self, x: &Tap, y: &Tap) -> [[u8; 3]; 4] {
        if self.is_lazy() {
            let (width, height) = (x.second - x.first + 1, y.second - y.first + 1);
            let rgb = self.resized(x.first, y.first, width, height);
            let pixel = |x: u32, y: u32| {
                let start = ((y * width + x) * 3) as usize;
                [rgb[start], rgb[start + 1], rgb[start + 2]]
            };
            let (right, lower) = (width - 1, height - 1);
            return [pixel(0, 0), pixel(right, 0), pixel(0, lower), pixel(right, lower)];
        }
        let image = self.whole.as_ref().unwrap_or(self.source);
        let pixel = |x: u32, y: u32| image.get_pixel(x, y).0;
        [pixel(x.first, y.first), pixel(x.second, y.first), pixel(x.first, y.second), pixel(x.second, y.second)]
    }

    /// Resizes the part of the source that a rectangle of the enlarged image shows: the same pixels
    /// as cutting it from the whole, as the filter reads the source beyond the part's edges.
    fn resized(&self, x: u32, y: u32, width: u32, height: u32) -> Vec<u8> {
        let (source_width, source_height) = self.source.dimensions();
        let (left, part_width) = part(x, width, source_width, self.width);
        let (top, part_height) = part(y, height, source_height, self.height);
        let columns = with_margin(left, part_width, source_width);
        let rows = with_margin(top, part_height, source_height);
        let row_bytes = source_width as usize * 3;
        let (first, end) = (columns.start as usize * 3, columns.end as usize * 3);
        let cut: Vec<u8> = self.source.as_raw()[rows.start as usize * row_bytes..rows.end as usize * row_bytes]
            .chunks_exact(row_bytes)
            .flat_map(|row| &row[first..end])
            .copied()
            .collect();

        // Pillow resizes rows, rounds to 8 bits, then resizes columns.
        let n_rows = rows.end - rows.start;
        let across = (left - f64::from(columns.start), 0.0, part_width, f64::from(n_rows));
        let cut = resize_once(&cut, (columns.end - columns.start, n_rows), across, (width, n_rows));
        let down = (0.0, top - f64::from(rows.start), f64::from(width), part_height);
        resize_once(&cut, (width, n_rows), down, (width, height))
    }
}

/// The whole pixels that the filter may read for a stretch of the source.
fn with_margin(start: f64, length: f64, source: u32) -> std::ops::Range<u32> {
    const MARGIN: f64 = 2.0;
    (start - MARGIN).floor().max(0.0) as u32..((start + length + MARGIN).ceil() as u32).min(source)
}

/// The stretch of the source, start and length, that a stretch of the enlarged image shows.
fn part(start: u32, length: u32, source: u32, enlarged: u32) -> (f64, f64) {
    let scale = f64::from(source) / f64::from(enlarged);
    let start = f64::from(start) * scale;
    (start, (f64::from(length) * scale).min(f64::from(source) - start))
}

/// Resizes a crop (left, top, width, height) along one axis, bilinear, rounded to 8 bits.
///
/// In floating point: the library's 8-bit path has fewer bits than Pillow's and is often one level off.
fn resize_once(rgb: &[u8], from: (u32, u32), crop: (f64, f64, f64, f64), to: (u32, u32)) -> Vec<u8> {
    let pixels: Vec<F32x3> = rgb.as_chunks::<3>().0.iter().map(|rgb| F32x3::new(rgb.map(f32::from))).collect();
    let source = TypedImageRef::new(from.0, from.1, &pixels).expect("the pixels fill the size");
    let mut target = TypedImage::<F32x3>::new(to.0, to.1);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(crop.0, crop.1, crop.2, crop.3);
    Resizer::new().resize_typed(&source, &mut target, &options).expect("the crop lies within the image");
    target.pixels().iter().flat_map(|pixel| pixel.0.map(|level| (level + 0.5) as u8)).collect()
}

/// The normalised value of each 8-bit level of each channel.
struct Normalise([[f32; 256]; 3]);

impl Normalise {
    fn new() -> Self {
        Self(std::array::from_fn(|channel| {
            std::array::from_fn(|level| (level as f32 / 255.0 - MEAN[channel]) / STD[channel])
        }))
    }

    fn level(&self, channel: usize, level: u8) -> f32 {
        self.0[channel][level as usize]
    }
}

fn on_white(image: DynamicImage) -> RgbImage {
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    let blend = |level: u8, alpha: u32| ((u32::from(level) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
    let rgb = rgba.pixels().flat_map(|pixel| {
        let [r, g, b, alpha] = pixel.0;
        [r, g, b].map(|level| blend(level, u32::from(alpha)))
    });
    RgbImage::from_raw(width, height, rgb.collect()).expect("three bytes for each pixel")
}
