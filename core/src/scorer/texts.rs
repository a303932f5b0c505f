//! Texts, and what the text tower made of those that it has met.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use lru::LruCache;

use super::PromptFeatures;
use crate::config::ClipConfig;
use crate::encoder::ClipEncoder;
use crate::error::{Error, Result};
use crate::rows::Rows;
use crate::tokenizer::{Tokenizer, Tokens};
use crate::words::Prompt;

/// Texts that are remembered, five for each prompt that is scored for alignment: 2 kB each for ViT-B/32.
const SENTENCES: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// Initial prompts whose words are remembered: up to 150 kB each for ViT-B/32.
const PROMPTS: NonZeroUsize = NonZeroUsize::new(512).expect("not zero");
/// Texts that go through the text tower at once: they bound its memory.
const TOGETHER: usize = 128;

/// Tokenizer and memory.
pub(super) struct Texts {
    tokenizer: Option<Tokenizer>,
    context_length: usize,
    /// Features that came with a model without text tower.
    fixed: BTreeMap<String, Sentence>,
    sentences: LruCache<String, Sentence>,
    prompts: LruCache<String, Arc<Prompt>>,
    encoded: usize,
}

/// A text as a whole.
#[derive(Clone)]
pub(super) struct Sentence {
    /// One row.
    pub(super) feature: Rows,
    pub(super) is_truncated: bool,
}

/// What a batch asked for.
#[derive(Default)]
pub(super) struct Encoded {
    sentences: HashMap<String, Sentence>,
    prompts: HashMap<String, Arc<Prompt>>,
}

impl Encoded {
    /// One of the sentences that were asked for.
    pub(super) fn sentence(&self, text: &str) -> &Sentence {
        self.sentences.get(text).expect("a sentence that was asked for")
    }

    /// One of the prompts that were asked for.
    pub(super) fn prompt(&self, text: &str) -> Arc<Prompt> {
        self.prompts.get(text).expect("a prompt that was asked for").clone()
    }
}

/// What is kept of a text that is encoded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Sentence,
    Words,
}

struct New<'a> {
    text: &'a str,
    wanted: Wanted,
    tokens: Tokens,
}

impl Texts {
    pub(super) fn new(config: &ClipConfig, features: Option<&PromptFeatures>, device: &Device) -> Self {
        let mut fixed = BTreeMap::new();
        if let Some(PromptFeatures { prompts, values }) = features {
            let texts = prompts.texts("");
            let data = TensorData::new(values.clone(), [texts.len(), config.embed_dim]);
            let matrix = Arc::new(Tensor::from_data(data, device));
            for (row, text) in texts.into_iter().enumerate() {
                fixed.insert(text, Sentence { feature: Rows::new(&matrix, row..row + 1), is_truncated: false });
            }
        }
        Self {
            tokenizer: config.text.is_some().then(Tokenizer::new),
            context_length: config.text.as_ref().map_or(0, |text| text.context_length),
            fixed,
            sentences: LruCache::new(SENTENCES),
            prompts: LruCache::new(PROMPTS),
            encoded: 0,
        }
    }

    /// How many texts the text tower has encoded so far.
    pub(super) fn encoded(&self) -> usize {
        self.encoded
    }

    /// Remembers no text any more.
    #[cfg(feature = "gpu")]
    pub(super) fn forget(&mut self) {
        self.sentences.clear();
        self.prompts.clear();
        self.encoded = 0;
    }

