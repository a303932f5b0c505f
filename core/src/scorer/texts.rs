//! Encodes texts, and caches their features.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use lru::LruCache;

use crate::config::ClipConfig;
use crate::encoder::ClipEncoder;
use crate::error::{Error, Result};
use crate::prompts::PromptFeatures;
use crate::rows::Rows;
use crate::tokenizer::{Tokenizer, Tokens};
use crate::words::Prompt;

/// Sentences in the cache: 2 kB each for ViT-B/32. Alignment has five for each prompt.
const SENTENCES: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// Prompts whose tokens are in the cache: up to 150 kB each for ViT-B/32.
const PROMPTS: NonZeroUsize = NonZeroUsize::new(512).expect("not zero");
/// The largest number of texts in a batch of the text tower. It limits memory.
const BATCH: usize = 128;

/// A tokenizer, and a cache of features.
pub(super) struct Texts {
    tokenizer: Option<Tokenizer>,
    context_length: usize,
    /// The features of a model without text tower.
    exported: BTreeMap<String, Sentence>,
    sentences: LruCache<String, Sentence>,
    prompts: LruCache<String, Arc<Prompt>>,
    encoded: usize,
}

/// The feature of a whole text.
#[derive(Clone)]
pub(super) struct Sentence {
    /// One row.
    pub(super) feature: Rows,
    pub(super) is_truncated: bool,
}

/// The features that a batch needs.
#[derive(Default)]
pub(super) struct EncodedTexts {
    sentences: HashMap<String, Sentence>,
    prompts: HashMap<String, Arc<Prompt>>,
}

impl EncodedTexts {
    /// One of the requested sentences.
    pub(super) fn sentence(&self, text: &str) -> &Sentence {
        self.sentences.get(text).expect("a requested sentence")
    }

    /// One of the requested prompts.
    pub(super) fn prompt(&self, text: &str) -> Arc<Prompt> {
        self.prompts.get(text).expect("a requested prompt").clone()
    }
}

/// The features of a text that are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    /// The feature of the end token.
    Sentence,
    /// The features of the tokens between start and end.
    Words,
}

/// A text that is not in the cache.
struct NewText<'a> {
    text: &'a str,
    kept: Kept,
    tokens: Tokens,
}

impl Texts {
    pub(super) fn new(config: &ClipConfig, features: Option<&PromptFeatures>, device: &Device) -> Self {
        let mut exported = BTreeMap::new();
        if let Some(PromptFeatures { prompts, values }) = features {
            let texts = prompts.texts("");
            let data = TensorData::new(values.clone(), [texts.len(), config.embed_dim]);
            let matrix = Arc::new(Tensor::from_data(data, device));
            for (row, text) in texts.into_iter().enumerate() {
                exported.insert(text, Sentence { feature: Rows::new(&matrix, row..row + 1), is_truncated: false });
            }
        }
        Self {
            tokenizer: config.text.is_some().then(Tokenizer::new),
            context_length: config.text.as_ref().map_or(0, |text| text.context_length),
            exported,
            sentences: LruCache::new(SENTENCES),
            prompts: LruCache::new(PROMPTS),
            encoded: 0,
        }
    }

    /// The number of texts that were encoded.
    pub(super) fn encoded(&self) -> usize {
        self.encoded
    }

    #[cfg(feature = "gpu")]
    pub(super) fn clear_cache(&mut self) {
        self.sentences.clear();
        self.prompts.clear();
        self.encoded = 0;
    }

