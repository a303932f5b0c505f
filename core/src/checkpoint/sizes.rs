//! The sizes of a CLIP model: read from the shapes of its tensors, and checked.

use super::naming::Naming;
use crate::config::{Activation, ClipConfig, TextConfig, VisionConfig, heads};
use crate::error::{Error, Result};
use crate::preprocess::SHORT_SIDE;
use crate::weights::Tensors;

/// Limits above all published CLIP models. They keep a malicious file from causing very long loops.
const MAX_LAYERS: usize = 1000;
const MAX_WIDTH: usize = 1 << 20;

/// Reads the sizes of a model from the shapes of its tensors.
pub(super) struct Shapes<'t, 'a> {
    pub(super) tensors: &'t Tensors<'a>,
    pub(super) naming: Naming,
}

impl Shapes<'_, '_> {
    pub(super) fn config(&self, activation: Activation) -> Result<ClipConfig> {
        let [width, _, patch_size, _] = self.shape("visual.conv1.weight", "[width, 3, patch, patch]")?;
        let [positions, _] = self.shape("visual.positional_embedding", "[grid² + 1, width]")?;
        let grid = positions.saturating_sub(1).isqrt();
        let [_, embed_dim] = self.matrix("visual.proj", "[width, embed_dim]")?;
        let [vocab_size, text_width] = self.shape("token_embedding.weight", "[vocabulary, width]")?;
        let [context_length, _] = self.shape("positional_embedding", "[context_length, width]")?;
        let [mlp_width, _] = self.shape("visual.transformer.resblocks.0.mlp.c_fc.weight", "[mlp_width, width]")?;
        let [text_mlp_width, _] = self.shape("transformer.resblocks.0.mlp.c_fc.weight", "[mlp_width, width]")?;
        Ok(ClipConfig {
            embed_dim,
            activation,
            vision: VisionConfig {
                image_size: grid.saturating_mul(patch_size),
                patch_size,
                width,
                mlp_width,
                layers: self.layers("visual.transformer"),
            },
            text: Some(TextConfig {
                context_length,
                vocab_size,
                width: text_width,
                mlp_width: text_mlp_width,
                layers: self.layers("transformer"),
            }),
        })
    }

    fn shape<const D: usize>(&self, name: &str, expected: &str) -> Result<[usize; D]> {
        let name = self.naming.file_name(name);
        let tensor = self.tensors.get(&name).ok_or_else(|| Error::MissingTensor(name.clone()))?;
        let shape = tensor.shape.as_slice();
        shape.try_into().map_err(|_| Error::Shape { name, expected: expected.into(), found: shape.into() })
    }

    /// The shape of a matrix in OpenAI's layout.
    fn matrix(&self, name: &str, expected: &str) -> Result<[usize; 2]> {
        let [rows, columns] = self.shape(name, expected)?;
        Ok(if self.naming.is_transposed(name) { [columns, rows] } else { [rows, columns] })
    }

    fn layers(&self, prefix: &str) -> usize {
        let has = |layer: &usize| {
            self.tensors.contains_key(&self.naming.file_name(&format!("{prefix}.resblocks.{layer}.ln_1.weight")))
        };
        (0..).take_while(has).count()
    }
}

/// Checks that the towers and the preprocessing support the sizes.
pub(super) fn check_sizes(config: &ClipConfig) -> Result<()> {
    let VisionConfig { image_size, patch_size, .. } = config.vision;
    if patch_size == 0 || image_size == 0 || image_size % patch_size != 0 {
        return Err(Error::Config(format!(
            "images of {image_size} pixels cannot be split into tokens of {patch_size}"
        )));
    }
    if image_size > SHORT_SIDE as usize {
        return Err(Error::Config(format!("views of {image_size} pixels, expected at most {SHORT_SIDE}")));
    }
    if config.embed_dim == 0 {
        return Err(Error::Config("an embedding of width 0".into()));
    }
    let vision = ("vision", config.vision.width, config.vision.mlp_width, config.vision.layers);
    let text = config.text.iter().map(|text| ("text", text.width, text.mlp_width, text.layers));
    for (tower, width, mlp_width, layers) in std::iter::once(vision).chain(text) {
        let is_possible = (1..=MAX_WIDTH).contains(&width)
            && (1..=MAX_WIDTH).contains(&mlp_width)
            && (1..=MAX_LAYERS).contains(&layers)
            && width.is_multiple_of(heads(width));
        if !is_possible {
            return Err(Error::Config(format!(
                "a {tower} tower of {layers} layers, width {width} and MLP width {mlp_width}"
            )));
        }
    }
    match &config.text {
        Some(text) if text.vocab_size == 0 => Err(Error::Config("a vocabulary of 0 tokens".into())),
        Some(text) if text.context_length < 3 => {
            Err(Error::Config(format!("a context of {} tokens", text.context_length)))
        }
        _ => Ok(()),
    }
}
