//! Both towers as buffers, and the order of their kernels.

use burn::module::Param;
use burn::nn;
use burn::tensor::{Int, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::attention::WIDEST_HEAD;
use super::grid::Adapter;
use super::product::Epilogue;
use super::queue::{LayerNorm, Linear, Queue, buffer, int_buffer, is_multiple_of_lanes, tensor};
use crate::clip::Clip;
use crate::config::Activation;
use crate::rows::Rows;
use crate::text::TextTransformer;
use crate::towers::Towers;
use crate::transformer::{Attention, ResidualAttentionBlock, Transformer};
use crate::vision::VisionTransformer;

/// Both towers of a model whose widths the kernels support.
pub(crate) struct GpuTowers {
    queue: Queue,
    image: GpuImageTower,
    text: Option<GpuTextTower>,
}

struct GpuImageTower {
    conv1: Linear,
    class: CubeTensor,
    positions: CubeTensor,
    ln_pre: LayerNorm,
    blocks: Blocks,
    ln_post: LayerNorm,
    proj: Linear,
}

struct GpuTextTower {
    vocabulary: CubeTensor,
    positions: CubeTensor,
    blocks: Blocks,
    ln_final: LayerNorm,
    projection: Linear,
}

struct Blocks {
    blocks: Vec<Block>,
    order: Attention,
    activation: Epilogue,
}

struct Block {
    ln_1: LayerNorm,
    in_proj: Linear,
    out_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
}

impl GpuTowers {
    /// Takes the parameters of `clip`, without a copy. Returns `None` if they are not on a GPU or track gradients, or if the
    /// kernels do not support a width.
    pub(crate) fn new(clip: &Clip, adapter: Option<Adapter>) -> Option<Self> {
        let queue = Queue::of(&clip.visual.stem.proj.val())?;
        let queue = adapter.map_or(queue.clone(), |adapter| queue.with_adapter(adapter));
        let activation = match clip.activation {
            Activation::QuickGelu => Epilogue::QuickGelu,
            Activation::Gelu => Epilogue::Gelu,
        };
        let image = GpuImageTower::new(&queue, &clip.visual, activation)?;
        let text = match &clip.text {
            Some(text) => Some(GpuTextTower::new(&queue, text, activation)?),
            None => None,
        };
        Some(Self { queue, image, text })
    }
}

impl Towers for GpuTowers {
    fn image_features(&self, tokens: Tensor<3>) -> Tensor<2> {
        let (queue, tower) = (&self.queue, &self.image);
        let [batch, tokens_each, _] = tokens.dims();
        let pixels = buffer(tokens).expect("pixels are on the model's device");
        let [tokens, width] = tower.positions.meta.shape().dims();
        assert_eq!(tokens_each + 1, tokens, "tokens of an image, with the class token");
        let projected = queue.empty([batch * tokens_each, width]);
        queue.product(&pixels, &tower.conv1, &projected, Epilogue::Store);
        drop(pixels);
        let unnormed = queue.empty([batch, tokens, width]);
        queue.embed_image(&projected, &tower.class, &tower.positions, &unnormed);
        drop(projected);
        let stream = queue.empty([batch, tokens, width]);
        queue.norm(&unnormed, &tower.ln_pre, &stream, width);
        drop(unnormed);
        tower.blocks.forward(queue, &stream);
        let class = queue.empty([batch, width]);
        queue.norm(&stream, &tower.ln_post, &class, tokens * width);
        project(queue, &class, &tower.proj, [batch])
    }

    fn token_features(&self, ids: Tensor<2, Int>) -> Option<Tensor<3>> {
        let (queue, tower) = (&self.queue, self.text.as_ref()?);
        let [texts, longest] = ids.dims();
        let [_, width] = tower.positions.meta.shape().dims();
        let stream = queue.empty([texts, longest, width]);
        queue.embed_text(&int_buffer(ids), &tower.vocabulary, &tower.positions, &stream);
        tower.blocks.forward(queue, &stream);
        let normed = queue.empty([texts, longest, width]);
        queue.norm(&stream, &tower.ln_final, &normed, width);
        Some(project(queue, &normed, &tower.projection, [texts, longest]))
    }

    fn gather(&self, parts: &[Rows]) -> Tensor<2> {
        self.queue.gather(parts)
    }
}

impl GpuImageTower {
    fn new(queue: &Queue, tower: &VisionTransformer, activation: Epilogue) -> Option<Self> {
        let stem = &tower.stem;
        Some(Self {
            conv1: matrix(queue, &stem.conv1)?,
            class: parameter(&stem.class_embedding)?,
            positions: parameter(&stem.positional_embedding)?,
            ln_pre: norm(&stem.ln_pre)?,
            blocks: Blocks::new(&tower.transformer, Attention::Full, activation)?,
            ln_post: norm(&stem.ln_post)?,
            proj: matrix(queue, &stem.proj)?,
        })
    }
}

impl GpuTextTower {
    fn new(queue: &Queue, tower: &TextTransformer, activation: Epilogue) -> Option<Self> {
        let stem = &tower.stem;
        Some(Self {
            vocabulary: parameter(&stem.token_embedding.weight)?,
            positions: parameter(&stem.positional_embedding)?,
            blocks: Blocks::new(&tower.transformer, Attention::Causal, activation)?,
            ln_final: norm(&stem.ln_final)?,
            projection: matrix(queue, &stem.text_projection)?,
        })
    }
}

impl Blocks {
    fn new(transformer: &Transformer, order: Attention, activation: Epilogue) -> Option<Self> {
        let blocks: Option<Vec<Block>> = transformer.resblocks.iter().map(|block| Block::new(block, order)).collect();
        Some(Self { blocks: blocks?, order, activation })
    }

    /// Runs the blocks in order on `stream`, `[batch, tokens, width]`.
    fn forward(&self, queue: &Queue, stream: &CubeTensor) {
        let Some(first) = self.blocks.first() else { return };
        let [batch, tokens, width] = stream.meta.shape().dims();
        let [hidden_width] = first.c_fc.bias.meta.shape().dims();
        let sizes = [batch, tokens, self.order.heads(width)];
        // All blocks share these buffers, since the GPU runs them one after the other.
        let normed = queue.empty([batch, tokens, width]);
        let qkv = queue.empty([batch, tokens, 3 * width]);
        let hidden = queue.empty([batch, tokens, hidden_width]);
        for block in &self.blocks {
            queue.norm(stream, &block.ln_1, &normed, width);
            queue.product(&normed, &block.in_proj, &qkv, Epilogue::Store);
            queue.attend(&qkv, &normed, sizes, self.order);
            queue.product(&normed, &block.out_proj, stream, Epilogue::Accumulate);
            queue.norm(stream, &block.ln_2, &normed, width);
            queue.product(&normed, &block.c_fc, &hidden, self.activation);
            queue.product(&hidden, &block.c_proj, stream, Epilogue::Accumulate);
        }
    }
}

impl Block {
    fn new(block: &ResidualAttentionBlock, order: Attention) -> Option<Self> {
        let block = Self {
            ln_1: norm(&block.ln_1)?,
            in_proj: linear(&block.in_proj)?,
            out_proj: linear(&block.out_proj)?,
            ln_2: norm(&block.ln_2)?,
            c_fc: linear(&block.c_fc)?,
            c_proj: linear(&block.c_proj)?,
        };
        let [width] = block.ln_1.gamma.meta.shape().dims();
        let head_width = width / order.heads(width);
        (is_multiple_of_lanes(head_width) && head_width <= WIDEST_HEAD).then_some(block)
    }
}

/// Multiplies rows with a projection, from `[batch…, width]` to `[batch…, embed_dim]`.
fn project<const B: usize, const D: usize>(
    queue: &Queue,
    input: &CubeTensor,
    projection: &Linear,
    batch: [usize; B],
) -> Tensor<D> {
    let [_, embed_dim] = projection.weight.meta.shape().dims();
    let shape: Vec<usize> = batch.into_iter().chain([embed_dim]).collect();
    let out = queue.empty::<D>(shape.try_into().expect("the batch and one more axis"));
    queue.product(input, projection, &out, Epilogue::Store);
    tensor(out)
}

/// The buffer of a parameter. Returns `None` if the kernels do not support its width.
fn parameter<const D: usize>(parameter: &Param<Tensor<D>>) -> Option<CubeTensor> {
    let buffer = buffer(parameter.val())?;
    is_multiple_of_lanes(buffer.meta.shape().dims::<D>()[D - 1]).then_some(buffer)
}

fn norm(layer: &nn::LayerNorm) -> Option<LayerNorm> {
    Some(LayerNorm { gamma: parameter(&layer.gamma)?, beta: parameter(layer.beta.as_ref()?)? })
}

fn linear(layer: &nn::Linear) -> Option<Linear> {
    supported(Linear { weight: parameter(&layer.weight)?, bias: parameter(layer.bias.as_ref()?)? })
}

/// A matrix without bias, as a layer with a bias of zeros.
fn matrix(queue: &Queue, weight: &Param<Tensor<2>>) -> Option<Linear> {
    let weight = parameter(weight)?;
    let [_, outputs] = weight.meta.shape().dims();
    supported(Linear { weight, bias: queue.zeros([outputs]) })
}

/// The layer, if the kernels support the width of its input.
fn supported(layer: Linear) -> Option<Linear> {
    let [inputs, _] = layer.weight.meta.shape().dims();
    is_multiple_of_lanes(inputs).then_some(layer)
}