    /// Takes features from the cache, and queues the encoding of all other texts.
    ///
    /// # Errors
    /// [`Error::Options`] if there are other texts, and the model has no text tower.
    pub(super) fn encode(
        &mut self,
        clip: &ClipEncoder,
        sentences: &[String],
        prompts: &[&str],
        device: &Device,
    ) -> Result<EncodedTexts> {
        let mut encoded = EncodedTexts::default();
        let mut new = Vec::new();
        for text in sentences.iter().filter(|text| !self.exported.contains_key(*text)) {
            match self.sentences.get(text) {
                Some(known) => _ = encoded.sentences.insert(text.clone(), known.clone()),
                None => new.push((text.as_str(), Kept::Sentence)),
            }
        }
        for &text in prompts {
            match self.prompts.get(text) {
                Some(known) => _ = encoded.prompts.insert(text.to_owned(), known.clone()),
                None => new.push((text, Kept::Words)),
            }
        }
        let exported = sentences.iter().filter_map(|text| Some((text.clone(), self.exported.get(text)?.clone())));
        encoded.sentences.extend(exported);
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

    fn tokenize<'a>(&self, texts: Vec<(&'a str, Kept)>) -> Result<Vec<NewText<'a>>> {
        let tokenizer = self.tokenizer.as_ref().ok_or_else(without_text_tower)?;
        let tokenize = |(text, kept)| NewText { text, kept, tokens: tokenizer.encode(text, self.context_length) };
        Ok(texts.into_iter().map(tokenize).collect())
    }

    /// Encodes texts in one batch, and caches their features.
    fn encode_group(
        &mut self,
        clip: &ClipEncoder,
        new: Vec<NewText>,
        encoded: &mut EncodedTexts,
        device: &Device,
    ) -> Result<()> {
        let ids: Vec<&[u32]> = new.iter().map(|new| new.tokens.ids.as_slice()).collect();
        let features = clip.token_features(&ids, device).ok_or_else(without_text_tower)?;
        self.encoded += new.len();
        let [texts, longest, embed_dim] = features.dims();
        let positions = |new: &NewText| match new.kept {
            Kept::Sentence => new.tokens.sentence_position()..new.tokens.sentence_position() + 1,
            Kept::Words => 1..1 + new.tokens.spans.len(),
        };
        let all = Arc::new(features.reshape([texts * longest, embed_dim]));
        let rows = new.iter().enumerate().map(|(text, new)| (text * longest, positions(new)));
        let rows = rows.map(|(first, kept)| Rows::new(&all, first + kept.start..first + kept.end));
        let rows: Vec<Rows> = rows.filter(|rows| !rows.range.is_empty()).collect();
        // Copied, since a view would keep the features of all tokens in memory.
        let matrix = (!rows.is_empty()).then(|| Arc::new(clip.gather(&rows)));
        let mut start = 0;
        for new in new {
            let rows = start..start + positions(&new).len();
            start = rows.end;
            let features = matrix.as_ref().filter(|_| !rows.is_empty()).map(|matrix| Rows::new(matrix, rows));
            let text = new.text.to_owned();
            match new.kept {
                Kept::Sentence => {
                    let feature = features.expect("every text has an end token");
                    let sentence = Sentence { feature, is_truncated: new.tokens.is_truncated };
                    self.sentences.put(text.clone(), sentence.clone());
                    encoded.sentences.insert(text, sentence);
                }
                Kept::Words => {
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

/// The batches of texts with these lengths in ascending order. If padding costs as much as text, as on a processor, the texts of
/// a batch have similar lengths.
fn groups(lengths: &[usize], is_padding_cheap: bool) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    for end in 1..=lengths.len() {
        let is_whole = match lengths.get(end) {
            None => true,
            Some(next) => end - start == BATCH || !is_padding_cheap && 4 * next > 5 * lengths[start],
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
    fn a_batch_on_a_processor_has_texts_of_similar_lengths() {
        let lengths = [9, 9, 11, 12, 20, 25, 26, 77];
        assert_eq!(groups(&lengths, false), [0..3, 3..4, 4..6, 6..7, 7..8]);
        assert_eq!(groups(&[7; 130], true), [0..128, 128..130]);
        assert_eq!(groups(&[7; 300], true), [0..128, 128..256, 256..300]);
        assert!(groups(&[], true).is_empty());
    }
}
