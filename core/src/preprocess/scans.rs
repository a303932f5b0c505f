//! Decodes JPEG files that are not progressive and have a separate scan for each colour component (ITU-T T.81, A.2.2).
//!
//! zune-jpeg 0.5 decodes such files wrongly: colours are wrong if they are stored at half size, else the last blocks are
//! missing (its issues 419 and 448). It decodes a single scan correctly as a grey image, so this module decodes three grey
//! images and combines them. It can be deleted once a release of zune-jpeg reads these files. Browsers reject such files, to
//! keep the module that they download small.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, ImageReader, RgbImage};

use crate::error::{Error, Result};
use crate::limits::decoder_limits;

/// Markers of baseline and extended sequential frames.
const FRAMES: [u8; 2] = [0xc0, 0xc1];
const SCAN: u8 = 0xda;
/// Markers of the segments that a scan needs: quantisation tables, Huffman tables, restart interval.
const TABLES: [u8; 3] = [0xdb, 0xc4, 0xdd];
/// Marker of Adobe's segment. It can state that the three components are RGB.
const ADOBE: u8 = 0xee;
const END: u8 = 0xd9;
/// The number of components, and so of separate scans, that is supported.
const COMPONENTS: usize = 3;

/// A segment of a file.
struct Segment<'a> {
    marker: u8,
    /// Two bytes of length, then the data.
    data: &'a [u8],
    /// The coded pixels that follow a scan's segment.
    coded: &'a [u8],
}

/// One component of an image.
struct Plane {
    pixels: GrayImage,
    /// Horizontal and vertical subsampling: the number of the image's pixels for each pixel of the plane.
    factor: (u32, u32),
}

/// Whether a JPEG file has separate scans and is not progressive.
///
/// # Errors
/// [`Error::Truncated`] for a file without an end marker. Bytes after the end marker are ignored.
pub(super) fn has_separate_scans(bytes: &[u8]) -> Result<bool> {
    let (mut components, mut is_separate) = (1, false);
    for segment in segments(bytes) {
        let Segment { marker, data, .. } = segment?;
        if FRAMES.contains(&marker) {
            components = data.get(7).copied().unwrap_or_default();
        }
        is_separate |= marker == SCAN && data.get(2).is_some_and(|&scanned| scanned < components);
    }
    Ok(is_separate)
}

/// Decodes a file with separate scans.
///
/// # Errors
/// [`Error::Scans`] if there are not three components, or a scan has two of them.
pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage> {
    let (mut tables, mut frame, mut planes, mut is_rgb) = (Vec::new(), None, Vec::new(), false);
    for segment in segments(bytes) {
        let Segment { marker, data, coded } = segment?;
        match (marker, &frame) {
            (marker, _) if TABLES.contains(&marker) => tables.extend([&[0xff, marker], data].concat()),
            // A second frame could have another size than the planes before it.
            (marker, Some(_)) if FRAMES.contains(&marker) => return Err(Error::Scans),
            (marker, None) if FRAMES.contains(&marker) => frame = Frame::of(marker, data),
            (ADOBE, _) => is_rgb = data.get(2..7) == Some(&b"Adobe"[..]) && data.get(13) == Some(&0),
            // A small file can have many scans, and each would take the memory of a plane.
            (SCAN, Some(_)) if planes.len() == COMPONENTS => return Err(Error::Scans),
            (SCAN, Some(frame)) => planes.push(frame.plane(data, coded, &tables)?),
            _ => {}
        }
    }
    let (Some(frame), Ok(planes)) = (frame, <[(u8, Plane); COMPONENTS]>::try_from(planes)) else {
        return Err(Error::Scans);
    };
    is_rgb |= frame.components.map(|component| component[0]) == *b"RGB";
    let plane = |id: [u8; 3]| planes.iter().find(|(found, _)| *found == id[0]).map(|(_, plane)| plane);
    let [Some(first), Some(second), Some(third)] = frame.components.map(plane) else { return Err(Error::Scans) };
    Ok(RgbImage::from_fn(frame.width.into(), frame.height.into(), |x, y| {
        let levels = [first, second, third].map(|plane| plane.level(x, y));
        let rgb = if is_rgb { levels } else { rgb(levels) };
        rgb.map(|level| level.clamp(0, 255) as u8).into()
    }))
}

/// Converts YCbCr to RGB (JFIF 1.02, page 3) with 14 fractional bits.
fn rgb([y, cb, cr]: [i32; 3]) -> [i32; 3] {
    let (y, cb, cr) = ((y << 14) + (1 << 13) - 1, cb - 128, cr - 128);
    [y + 22_970 * cr, y - 5638 * cb - 11_700 * cr, y + 29_032 * cb].map(|level| level >> 14)
}

