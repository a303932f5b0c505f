//! Encodes the texts of a batch in one run of the text tower, each distinct text once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use tsp_mgs_core::clip::Clip;
use tsp_mgs_core::encoder::is_cpu;
use tsp_mgs_core::options::{Options, Words};
use tsp_mgs_core::quality::WordFeatures;
use tsp_mgs_core::tokenizer::{Tokenizer, Tokens};
use tsp_mgs_core::words::token_groups;

/// Numbers of texts, of tokens and of words are padded to multiples of this on a GPU, which compiles some kernels anew
/// for each size.
const GPU_MULTIPLE: usize = 8;

/// Encodes texts, and caches their tokens: the texts of a data set are the same in each epoch.
pub struct TextEncoder {
    tokenizer: Tokenizer,
    context_length: usize,
    /// Sizes are padded to multiples of this.
    multiple: usize,
    cache: HashMap<String, Rc<Tokens>>,
}

/// The features of the texts of one batch.
pub struct EncodedTexts {
    /// Features of all tokens of all texts, `[texts · length, embed_dim]`.
    tokens: Tensor<2>,
    /// Number of tokens of a text, with padding.
    length: usize,
    multiple: usize,
    /// Row and tokens of each text.
    rows: HashMap<String, (usize, Rc<Tokens>)>,
}

impl TextEncoder {
    /// An encoder for a model with this context length on a device.
    pub fn new(context_length: usize, device: &Device) -> Self {
        let multiple = if is_cpu(device) { 1 } else { GPU_MULTIPLE };
        Self { tokenizer: Tokenizer::new(), context_length, multiple, cache: HashMap::new() }
    }

    /// Encodes the level texts of all tasks for these prompts, and the prompts themselves if a task uses their words.
    ///
    /// The texts are cut to about the length of the longest one. Attention is causal, so the tokens after the end of a
    /// text do not change its features.
    ///
    /// # Panics
    /// Panics if the model has no text tower or `prompts` is empty.
    pub fn encode(&mut self, clip: &Clip, tasks: &[Options], prompts: &[&str], device: &Device) -> EncodedTexts {
        let mut rows = HashMap::new();
        let mut texts = Vec::new();
        let levels = tasks.iter().flat_map(|task| prompts.iter().flat_map(|prompt| task.prompts.texts(prompt)));
        let has_words = tasks.iter().any(|task| task.fine);
        let words = prompts.iter().filter(|_| has_words).map(|&prompt| prompt.to_owned());
        for text in levels.chain(words) {
            if let Entry::Vacant(entry) = rows.entry(text) {
                let tokens = self.tokens(entry.key());
                entry.insert((texts.len(), tokens.clone()));
                texts.push(tokens);
            }
        }
        let longest = texts.iter().map(|tokens| tokens.ids.len()).max().expect("each prompt has texts");
        let mut first = texts[0].ids.clone();
        first.resize(self.context_length.min(longest.next_multiple_of(self.multiple)), 0);
        let mut ids: Vec<&[u32]> = texts.iter().map(|tokens| tokens.ids.as_slice()).collect();
        ids[0] = &first;
        ids.resize(ids.len().next_multiple_of(self.multiple), &first);
        let features = clip.token_features(&ids, device).expect("a model that is trained has both towers");
        let [n_texts, length, embed_dim] = features.dims();
        EncodedTexts { tokens: features.reshape([n_texts * length, embed_dim]), length, multiple: self.multiple, rows }
    }

    fn tokens(&mut self, text: &str) -> Rc<Tokens> {
        if let Some(tokens) = self.cache.get(text) {
            return tokens.clone();
        }
        let tokens = Rc::new(self.tokenizer.encode(text, self.context_length));
        self.cache.insert(text.to_owned(), tokens.clone());
        tokens
    }
}

impl EncodedTexts {
    /// Sentence features of the level texts of each prompt, `[prompts, levels, embed_dim]`.
    pub fn levels(&self, task: &Options, prompts: &[&str]) -> Tensor<3> {
        let texts = prompts.iter().flat_map(|prompt| task.prompts.texts(prompt));
        let rows: Vec<i32> = texts
            .map(|text| {
                let (row, tokens) = &self.rows[&text];
                (row * self.length + tokens.sentence_position()) as i32
            })
            .collect();
        let levels = rows.len() / prompts.len();
        self.select(&rows, [prompts.len(), levels])
    }

    /// Features of the words of each prompt; `None` if no prompt has a word.
    pub fn words(&self, words: Words, prompts: &[&str]) -> Option<WordFeatures> {
        let texts: Vec<&(usize, Rc<Tokens>)> = prompts.iter().map(|&prompt| &self.rows[prompt]).collect();
        let n_tokens = texts.iter().map(|(_, tokens)| tokens.spans.len()).max().filter(|&longest| longest > 0)?;
        let n_tokens = n_tokens.next_multiple_of(self.multiple);
        // Padding repeats the start token. The gradient of the norm of a zero vector is undefined.
        let rows: Vec<i32> = texts
            .iter()
            .flat_map(|(row, tokens)| {
                let own = tokens.spans.len();
                (0..n_tokens).map(move |token| (row * self.length + if token < own { token + 1 } else { 0 }) as i32)
            })
            .collect();
        let features = self.select(&rows, [prompts.len(), n_tokens]); // [prompts, tokens, embed_dim]

        let groups: Vec<_> = texts.iter().map(|(_, tokens)| token_groups(tokens, words)).collect();
        let n_words = groups.iter().map(Vec::len).max().expect("there is a prompt").next_multiple_of(self.multiple);
        let mut weights = vec![0.0f32; prompts.len() * n_words];
        for (weights, groups) in weights.chunks_exact_mut(n_words).zip(&groups) {
            weights[..groups.len()].fill(1.0 / groups.len() as f32);
        }
        let device = &features.device();
        let weights = Tensor::from_data(TensorData::new(weights, [prompts.len(), n_words]), device);
        if words == Words::Tokens {
            return Some(WordFeatures { features, weights });
        }
        // Each row of this matrix averages the tokens of one word. A row of padding takes the last token.
        let mut mean = vec![0.0f32; prompts.len() * n_words * n_tokens];
        for (prompt, groups) in groups.iter().enumerate() {
            for word in 0..n_words {
                let row = &mut mean[(prompt * n_words + word) * n_tokens..][..n_tokens];
                match groups.get(word) {
                    Some(group) => row[group.clone()].fill(1.0 / group.len() as f32),
                    None => row[n_tokens - 1] = 1.0,
                }
            }
        }
        let mean = Tensor::<3>::from_data(TensorData::new(mean, [prompts.len(), n_words, n_tokens]), device);
        Some(WordFeatures { features: mean.matmul(features), weights })
    }

    fn select(&self, rows: &[i32], shape: [usize; 2]) -> Tensor<3> {
        let [_, embed_dim] = self.tokens.dims();
        let rows = Tensor::<1, Int>::from_ints(rows, &self.tokens.device());
        self.tokens.clone().select(0, rows).reshape([shape[0], shape[1], embed_dim])
    }
}
