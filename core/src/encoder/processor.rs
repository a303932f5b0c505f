//! Both towers on a processor: burn's operations around blocks of kernels of our own.

use burn::tensor::{Device, Int, Tensor};

use super::Towers;
use crate::checkpoint::Checkpoint;
use crate::clip::{Clip, Form};
use crate::config::{Activation, ClipConfig};
use crate::cpu::{self, Block, Blocks};
use crate::text::{TEXT_BLOCKS, TextStem};
use crate::transformer::{Attention, ResidualAttentionBlock, Transformer};
use crate::vision::{VISION_BLOCKS, VisionStem};

/// Both towers, their blocks packed for the processor.
pub(super) struct ProcessorTowers {
    image: (VisionStem, Blocks),
    text: Option<(TextStem, Blocks)>,
    activation: Activation,
}

impl ProcessorTowers {
    /// Block by block, so that few are held in two forms.
    pub(super) fn load(checkpoint: &mut Checkpoint, config: &ClipConfig, device: &Device, form: Form) -> Self {
        let image = (
            VisionStem::load(checkpoint, device),
            pack(Transformer::load_blocks(checkpoint, VISION_BLOCKS, config.vision.layers, device), form),
        );
        let text = config.text.as_ref().map(|text| {
            let stem = match form {
                Form::Stored => TextStem::load_stored(checkpoint, device),
                _ => TextStem::load_float32(checkpoint, device),
            };
            (stem, pack(Transformer::load_blocks(checkpoint, TEXT_BLOCKS, text.layers, device), form.of_texts()))
        });
        Self { image, text, activation: config.activation }
    }

    pub(super) fn new(clip: Clip) -> Self {
        let of = |transformer: Transformer| pack(transformer.resblocks.into_iter(), Form::Float32);
        Self {
            image: (clip.visual.stem, of(clip.visual.transformer)),
            text: clip.text.map(|text| (text.stem, of(text.transformer))),
            activation: clip.activation,
        }
    }
}

impl Towers for ProcessorTowers {
    fn image_features(&self, patches: Tensor<3>) -> Tensor<2> {
        let (stem, blocks) = &self.image;
        stem.finish(blocks.forward(stem.embed(patches), Attention::Full, self.activation))
    }

    fn token_features(&self, ids: Tensor<2, Int>) -> Option<Tensor<3>> {
        let (stem, blocks) = self.text.as_ref()?;
        Some(stem.finish(blocks.forward(stem.embed(ids), Attention::Causal, self.activation)))
    }

    fn is_padding_cheap(&self) -> bool {
        false
    }
}

fn pack(blocks: impl Iterator<Item = ResidualAttentionBlock>, form: Form) -> Blocks {
    let pack = |block: ResidualAttentionBlock| {
        let ResidualAttentionBlock { ln_1, in_proj, out_proj, ln_2, c_fc, c_proj } = block;
        let [ln_1, ln_2] = [ln_1, ln_2].map(cpu::LayerNorm::new);
        let [in_proj, out_proj, c_fc, c_proj] =
            [in_proj, out_proj, c_fc, c_proj].map(|layer| cpu::Linear::new(layer, form));
        Block { ln_1, in_proj, out_proj, ln_2, c_fc, c_proj }
    };
    Blocks::new(blocks.map(pack).collect())
}
