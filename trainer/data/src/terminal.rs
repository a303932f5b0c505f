//! Makes text from outside safe for a terminal.

/// Replaces control characters, which could control the terminal, by escapes such as `\u{1b}`. Line breaks and tabs
/// stay.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::terminal::printable;
///
/// assert_eq!(printable("a\u{1b}[31m.png"), "a\\u{1b}[31m.png");
/// ```
pub fn printable(text: &str) -> String {
    // Characters that change the writing direction can make a name look like another one.
    let is_unsafe = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { printable.extend(c.escape_unicode()) } else { printable.push(c) }
    }
    printable
}

/// Replaces control characters like [`printable`], and also line breaks.
pub fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_and_not_sent() {
        assert_eq!(printable("a\u{1b}[31mb\u{9b}2J\rc\td\ne"), "a\\u{1b}[31mb\\u{9b}2J\\u{d}c\td\ne");
        assert_eq!(printable_line("gnp.\u{202e}exe\n猫"), "gnp.\\u{202e}exe\\n猫");
    }
}