/// A frame of three components.
struct Frame {
    marker: u8,
    height: u16,
    width: u16,
    /// For each component: its name, its sampling factors, and its quantisation table.
    components: [[u8; 3]; 3],
}

impl Frame {
    fn of(marker: u8, data: &[u8]) -> Option<Self> {
        let &[_, _, 8, h1, h0, w1, w0, 3, ref components @ ..] = data else { return None };
        let components = components.as_chunks().0.try_into().ok()?;
        Some(Self { marker, height: u16::from_be_bytes([h1, h0]), width: u16::from_be_bytes([w1, w0]), components })
    }

    /// Decodes the component of a scan as a grey image. Returns its name, too.
    fn plane(&self, scan: &[u8], coded: &[u8], tables: &[u8]) -> Result<(u8, Plane)> {
        let &[_, _, 1, id, huffman, ..] = scan else { return Err(Error::Scans) };
        let sampling = |[_, sampling, _]: [u8; 3]| (u32::from(sampling >> 4), u32::from(sampling & 15));
        let most =
            self.components.map(sampling).into_iter().fold((1, 1), |most, (h, v)| (most.0.max(h), most.1.max(v)));
        let component = self.components.iter().find(|component| component[0] == id).ok_or(Error::Scans)?;
        let (h, v) = sampling(*component);
        if h == 0 || v == 0 || most.0 % h > 0 || most.1 % v > 0 {
            return Err(Error::Scans);
        }
        let factor = (most.0 / h, most.1 / v);
        let size = |pixels: u16, factor: u32| u32::from(pixels).div_ceil(factor) as u16;
        let [height, width] = [size(self.height, factor.1), size(self.width, factor.0)].map(u16::to_be_bytes);
        let file = [
            b"\xff\xd8",
            tables,
            &[0xff, self.marker, 0, 11, 8],
            &height,
            &width,
            &[1, 1, 0x11, component[2], 0xff, SCAN, 0, 8, 1, 1, huffman, 0, 63, 0],
            coded,
            &[0xff, END],
        ]
        .concat();
        let mut reader = ImageReader::with_format(Cursor::new(&file[..]), ImageFormat::Jpeg);
        reader.limits(decoder_limits());
        let DynamicImage::ImageLuma8(pixels) = reader.decode()? else { return Err(Error::Scans) };
        Ok((id, Plane { pixels, factor }))
    }
}

impl Plane {
    /// The level at a pixel of the image: three quarters of the nearest sample and one quarter of the second nearest,
    /// vertically and then horizontally. It is rounded like zune-jpeg's.
    fn level(&self, x: u32, y: u32) -> i32 {
        let near = |place: u32, factor: u32, length: u32| {
            let own = place / factor;
            let next = match (factor, place % 2) {
                (2, 0) => own.saturating_sub(1),
                (2, _) => (own + 1).min(length - 1),
                _ => own,
            };
            (own, next)
        };
        let mix = |own: i32, next: i32| (3 * own + next + 2) >> 2;
        let (width, height) = self.pixels.dimensions();
        let (column, next_column) = near(x, self.factor.0, width);
        let (row, next_row) = near(y, self.factor.1, height);
        let level = |x, y| i32::from(self.pixels.get_pixel(x, y)[0]);
        let down = |x| mix(level(x, row), level(x, next_row));
        mix(down(column), down(next_column))
    }
}

/// The segments of a file before its end marker.
fn segments(bytes: &[u8]) -> impl Iterator<Item = Result<Segment<'_>>> {
    let mut rest = bytes.get(2..);
    std::iter::from_fn(move || {
        let marker_at = next_marker(rest?);
        let segment = marker_at.and_then(|start| {
            let (marker, after) = (rest?[start + 1], &rest?[start + 2..]);
            if marker == END {
                return Some(None);
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let (data, after) = after.split_at_checked(length)?;
            let (coded, after) = after.split_at(if marker == SCAN { next_marker(after)? } else { 0 });
            rest = Some(after);
            Some(Some(Segment { marker, data, coded }))
        });
        if !matches!(segment, Some(Some(_))) {
            rest = None;
        }
        segment.ok_or(Error::Truncated).transpose()
    })
}

/// The position of the next marker. Fill bytes are skipped, and so is coded data, in which 0xff is followed by 0 or by the code
/// of a restart marker.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7))
}
