//! A text as CLIP's tokenizer wants it, each character knowing where it came from (SPEC §2).
//!
//! Reference: open_clip `tokenizer.py`, `_clean_lower`: HTML entities unescaped twice as Python's
//! `html.unescape` does, white space collapsed and trimmed, lower case. Where we differ: `ftfy` is
//! not applied (SPEC D5).

use std::ops::Range;

/// Characters, each with the bytes of the original text that it stands for.
type Characters = Vec<(char, Range<usize>)>;

/// Longest entity name that Python looks for, in characters.
const MAX_ENTITY: usize = 32;

/// A cleaned text and its origin.
pub(crate) struct Cleaned {
    pub text: String,
    /// Byte range in the original text of each byte of `text`.
    origins: Vec<Range<usize>>,
}

impl Cleaned {
    pub fn new(original: &str) -> Self {
        let characters = collapse_white_space(&unescape(&unescape(&characters_of(original))));
        // Lower case depends on the neighbours (a final Σ becomes ς), so the text is lowered as a
        // whole; each character still becomes as many as it would alone.
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

    /// The bytes of the original text behind a byte range of the cleaned one.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        match self.origins.get(range).unwrap_or_default() {
            [] => 0..0,
            [only] => only.clone(),
            [first, .., last] => first.start..last.end,
        }
    }
}

/// A text whose character references stand for themselves, such as `&quot;` for a quotation mark.
pub(crate) fn unescaped(text: &str) -> String {
    unescape(&characters_of(text)).into_iter().map(|(c, _)| c).collect()
}

fn characters_of(text: &str) -> Characters {
    text.char_indices().map(|(i, c)| (c, i..i + c.len_utf8())).collect()
}

/// Python counts four control characters as white space that Unicode does not.
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

/// The character reference after an `&`: how many characters it takes, and what it stands for.
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
    // The whole name first, then its longest prefix that is an entity without semicolon.
    let mut ends: Vec<usize> = name.char_indices().map(|(i, c)| i + c.len_utf8()).collect();
    let whole = ends.pop()?;
    std::iter::once(whole).chain(ends.into_iter().rev()).filter(|&end| end == whole || end > 1).find_map(|end| {
        let entity = format!("&{}", &name[..end]);
        let text = htmlize::ENTITIES.get(entity.as_bytes())?;
        let text = std::str::from_utf8(text).expect("HTML's entities are valid text");
        Some((name[..end].chars().count(), text.to_owned()))
    })
}

/// What a numeric reference stands for, by the HTML standard's table of exceptions.
fn numeric(digits: &str, radix: u32) -> String {
    const WINDOWS_1252: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let number = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX); // only digits, so too many of them
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
    fn a_span_leads_back_to_the_original_text() {
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
