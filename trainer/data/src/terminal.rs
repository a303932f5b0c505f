//! Text that may be a stranger's, made safe for a terminal.

/// The text without characters that would steer the terminal, which stand as `\u{1b}` instead; line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    // Marks that turn the direction of writing can make a name look like another one.
    let steers = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { printable.extend(c.escape_unicode()) } else { printable.push(c) }
    }
    printable
}

/// As [`printable`], on one line.
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
