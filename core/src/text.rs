//! CLIP's text tower: a causal transformer over byte-pair tokens.
//!
//! Reference: OpenAI CLIP, `model.py`, `CLIP.encode_text` (Radford et al. 2021, arXiv 2103.00020).
//! Difference: the output of each token is projected, not only that of the end token, since words are compared with images,
//! too (SPEC §3, D6).

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, TextConfig};
use crate::transformer::{Attention, Transformer, layer_norm, project};

/// The prefix of the names of the blocks' parameters.
pub(crate) const TEXT_BLOCKS: &str = "transformer";
const VOCABULARY: &str = "token_embedding.weight";

/// The text tower: from token ids to text features.
#[derive(Module, Debug)]
pub struct TextTransformer {
    pub(crate) stem: TextStem,
    pub(crate) transformer: Transformer,
}

/// The layers before and after the blocks.
#[derive(Module, Debug)]
pub(crate) struct TextStem {
    pub(crate) token_embedding: Embedding,
    pub(crate) positional_embedding: Param<Tensor<2>>,
    pub(crate) ln_final: LayerNorm,
    pub(crate) text_projection: Param<Tensor<2>>,
}

impl TextTransformer {
    pub(crate) fn load(checkpoint: &mut Checkpoint, config: &TextConfig, device: &Device) -> Self {
        let vocabulary = checkpoint.parameter(VOCABULARY, device);
        Self {
            stem: TextStem::load(checkpoint, vocabulary, device),
            transformer: Transformer::load(checkpoint, TEXT_BLOCKS, config.layers, device),
        }
    }

    /// Features of all tokens in the joint space, not of unit length. The feature of a text's end token is the feature of the
    /// whole text (Eq. 1).
    ///
    /// # Shapes
    /// - `ids`: `[texts, longest]`, from [`pad`]
    /// - returns: `[texts, longest, embed_dim]`
    pub(crate) fn forward(&self, ids: Tensor<2, Int>, activation: Activation) -> Tensor<3> {
        let tokens = self.stem.embed(ids);
        self.stem.finish(self.transformer.forward(tokens, Attention::Causal, activation))
    }
}

impl TextStem {
    fn load(checkpoint: &mut Checkpoint, vocabulary: Param<Tensor<2>>, device: &Device) -> Self {
        Self {
            token_embedding: Embedding { weight: vocabulary },
            positional_embedding: checkpoint.parameter("positional_embedding", device),
            ln_final: layer_norm(checkpoint, "ln_final", device),
            text_projection: checkpoint.parameter("text_projection", device),
        }
    }

    /// Keeps the token embedding in float16 if the file has float16.
    #[cfg(feature = "cpu")]
    pub(crate) fn load_stored(checkpoint: &mut Checkpoint, device: &Device) -> Self {
        let vocabulary = checkpoint.stored_parameter(VOCABULARY, device);
        Self::load(checkpoint, vocabulary, device)
    }

    /// Keeps the token embedding in float32.
    #[cfg(feature = "cpu")]
    pub(crate) fn load_float32(checkpoint: &mut Checkpoint, device: &Device) -> Self {
        let vocabulary = checkpoint.parameter(VOCABULARY, device);
        Self::load(checkpoint, vocabulary, device)
    }

    /// Embeds tokens and adds their positions, `[texts, longest]` to `[texts, longest, width]`.
    pub(crate) fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [_, longest] = ids.dims();
        let positions = self.positional_embedding.val().narrow(0, 0, longest);
        self.token_embedding.forward(ids).cast(FloatDType::F32) + positions.unsqueeze::<3>()
    }

    /// Projects tokens into the joint space, `[texts, longest, width]` to `[texts, longest, embed_dim]`.
    pub(crate) fn finish(&self, tokens: Tensor<3>) -> Tensor<3> {
        project(self.ln_final.forward(tokens), self.text_projection.val().unsqueeze::<3>())
    }
}

/// Uploads the token ids of texts, `[texts, longest]`.
///
/// Shorter texts are padded with 0 to the length of the longest. Attention is causal, so padding does not change the tokens
/// before it.
pub(crate) fn pad(texts: &[&[u32]], device: &Device) -> Tensor<2, Int> {
    let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0);
    let mut padded = vec![0i32; texts.len() * longest];
    for (row, ids) in padded.chunks_mut(longest).zip(texts) {
        for (slot, &id) in row.iter_mut().zip(*ids) {
            *slot = id as i32;
        }
    }
    Tensor::from_data(TensorData::new(padded, [texts.len(), longest]), device)
}
