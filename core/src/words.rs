//! The words of initial prompts: their tokens, and their features, one prompt's and a batch's.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use crate::options::Words;
use crate::quality::WordFeatures;
use crate::tokenizer::Tokens;

/// The words of an initial prompt.
pub(crate) struct Prompt {
    pub text: String,
    pub tokens: Tokens,
    /// `[tokens between start and end, embed_dim]`; `None` when there are none.
    pub features: Option<Tensor<2>>,
}

/// The words of a batch of prompts; `None` when no prompt has one.
pub(crate) fn pad_words(prompts: &[Option<Arc<Prompt>>], words: Words, device: &Device) -> Option<WordFeatures> {
    let each: Vec<Option<Tensor<2>>> =
        prompts.iter().map(|prompt| Some(word_features(prompt.as_ref()?, words)).flatten()).collect();
    let longest = each.iter().flatten().map(|words| words.dims()[0]).max()?;
    let embed_dim = each.iter().flatten().next()?.dims()[1];
    let mut weights = Vec::with_capacity(prompts.len() * longest);
    let padded = each.into_iter().map(|words| {
        let count = words.as_ref().map_or(0, |words| words.dims()[0]);
        weights.extend((0..longest).map(|word| if word < count { 1.0 / count as f32 } else { 0.0 }));
        let padding = (count < longest).then(|| Tensor::zeros([longest - count, embed_dim], device));
        Tensor::cat(words.into_iter().chain(padding).collect(), 0)
    });
    let features = Tensor::stack(padded.collect(), 0);
    let weights = Tensor::from_data(TensorData::new(weights, [prompts.len(), longest]), device);
    Some(WordFeatures { features, weights })
}

/// `[words, embed_dim]` of one prompt.
fn word_features(prompt: &Prompt, words: Words) -> Option<Tensor<2>> {
    let features = prompt.features.clone()?;
    if words == Words::Tokens {
        return Some(features);
    }
    // Each row of this matrix averages the tokens of one word.
    let groups = token_groups(&prompt.tokens, words);
    let tokens = prompt.tokens.spans.len();
    let mut mean = vec![0.0f32; groups.len() * tokens];
    for (row, group) in mean.chunks_mut(tokens).zip(&groups) {
        row[group.clone()].fill(1.0 / group.len() as f32);
    }
    let mean = Tensor::<2>::from_data(TensorData::new(mean, [groups.len(), tokens]), &features.device());
    Some(mean.matmul(features))
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
