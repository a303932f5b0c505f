//! CLIP's text tower: a causal transformer over byte-pair tokens.
//!
//! Reference: OpenAI CLIP, `model.py`, `CLIP.encode_text` (Radford et al. 2021, arXiv 2103.00020).
//! Where we differ: every token's output is projected, not just the end token's, since words
//! are compared with images too (SPEC §3, D6).

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};

use crate::checkpoint::Checkpoint;
use crate::clip::Form;
use crate::config::{Activation, TextConfig};
use crate::transformer::{Attention, Transformer, layer_norm, project};

/// Token ids to text features.
#[derive(Module, Debug)]
pub struct TextTransformer {
    token_embedding: Embedding,
    positional_embedding: Param<Tensor<2>>,
    transformer: Transformer,
    ln_final: LayerNorm,
    text_projection: Param<Tensor<2>>,
}

impl TextTransformer {
    pub(crate) fn load(checkpoint: &mut Checkpoint, config: &TextConfig, device: &Device, form: Option<Form>) -> Self {
        const VOCABULARY: &str = "token_embedding.weight";
        let vocabulary = match form {
            Some(Form::Stored) => checkpoint.stored_parameter(VOCABULARY, device),
            _ => checkpoint.parameter(VOCABULARY, device),
        };
        Self {
            token_embedding: Embedding { weight: vocabulary },
            positional_embedding: checkpoint.parameter("positional_embedding", device),
            transformer: Transformer::load(checkpoint, "transformer", config.layers, device, form),
            ln_final: layer_norm(checkpoint, "ln_final", device),
            text_projection: checkpoint.parameter("text_projection", device),
        }
    }

    /// See [`Transformer::for_scoring`].
    pub(crate) fn for_scoring(self) -> Self {
        Self { transformer: self.transformer.for_scoring(), ..self }
    }

    /// Encodes texts; row `[text, position]` is the feature of that token in the joint space.
    ///
    /// The row at a text's end token is its sentence feature, Eq. 1. Shorter texts are padded with 0
    /// to the longest of `texts`: attention is causal, so padding changes no earlier token.
    ///
    /// # Shapes
    /// - `texts`: token ids, each with at least one and at most `context_length` entries
    /// - returns: `[texts, longest, embed_dim]`, not unit length
    pub fn forward(&self, texts: &[&[u32]], activation: Activation, device: &Device) -> Tensor<3> {
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let mut padded = vec![0i32; texts.len() * longest];
        for (row, ids) in padded.chunks_mut(longest).zip(texts) {
            for (slot, &id) in row.iter_mut().zip(*ids) {
                *slot = id as i32;
            }
        }
        let ids = Tensor::<2, Int>::from_data(TensorData::new(padded, [texts.len(), longest]), device);
        let positions = self.positional_embedding.val().narrow(0, 0, longest);
        let tokens = self.token_embedding.forward(ids).cast(FloatDType::F32) + positions.unsqueeze::<3>(); // [texts, longest, width]
        let tokens = self.transformer.forward(tokens, Attention::Causal, activation);
        project(self.ln_final.forward(tokens), self.text_projection.val().unsqueeze::<3>())
    }
}
