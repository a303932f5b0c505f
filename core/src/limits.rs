//! Limits for images from untrusted sources.

use image::Limits;

/// The largest width and height, in pixels, of an image that is decoded.
pub const MAX_SIDE: u32 = 16_384;
/// The size of an image of [`MAX_SIDE`] squared pixels with four 16-bit channels.
const MAX_DECODER_BYTES: u64 = MAX_SIDE as u64 * MAX_SIDE as u64 * 8;

/// The memory limit of a decoder: a file header cannot make it allocate more than the largest image needs.
pub(crate) fn decoder_limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    limits
}
