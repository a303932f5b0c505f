//! The largest image that is decoded.

use image::Limits;

/// Longest side that is decoded, in pixels; two of them are 268 megapixels.
pub const MAX_SIDE: u32 = 16_384;
/// Memory that a decoder may take: the largest image with four 16-bit channels.
const MAX_DECODER_BYTES: u64 = MAX_SIDE as u64 * MAX_SIDE as u64 * 8;

/// What a decoder may take: a file shall not make us reserve more than the largest image needs.
pub(crate) fn decoder_limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    limits
}