    /// Looks texts up, and queues the encoding of those that are not remembered, all of them together.
    ///
    /// # Errors
    /// [`Error::Options`] when there are some, and no text tower.
    pub(super) fn encode(
        &mut self,
        clip: &ClipEncoder,
        sentences: &[String],
        prompts: &[&str],
        device: &Device,
    ) -> Result<Encoded> {
        let mut encoded = Encoded::default();
        let mut new = Vec::new();
        for text in sentences.iter().filter(|text| !self.fixed.contains_key(*text)) {
            match self.sentences.get(text) {
                Some(known) => _ = encoded.sentences.insert(text.clone(), known.clone()),
                None => new.push((text.as_str(), Wanted::Sentence)),
            }
        }
        for &text in prompts {
            match self.prompts.get(text) {
                Some(known) => _ = encoded.prompts.insert(text.to_owned(), known.clone()),
                None => new.push((text, Wanted::Words)),
            }
        }
        let fixed = sentences.iter().filter_map(|text| Some((text.clone(), self.fixed.get(text)?.clone())));
        encoded.sentences.extend(fixed);
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(encoded);
        }
        let mut new = self.tokenize(new)?;
        new.sort_by_key(|new| new.tokens.ids.len());
        let lengths: Vec<usize> = new.iter().map(|new| new.tokens.ids.len()).collect();
        let mut rest = new.into_iter();
        for group in groups(&lengths, clip.is_padding_cheap()) {
            self.encode_group(clip, rest.by_ref().take(group.len()).collect(), &mut encoded, device)?;
        }
        Ok(encoded)
    }

    fn tokenize<'a>(&self, texts: Vec<(&'a str, Wanted)>) -> Result<Vec<New<'a>>> {
        let tokenizer = self.tokenizer.as_ref().ok_or_else(without_text_tower)?;
        let tokenize = |(text, wanted)| New { text, wanted, tokens: tokenizer.encode(text, self.context_length) };
        Ok(texts.into_iter().map(tokenize).collect())
    }

    /// Encodes texts in one pass, and remembers them.
    fn encode_group(
        &mut self,
        clip: &ClipEncoder,
        new: Vec<New>,
        encoded: &mut Encoded,
        device: &Device,
    ) -> Result<()> {
        let ids: Vec<&[u32]> = new.iter().map(|new| new.tokens.ids.as_slice()).collect();
        let features = clip.token_features(&ids, device).ok_or_else(without_text_tower)?;
        self.encoded += new.len();
        let [texts, longest, embed_dim] = features.dims();
        let kept = |new: &New| match new.wanted {
            Wanted::Sentence => new.tokens.sentence_position()..new.tokens.sentence_position() + 1,
            Wanted::Words => 1..1 + new.tokens.spans.len(),
        };
        let all = Arc::new(features.reshape([texts * longest, embed_dim]));
        let rows = new.iter().enumerate().map(|(text, new)| (text * longest, kept(new)));
        let rows = rows.map(|(first, kept)| Rows::new(&all, first + kept.start..first + kept.end));
        let rows: Vec<Rows> = rows.filter(|rows| !rows.range.is_empty()).collect();
        // A copy of the rows that are kept: a view would keep every token's feature alive.
        let matrix = (!rows.is_empty()).then(|| Arc::new(clip.collect(&rows)));
        let mut start = 0;
        for new in new {
            let rows = start..start + kept(&new).len();
            start = rows.end;
            let features = matrix.as_ref().filter(|_| !rows.is_empty()).map(|matrix| Rows::new(matrix, rows));
            let text = new.text.to_owned();
            match new.wanted {
                Wanted::Sentence => {
                    let feature = features.expect("every text has an end token");
                    let sentence = Sentence { feature, is_truncated: new.tokens.is_truncated };
                    self.sentences.put(text.clone(), sentence.clone());
                    encoded.sentences.insert(text, sentence);
                }
                Wanted::Words => {
                    let prompt = Arc::new(Prompt { text: text.clone(), tokens: new.tokens, features });
                    self.prompts.put(text.clone(), prompt.clone());
                    encoded.prompts.insert(text, prompt);
                }
            }
        }
        Ok(())
    }
}

fn without_text_tower() -> Error {
    Error::Options("this model has no text tower and cannot read texts".into())
}

/// How texts of these lengths, shortest first, go through the text tower: on a processor those of about one length, since
/// padding costs as much as text.
fn groups(lengths: &[usize], is_padding_cheap: bool) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    for end in 1..=lengths.len() {
        let is_whole = match lengths.get(end) {
            None => true,
            Some(next) => end - start == TOGETHER || !is_padding_cheap && 4 * next > 5 * lengths[start],
        };
        if is_whole {
            groups.push(start..end);
            start = end;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_about_one_length_go_together_on_a_processor_and_all_elsewhere() {
        let lengths = [9, 9, 11, 12, 20, 25, 26, 77];
        assert_eq!(groups(&lengths, false), [0..3, 3..4, 4..6, 6..7, 7..8]);
        assert_eq!(groups(&[7; 130], true), [0..128, 128..130]);
        assert_eq!(groups(&[7; 300], true), [0..128, 128..256, 256..300]);
        assert!(groups(&[], true).is_empty());
    }
}
