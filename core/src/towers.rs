//! The interface of CLIP's two towers for scoring. Each kind of device has an implementation.

use burn::tensor::{Int, Tensor};

use crate::clip::Clip;
use crate::rows::{self, Rows};

/// Both towers of a model, for one kind of device.
pub(crate) trait Towers: Send {
    /// Image features, not of unit length, from normalised pixels in the order of tokens
    /// ([`crate::preprocess::Views::write_pixels`]).
    ///
    /// # Shapes
    /// - `tokens`: `[batch, grid², 3 · patch_size²]`
    /// - returns: `[batch, embed_dim]`
    fn image_features(&self, tokens: Tensor<3>) -> Tensor<2>;

    /// Features of all tokens of texts, not of unit length. Returns `None` without a text tower.
    ///
    /// # Shapes
    /// - `ids`: `[texts, longest]`
    /// - returns: `[texts, longest, embed_dim]`
    fn token_features(&self, ids: Tensor<2, Int>) -> Option<Tensor<3>>;

    /// Copies rows of matrices into one matrix.
    fn gather(&self, parts: &[Rows]) -> Tensor<2> {
        rows::gather(parts)
    }

    /// Whether a few large batches with padding are faster than many batches without.
    fn is_padding_cheap(&self) -> bool {
        true
    }
}

/// Both towers by burn's operations.
impl Towers for Clip {
    fn image_features(&self, tokens: Tensor<3>) -> Tensor<2> {
        self.visual.forward_tokens(tokens, self.activation)
    }

    fn token_features(&self, ids: Tensor<2, Int>) -> Option<Tensor<3>> {
        Some(self.text.as_ref()?.forward(ids, self.activation))
    }
}
