//! Text to CLIP's token ids, with the place in the text that each id came from (SPEC §2).
//!
//! Reference: open_clip `tokenizer.py`, `SimpleTokenizer`. The byte-pair merges are OpenAI's; see
//! `core/assets/README.md`. The regular expressions run on fancy-regex natively and in wasm alike.

use std::io::Read;
use std::ops::Range;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{Encoding, Model, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior, Token};

use crate::clean::Cleaned;

/// Size of CLIP's vocabulary: 2 × 256 bytes, 48,894 merges, 2 special tokens.
pub const VOCAB_SIZE: usize = 49_408;
/// First token of every text.
pub const START: u32 = 49_406;
/// Last token of every text; its feature is the sentence's.
pub const END: u32 = 49_407;

const MERGES: &[u8] = include_bytes!("../assets/clip_merges.txt.gz");
/// The special tokens as text, in the order of their ids.
const SPECIAL: [(&str, u32); 2] = [("<start_of_text>", START), ("<end_of_text>", END)];
/// Special tokens, contractions, runs of letters, single digits, runs of anything else.
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
    /// For each id between start and end: the bytes of the text that it stands for.
    pub spans: Vec<Range<usize>>,
    /// For each id between start and end: the number, from 0, of the word that it belongs to.
    pub words: Vec<usize>,
    /// Whether tokens were cut off to fit the context.
    pub is_truncated: bool,
}

impl Tokens {
    /// Where the sentence feature stands: the first end token, as in CLIP.
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
    /// Unpacks the built-in vocabulary, which takes tens of milliseconds: make one and keep it.
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

    /// Tokenizes `text` into at most `context_length` ids; a longer text is cut and keeps its end token.
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
        // A text that spells out a special token gets its id, as in open_clip.
        pieces.tokenize(|piece| match SPECIAL.iter().find(|(text, _)| *text == piece.get()) {
            Some((text, id)) => Ok(vec![Token::new(*id, (*text).to_owned(), (0, text.len()))]),
            None => self.model.tokenize(piece.get()),
        })?;
        pieces.into_encoding(None, 0, OffsetType::Byte)
    }
}

/// The character that stands for each byte, in the order of the vocabulary's first 256 entries:
/// printable bytes as themselves, then the others from U+0100 on.
fn byte_characters() -> Vec<char> {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=u8::MAX).filter(is_printable).map(char::from);
    let others = (0..=u8::MAX).filter(|byte| !is_printable(byte)).zip('\u{100}'..).map(|(_, c)| c);
    printable.chain(others).collect()
}
