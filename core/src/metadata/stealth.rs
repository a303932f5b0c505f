//! Finds the prompt in the lowest bits of a PNG file's alpha channel. It remains when all text chunks are removed.
//!
//! NovelAI and the extension "stealth pnginfo" of Stable Diffusion WebUI write it. Bits are stored column by column, the
//! highest bit of each byte first. A signature of 15 bytes comes first, then the length of the text in bits as a 32-bit
//! number, then the text. There are two signatures: one for plain text and one for gzipped text.

use std::io::{Cursor, Read};

use flate2::read::GzDecoder;
use image::{DynamicImage, ImageFormat, ImageReader};

use super::grammar;
use super::prompt::{EmbeddedPrompt, PromptSource, TEXT_LIMIT};
use crate::limits::decoder_limits;

const PLAIN: &[u8; 15] = b"stealth_pnginfo";
const GZIPPED: &[u8; 15] = b"stealth_pngcomp";

/// The prompt in a PNG file with an 8-bit alpha channel. This decodes the pixels, so it is tried last.
pub(super) fn prompt(bytes: &[u8]) -> Option<EmbeddedPrompt> {
    // Bit depth and colour type in the header: 8-bit RGB with alpha.
    if !bytes.starts_with(b"\x89PNG") || bytes.get(24..26)? != [8, 6] {
        return None;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    reader.limits(decoder_limits());
    let DynamicImage::ImageRgba8(image) = reader.decode().ok()? else { return None };
    let (width, height) = image.dimensions();
    let mut bits = (0..width).flat_map(|x| (0..height).map(move |y| (x, y))).map(|(x, y)| image.get_pixel(x, y)[3] & 1);
    let mut take = |bytes: usize| -> Option<Vec<u8>> {
        (0..bytes).map(|_| (0..8).try_fold(0, |byte, _| Some(byte << 1 | bits.next()?))).collect()
    };
    let signature = take(PLAIN.len())?;
    let is_gzipped = signature == GZIPPED;
    if !is_gzipped && signature != PLAIN {
        return None;
    }
    let length = u32::from_be_bytes(take(4)?.try_into().ok()?) / 8;
    let data = take(usize::try_from(length).ok()?)?;
    let mut text = data;
    if is_gzipped {
        let data = std::mem::take(&mut text);
        GzDecoder::new(&data[..]).take(TEXT_LIMIT as u64).read_to_end(&mut text).ok()?;
    }
    EmbeddedPrompt::new(&grammar::recognised(&String::from_utf8(text).ok()?)?, PromptSource::Stealth)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use image::RgbaImage;

    use super::super::embedded_prompt;
    use super::*;

    const INFO: &str = "a cat, 猫\nSteps: 20, Sampler: Euler a";

    /// A PNG file with these bytes in its alpha channel.
    fn png(hidden: &[u8]) -> Vec<u8> {
        let mut image = RgbaImage::from_pixel(64, 50, [90, 80, 70, 255].into());
        let bits = hidden.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        for (place, bit) in (0..).zip(bits) {
            image.get_pixel_mut(place / 50, place % 50)[3] = 254 | bit;
        }
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("a vector takes all");
        bytes
    }

    fn hidden(signature: &[u8], text: &[u8]) -> Vec<u8> {
        let bits = u32::try_from(8 * text.len()).expect("small").to_be_bytes();
        [signature, &bits, text].concat()
    }

    fn gzipped(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).expect("a vector takes all");
        gzip.finish().expect("a vector takes all")
    }

    #[test]
    fn a_prompt_in_the_alpha_channel_is_read() {
        let novelai = r#"{"Software": "NovelAI", "Comment": "{\"prompt\": \"a cat, 猫\"}"}"#;
        for hidden in
            [hidden(PLAIN, INFO.as_bytes()), hidden(GZIPPED, &gzipped(INFO)), hidden(GZIPPED, &gzipped(novelai))]
        {
            let expected = EmbeddedPrompt::new("a cat, 猫", PromptSource::Stealth);
            assert_eq!(embedded_prompt(&png(&hidden)), expected);
        }
    }

    #[test]
    fn lengths_and_texts_that_are_wrong_are_no_prompt() {
        let claims = [PLAIN, &u32::MAX.to_be_bytes()[..], b"a cat\nSteps: 2"].concat();
        for hidden in [b"nothing".to_vec(), claims, hidden(GZIPPED, b"no gzip"), hidden(PLAIN, b"\xff\nSteps: 2")] {
            assert_eq!(embedded_prompt(&png(&hidden)), None);
        }
        let whole = png(&hidden(PLAIN, INFO.as_bytes()));
        assert_eq!(embedded_prompt(&whole[..whole.len() / 2]), None);
    }
}
