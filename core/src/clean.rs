//! Cleans text for CLIP's tokenizer, and keeps the origin of each character (SPEC §2).
//!
//! Reference: open_clip `tokenizer.py`, `_clean_lower`. HTML entities are unescaped twice as by Python's `html.unescape`, white
//! space is collapsed and trimmed, and letters are converted to lower case. Difference: `ftfy` is not applied (SPEC D5).

use std::ops::Range;

/// Characters, each with its byte range in the original text.
type Characters = Vec<(char, Range<usize>)>;

/// The longest entity name that Python recognises, in characters.
const MAX_ENTITY: usize = 32;

/// A cleaned text, and the origin of its bytes.
pub(crate) struct Cleaned {
    pub text: String,
    /// For each byte of `text`: a byte range of the original text.
    origins: Vec<Range<usize>>,
}

impl Cleaned {
    pub fn new(original: &str) -> Self {
        let characters = collapse_white_space(&unescape(&unescape(&characters_of(original))));
        // Lower case can depend on adjacent characters (a final Σ becomes ς), so the whole text is converted at once. The number
        // of characters that a character becomes does not depend on them.
        let mixed_case: String = characters.iter().map(|(c, _)| c).collect();
        let text = mixed_case.to_lowercase();
        let mut lower = text.chars();
        let mut origins = Vec::with_capacity(text.len());
        for (character, origin) in characters {
            for lowered in lower.by_ref().take(character.to_lowercase().count()) {
                origins.extend(std::iter::repeat_n(origin.clone(), lowered.len_utf8()));
            }
        }
        Self { text, origins }
    }

    /// The byte range of the original text for a byte range of the cleaned text.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        match self.origins.get(range).unwrap_or_default() {
            [] => 0..0,
            [only] => only.clone(),
            [first, .., last] => first.start..last.end,
        }
    }
}

/// Replaces character references, such as `&quot;`, by the characters that they stand for.
pub(crate) fn unescaped(text: &str) -> String {
    unescape(&characters_of(text)).into_iter().map(|(c, _)| c).collect()
}

fn characters_of(text: &str) -> Characters {
    text.char_indices().map(|(i, c)| (c, i..i + c.len_utf8())).collect()
}

/// White space as in Python, which includes four control characters that Unicode does not.
fn is_white_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn collapse_white_space(characters: &Characters) -> Characters {
    let mut out = Characters::new();
    let mut gap: Option<Range<usize>> = None;
    for (c, origin) in characters {
        if is_white_space(*c) {
            gap = Some(gap.map_or(origin.clone(), |gap| gap.start..origin.end));
            continue;
        }
        if let Some(gap) = gap.take().filter(|_| !out.is_empty()) {
            out.push((' ', gap));
        }
        out.push((*c, origin.clone()));
    }
    out
}

/// Python's `html.unescape`.
fn unescape(characters: &Characters) -> Characters {
    let mut out = Characters::with_capacity(characters.len());
    let mut rest = characters.as_slice();
    while let [first, tail @ ..] = rest {
        match (first.0 == '&').then(|| reference(tail)).flatten() {
            Some((length, replacement)) => {
                let origin = first.1.start..tail[length - 1].1.end;
                out.extend(replacement.chars().map(|c| (c, origin.clone())));
                rest = &tail[length..];
            }
            None => {
                out.push(first.clone());
                rest = tail;
            }
        }
    }
    out
}

/// The character reference after an `&`: its length in characters, and the text that it stands for.
fn reference(tail: &[(char, Range<usize>)]) -> Option<(usize, String)> {
    let run = |from: usize, matches: &dyn Fn(char) -> bool| {
        tail.iter().skip(from).take_while(|(c, _)| matches(*c)).map(|(c, _)| *c).collect::<String>()
    };
    let semicolon = |at: usize| usize::from(tail.get(at).is_some_and(|(c, _)| *c == ';'));
    if tail.first()?.0 == '#' {
        let is_hex = matches!(tail.get(1)?.0, 'x' | 'X');
        let (start, radix) = if is_hex { (2, 16) } else { (1, 10) };
        let digits = run(start, &|c| c.is_digit(radix));
        let length = start + digits.len();
        return (!digits.is_empty()).then(|| (length + semicolon(length), numeric(&digits, radix)));
    }
    let name: String = run(0, &|c| !matches!(c, '\t' | '\n' | '\x0c' | ' ' | '<' | '&' | '#' | ';'))
        .chars()
        .take(MAX_ENTITY)
        .collect();
    let characters = name.chars().count();
    let name = if semicolon(characters) == 1 { name + ";" } else { name };
    // The whole name is tried first, then its prefixes, the longest first: some entities need no semicolon.
    let mut ends: Vec<usize> = name.char_indices().map(|(i, c)| i + c.len_utf8()).collect();
    let whole = ends.pop()?;
    std::iter::once(whole).chain(ends.into_iter().rev()).filter(|&end| end == whole || end > 1).find_map(|end| {
        let entity = format!("&{}", &name[..end]);
        let text = htmlize::ENTITIES.get(entity.as_bytes())?;
        let text = std::str::from_utf8(text).expect("HTML's entities are valid text");
        Some((name[..end].chars().count(), text.to_owned()))
    })
}

/// The character of a numeric reference, with the exceptions of the HTML standard.
fn numeric(digits: &str, radix: u32) -> String {
    const WINDOWS_1252: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let number = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX); // digits only, so the number is too large
    match number {
        0x80..=0x9f => WINDOWS_1252[number as usize - 0x80].into(),
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => String::new(),
        _ if number <= 0x10_ffff && number & 0xfffe == 0xfffe => String::new(),
        0 => '\u{fffd}'.into(),
        _ => char::from_u32(number).unwrap_or('\u{fffd}').into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_refer_to_the_original_text() {
        let original = "  A &amp;amp; B\t\tÉclair ";
        let cleaned = Cleaned::new(original);
        assert_eq!(cleaned.text, "a & b éclair");
        let span = |word: &str| {
            let start = cleaned.text.find(word).expect("the word is there");
            &original[cleaned.origin(start..start + word.len())]
        };
        assert_eq!(span("&"), "&amp;amp;");
        assert_eq!(span("éclair"), "Éclair");
        assert_eq!(span("b é"), "B\t\tÉ");
    }

    #[test]
    fn a_character_that_grows_keeps_its_origin() {
        let cleaned = Cleaned::new("İx");
        assert_eq!(cleaned.text, "i\u{307}x");
        assert_eq!(cleaned.origin(0..3), 0..2);
        assert_eq!(cleaned.origin(3..4), 2..3);
    }
}
