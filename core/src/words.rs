//! The words of initial prompts: their tokens, and where their features are.

use std::ops::Range;

use crate::options::Words;
use crate::rows::Rows;
use crate::tokenizer::Tokens;

/// The words of an initial prompt.
pub(crate) struct Prompt {
    pub text: String,
    pub tokens: Tokens,
    /// Those of the tokens between start and end; `None` when there are none.
    pub features: Option<Rows>,
}

/// The tokens, counted from the start token, that make up each word.
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
