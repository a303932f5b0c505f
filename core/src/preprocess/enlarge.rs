//! Upscales small images as Pillow does (SPEC §1.2).

use std::borrow::Cow;
use std::ops::Range;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::F32x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

/// The shorter side of an image after upscaling. Larger images keep their size (IPCE).
pub const SHORT_SIDE: u32 = 512;

/// Images of up to this many pixels (96 MiB) are upscaled as a whole. For larger ones, only the pixels that views show are
/// computed.
const MAX_WHOLE_PIXELS: u64 = 1 << 25;

/// An upright image, upscaled to at least [`SHORT_SIDE`] pixels a side. Views are cut from it.
///
/// Its [pixels](Self::pixels) can be stored. An image that [`Self::from_pixels`] makes of them gives the same views.
pub struct Enlarged<'a> {
    /// Pixels of the upscaled image, or of the upright image if the upscaled one would be too large.
    rgb: Cow<'a, [u8]>,
    rgb_size: (u32, u32),
    upright: (u32, u32),
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Width and height of an upright image after upscaling. An image that is large enough keeps its size.
pub fn enlarged_size(width: u32, height: u32) -> (u32, u32) {
    let (short, long) = (width.min(height), width.max(height));
    if short >= SHORT_SIDE {
        return (width, height);
    }
    let long = (u64::from(SHORT_SIDE) * u64::from(long) / u64::from(short)) as u32;
    if width <= height { (SHORT_SIDE, long) } else { (long, SHORT_SIDE) }
}

/// Width and height of [`Enlarged::pixels`] for an upright image of this size: its [`enlarged_size`], or its own size if the
/// upscaled image would be too large.
pub fn kept_size(width: u32, height: u32) -> (u32, u32) {
    let (large_width, large_height) = enlarged_size(width, height);
    let is_whole = u64::from(large_width) * u64::from(large_height) <= MAX_WHOLE_PIXELS;
    if is_whole { (large_width, large_height) } else { (width, height) }
}

impl<'a> Enlarged<'a> {
    /// Upscales an upright image if it is small, else borrows it.
    pub fn new(image: &'a RgbImage) -> Self {
        let (width, height) = enlarged_size(image.width(), image.height());
        let upright = image.dimensions();
        let mut this = Self { rgb: Cow::Borrowed(image.as_raw()), rgb_size: upright, upright, width, height };
        if this.is_lazy() && kept_size(upright.0, upright.1) == (width, height) {
            this.rgb = Cow::Owned(this.resized(0, 0, width, height));
            this.rgb_size = (width, height);
        }
        this
    }

    /// Borrows stored pixels of an upright image of `width` × `height` pixels.
    ///
    /// Returns `None` if the length of `rgb` differs from [`kept_size`].
    pub fn from_pixels(rgb: &'a [u8], width: u32, height: u32) -> Option<Self> {
        let rgb_size = kept_size(width, height);
        if rgb.len() as u64 != u64::from(rgb_size.0) * u64::from(rgb_size.1) * 3 {
            return None;
        }
        let (large_width, large_height) = enlarged_size(width, height);
        let upright = (width, height);
        Some(Self { rgb: Cow::Borrowed(rgb), rgb_size, upright, width: large_width, height: large_height })
    }

    /// The pixels to store, 8-bit RGB, row-major `[height, width, 3]`, of size [`kept_size`].
    pub fn pixels(&self) -> &[u8] {
        &self.rgb
    }

    /// Width and height of the upright image, before upscaling.
    pub fn upright_size(&self) -> (u32, u32) {
        self.upright
    }

    /// Whether upscaled pixels are computed on demand.
    fn is_lazy(&self) -> bool {
        self.rgb_size != (self.width, self.height)
    }

    /// The pixels of a rectangle.
    pub(super) fn region(&self, x: u32, y: u32, width: u32, height: u32) -> Region<'_> {
        let row_bytes = |width: u32| width as usize * 3;
        if self.is_lazy() {
            let rgb = self.resized(x, y, width, height).into();
            return Region { rgb, row_bytes: row_bytes(width), columns: 0..row_bytes(width) };
        }
        let stride = row_bytes(self.width);
        let rows = y as usize * stride..(y + height) as usize * stride;
        let columns = row_bytes(x)..row_bytes(x + width);
        Region { rgb: Cow::Borrowed(&self.rgb[rows]), row_bytes: stride, columns }
    }

    /// The pixels where two columns cross two rows: upper left, upper right, lower left, lower right.
    pub(super) fn corners(&self, x: [u32; 2], y: [u32; 2]) -> [[u8; 3]; 4] {
        if self.is_lazy() {
            let (left, top) = (x[0].min(x[1]), y[0].min(y[1]));
            let (width, height) = (x[0].abs_diff(x[1]) + 1, y[0].abs_diff(y[1]) + 1);
            let rgb = self.resized(left, top, width, height);
            return crossings(&rgb, width, x.map(|x| x - left), y.map(|y| y - top));
        }
        crossings(&self.rgb, self.width, x, y)
    }

    /// Computes a rectangle of the upscaled image. The filter reads the source beyond the edges of the rectangle, so the pixels
    /// equal those of the whole upscaled image.
    fn resized(&self, x: u32, y: u32, width: u32, height: u32) -> Vec<u8> {
        let (source_width, source_height) = self.rgb_size;
        let (left, part_width) = part(x, width, source_width, self.width);
        let (top, part_height) = part(y, height, source_height, self.height);
        let columns = with_margin(left, part_width, source_width);
        let rows = with_margin(top, part_height, source_height);
        let row_bytes = source_width as usize * 3;
        let (first, end) = (columns.start as usize * 3, columns.end as usize * 3);
        let cut: Vec<u8> = self.rgb[rows.start as usize * row_bytes..rows.end as usize * row_bytes]
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

/// A rectangle of an image.
pub(super) struct Region<'a> {
    rgb: Cow<'a, [u8]>,
    row_bytes: usize,
    /// The bytes of each row that are inside the rectangle.
    columns: Range<usize>,
}

impl Region<'_> {
    /// The pixels, row by row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[[u8; 3]]> {
        self.rgb.chunks_exact(self.row_bytes).map(|row| row[self.columns.clone()].as_chunks().0)
    }
}

fn crossings(rgb: &[u8], width: u32, x: [u32; 2], y: [u32; 2]) -> [[u8; 3]; 4] {
    let pixels = rgb.as_chunks::<3>().0;
    let pixel = |x: u32, y: u32| pixels[y as usize * width as usize + x as usize];
    [pixel(x[0], y[0]), pixel(x[1], y[0]), pixel(x[0], y[1]), pixel(x[1], y[1])]
}

/// The pixels that the filter can read for a part of a source axis.
fn with_margin(start: f64, length: f64, source: u32) -> Range<u32> {
    const MARGIN: f64 = 2.0;
    (start - MARGIN).floor().max(0.0) as u32..((start + length + MARGIN).ceil() as u32).min(source)
}

/// Start and length of the part of a source axis that a part of the upscaled axis shows.
fn part(start: u32, length: u32, source: u32, enlarged: u32) -> (f64, f64) {
    let scale = f64::from(source) / f64::from(enlarged);
    let start = f64::from(start) * scale;
    (start, (f64::from(length) * scale).min(f64::from(source) - start))
}

/// Resizes a rectangle (left, top, width, height) along one axis, bilinear, rounded to 8 bits.
///
/// The arithmetic is floating point: the library's 8-bit arithmetic is less precise than Pillow's and often differs by one
/// level.
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
