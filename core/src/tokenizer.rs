//! CLIP's tokenizer: from text to token ids, each with its place in the text (SPEC §2).
//!
//! Reference: open_clip `tokenizer.py`, `SimpleTokenizer`. The byte-pair merges are OpenAI's; see `core/assets/README.md`. The
//! regular expressions run on fancy-regex, natively and in wasm.

use std::io::Read;
use std::ops::Range;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{Encoding, Model, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior, Token};

use crate::clean::Cleaned;

/// The size of CLIP's vocabulary: 2 × 256 bytes, 48,894 merges, 2 special tokens.
pub const VOCAB_SIZE: usize = 49_408;
/// The id of the first token of each text.
pub const START: u32 = 49_406;
/// The id of the last token of each text. The feature of this token is the feature of the whole text.
pub const END: u32 = 49_407;

const MERGES: &[u8] = include_bytes!("../assets/clip_merges.txt.gz");
/// The special tokens, in the order of their ids.
const SPECIAL: [(&str, u32); 2] = [("<start_of_text>", START), ("<end_of_text>", END)];
/// Matches special tokens, contractions, runs of letters, single digits, and runs of other characters.
const PATTERN: &str = r"(?i)<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
const END_OF_WORD: &str = "</w>";

/// CLIP's byte-pair tokenizer.
pub struct Tokenizer {
    split: Split,
    byte_level: ByteLevel,
    model: BPE,
}

/// A tokenized text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Token ids from [`START`] to [`END`], without padding.
    pub ids: Vec<u32>,
    /// For each id between start and end: its byte range in the text.
    pub spans: Vec<Range<usize>>,
    /// For each id between start and end: the number of its word, from 0.
    pub words: Vec<usize>,
    /// Whether tokens were dropped to fit the context.
    pub is_truncated: bool,
}

impl Tokens {
    /// The position of the first end token, whose feature is the sentence feature, as in CLIP.
    pub fn sentence_position(&self) -> usize {
        self.ids.iter().position(|&id| id == END).expect("every text ends with the end token")
    }
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Tokenizer {
    /// Unpacks the built-in vocabulary. This takes tens of milliseconds, so a tokenizer should be reused.
    pub fn new() -> Self {
        let mut text = String::new();
        flate2::read::GzDecoder::new(MERGES).read_to_string(&mut text).expect("the built-in merges are valid");
        let merges: Vec<(String, String)> = text
            .lines()
            .map(|line| line.split_once(' ').expect("each line holds a pair"))
            .map(|(left, right)| (left.to_owned(), right.to_owned()))
            .collect();
        let bytes = byte_characters();
        let vocabulary = bytes
            .iter()
            .map(char::to_string)
            .chain(bytes.iter().map(|c| format!("{c}{END_OF_WORD}")))
            .chain(merges.iter().map(|(left, right)| format!("{left}{right}")))
            .chain(SPECIAL.map(|(text, _)| text.to_owned()))
            .zip(0..)
            .collect::<Vocab>();
        assert_eq!(vocabulary.len(), VOCAB_SIZE, "the built-in merges are complete");
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .end_of_word_suffix(END_OF_WORD.into())
            .build()
            .expect("the built-in vocabulary is consistent");

        let pattern = SplitPattern::Regex(PATTERN.into());
        let split = Split::new(pattern, SplitDelimiterBehavior::Removed, true).expect("the pattern is a constant");
        Self { split, byte_level: ByteLevel::new(false, false, false), model }
    }

    /// Tokenizes `text` into at most `context_length` ids. A longer text is truncated; its last id is still [`END`].
    ///
    /// # Panics
    /// If `context_length` is below 2.
    ///
    /// # Examples
    ///
    /// ```
    /// use tsp_mgs_core::tokenizer::{END, START, Tokenizer};
    ///
    /// let text = "A photo of a cat.";
    /// let tokens = Tokenizer::new().encode(text, 77);
    /// assert_eq!(tokens.ids, [START, 320, 1125, 539, 320, 2368, 269, END]);
    /// assert_eq!(&text[tokens.spans[4].clone()], "cat");
    /// ```
    pub fn encode(&self, text: &str, context_length: usize) -> Tokens {
        let cleaned = Cleaned::new(text);
        let encoding = self.pieces(&cleaned.text).expect("byte-level tokens cover every text");
        let kept = encoding.len().min(context_length - 2);
        let ids = std::iter::once(START)
            .chain(encoding.get_ids().iter().copied().take(kept))
            .chain(std::iter::once(END))
            .collect();
        let spans = encoding.get_offsets().iter().take(kept).map(|&(start, end)| cleaned.origin(start..end)).collect();
        let mut word = 0;
        let words = encoding.get_tokens()[..kept]
            .iter()
            .map(|token| {
                let this = word;
                word += usize::from(token.ends_with(END_OF_WORD));
                this
            })
            .collect();
        Tokens { ids, spans, words, is_truncated: kept < encoding.len() }
    }
}

impl Tokenizer {
    fn pieces(&self, cleaned: &str) -> tokenizers::Result<Encoding> {
        let mut pieces = PreTokenizedString::from(cleaned);
        self.split.pre_tokenize(&mut pieces)?;
        self.byte_level.pre_tokenize(&mut pieces)?;
        // The text of a special token gets the id of the special token, as in open_clip.
        pieces.tokenize(|piece| match SPECIAL.iter().find(|(text, _)| *text == piece.get()) {
            Some((text, id)) => Ok(vec![Token::new(*id, (*text).to_owned(), (0, text.len()))]),
            None => self.model.tokenize(piece.get()),
        })?;
        pieces.into_encoding(None, 0, OffsetType::Byte)
    }
}

/// The character for each byte, in the order of the first 256 entries of the vocabulary: printable bytes are their own
/// characters, the others get characters from U+0100.
fn byte_characters() -> Vec<char> {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=u8::MAX).filter(is_printable).map(char::from);
    let others = (0..=u8::MAX).filter(|byte| !is_printable(byte)).zip('\u{100}'..).map(|(_, c)| c);
    printable.chain(others).collect()
}
