//! The words of initial prompts: their tokens and features.

use std::ops::Range;

use crate::options::Words;
use crate::rows::Rows;
use crate::tokenizer::Tokens;

/// An initial prompt and the features of its tokens.
pub(crate) struct Prompt {
    pub text: String,
    pub tokens: Tokens,
    /// One row for each token between start and end; `None` if there are no such tokens.
    pub features: Option<Rows>,
}

/// The tokens of each word. Token 0 is the first one after the start token.
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::options::Words;
/// use tsp_mgs_core::tokenizer::Tokenizer;
/// use tsp_mgs_core::words::token_groups;
///
/// let tokens = Tokenizer::new().encode("a photorealistic cat", 77); // "photo" and "realistic" are tokens
/// assert_eq!(token_groups(&tokens, Words::Tokens), [0..1, 1..2, 2..3, 3..4]);
/// assert_eq!(token_groups(&tokens, Words::Merged), [0..1, 1..3, 3..4]);
/// ```
pub fn token_groups(tokens: &Tokens, words: Words) -> Vec<Range<usize>> {
    match words {
        Words::Tokens => (0..tokens.words.len()).map(|i| i..i + 1).collect(),
        Words::Merged => {
            let mut start = 0;
            let groups = tokens.words.chunk_by(|a, b| a == b);
            groups
                .map(|group| {
                    start += group.len();
                    start - group.len()..start
                })
                .collect()
        }
    }
}
