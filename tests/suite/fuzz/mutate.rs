//! Changes of valid inputs. Most parsers reject random bytes at the first one.

use arbtest::arbitrary::{Result, Unstructured};

use crate::support::archives::repacked_zip;

/// Inputs stay below this size, so that a target parses many of them.
const MAX_BYTES: usize = 1 << 20;
/// Half of all changes are in the first bytes, where most formats have their header.
const HEADER_BYTES: usize = 64;
/// The longest range that one change copies or removes.
const MAX_RANGE: usize = 256;
/// Numbers at the limits of their types, and around them.
const EDGES: [u64; 14] =
    [0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// Changes `bytes` at one to eight places. `words` are parts of the format, which are inserted.
pub fn mutate(u: &mut Unstructured, bytes: &mut Vec<u8>, words: &[&[u8]]) -> Result<()> {
    for _ in 0..u.int_in_range(1..=8)? {
        change(u, bytes, words)?;
        bytes.truncate(MAX_BYTES);
    }
    Ok(())
}

/// As [`mutate`], for text. Bytes that are not UTF-8 become U+FFFD.
pub fn mutated_text(u: &mut Unstructured, text: &str, words: &[&str]) -> Result<String> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut bytes = text.as_bytes().to_vec();
    mutate(u, &mut bytes, &words)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A ZIP archive with changes by [`mutate`] in the content of one entry.
pub fn mutated_zip(u: &mut Unstructured, archive: &[u8], entry: &str, words: &[&[u8]]) -> Result<Vec<u8>> {
    let mut result = Ok(());
    let archive = repacked_zip(archive, |name, content| {
        if name == entry {
            result = mutate(u, content, words);
        }
    });
    result.map(|()| archive)
}

fn change(u: &mut Unstructured, bytes: &mut Vec<u8>, words: &[&[u8]]) -> Result<()> {
    let at = place(u, bytes.len())?;
    let end = at + u.int_in_range(0..=MAX_RANGE.min(bytes.len() - at))?;
    match u.int_in_range(0..=9)? {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << u.int_in_range(0..=7)?;
            }
        }
        1 => {
            for byte in bytes[at..end].iter_mut().take(8) {
                *byte = u.arbitrary()?;
            }
        }
        2 => {
            let number = *u.choose(&EDGES)?;
            let width = *u.choose(&[1, 2, 4, 8])?;
            let number =
                if u.arbitrary()? { number.to_le_bytes() } else { number.rotate_right(8 * width).to_be_bytes() };
            let digits = &number[..width as usize];
            bytes[at..].iter_mut().zip(digits).for_each(|(byte, digit)| *byte = *digit);
        }
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let part = bytes[at..end].to_vec();
            let elsewhere = place(u, bytes.len())?;
            insert(bytes, elsewhere, &part);
        }
        6 => {
            let part = bytes[at..end].repeat(u.int_in_range(1..=64)?);
            insert(bytes, end, &part);
        }
        7 if !words.is_empty() => insert(bytes, at, u.choose(words)?),
        8 if !words.is_empty() => {
            let word = u.choose(words)?;
            bytes.splice(at..end, word.iter().copied());
        }
        // A number that is written in digits.
        _ => {
            let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else { return Ok(()) };
            let start = at + start;
            let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = u.choose(&EDGES)?.to_string();
            bytes.splice(start..start + digits, number.bytes());
        }
    }
    Ok(())
}

fn place(u: &mut Unstructured, length: usize) -> Result<usize> {
    let last = if u.arbitrary()? { length.min(HEADER_BYTES) } else { length };
    u.int_in_range(0..=last)
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}
