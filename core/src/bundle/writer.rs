//! Writes the shards of a bundle.

use std::borrow::Cow;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::manifest::{PROMPT_FEATURES, WeightType};
use crate::checkpoint::Checkpoint;
use crate::config::ClipConfig;
use crate::layout::parameter_shapes;
use crate::prompts::PromptFeatures;
use crate::quantise::quantise;
use crate::weights::RawTensor;

/// The largest size of a shard. A shard is downloaded again as a whole after a broken connection.
pub const MAX_SHARD_BYTES: usize = 16 << 20;

/// Space for the header of a shard.
const HEADER_BYTES: usize = 64 << 10;

/// Writes the parameters of a model as shards of at most [`MAX_SHARD_BYTES`]. `clip` has the sizes of the checkpoint, with or
/// without its text tower.
pub fn write_shards(
    checkpoint: &Checkpoint,
    clip: &ClipConfig,
    dtype: WeightType,
    prompt_features: Option<&PromptFeatures>,
) -> Vec<Vec<u8>> {
    let mut shards = vec![Vec::new()];
    let mut room = MAX_SHARD_BYTES - HEADER_BYTES;
    let parameters = parameter_shapes(clip)
        .into_iter()
        .flat_map(|(name, shape)| encode(&name, &shape, &checkpoint.values(&name), dtype));
    let prompt_features = prompt_features.map(|features| {
        let shape = vec![features.values.len() / clip.embed_dim, clip.embed_dim];
        (PROMPT_FEATURES.to_owned(), RawTensor::from_f32(shape, &features.values))
    });
    for (name, tensor) in parameters.chain(prompt_features) {
        let rows = tensor.shape.first().copied().unwrap_or(1);
        let row_bytes = tensor.bytes.len() / rows;
        let mut start = 0;
        while start < rows {
            let count = (room / row_bytes).min(rows - start);
            if count == 0 {
                shards.push(Vec::new());
                room = MAX_SHARD_BYTES - HEADER_BYTES;
                continue;
            }
            let mut shape = tensor.shape.clone();
            if let Some(first) = shape.first_mut() {
                *first = count;
            }
            let piece_name = if count == rows { name.clone() } else { format!("{name}@{start}") };
            let bytes = tensor.bytes[start * row_bytes..(start + count) * row_bytes].to_vec();
            room -= bytes.len();
            let piece = RawTensor { dtype: tensor.dtype, shape, bytes: Cow::Owned(bytes) };
            shards.last_mut().expect("there is a shard from the start").push((piece_name, piece));
            start += count;
        }
    }
    shards.iter().map(|pieces| serialize(pieces)).collect()
}

fn serialize(pieces: &[(String, RawTensor)]) -> Vec<u8> {
    let views = pieces.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        (name, view.expect("shape and bytes belong together"))
    });
    safetensors::serialize(views, None).expect("the tensors are well formed")
}

/// Converts a parameter to the tensors that are stored: one tensor, or 8-bit integers and their scales.
fn encode(name: &str, shape: &[usize], values: &[f32], dtype: WeightType) -> Vec<(String, RawTensor<'static>)> {
    let is_matrix = shape.len() >= 2 && !name.contains("positional_embedding");
    match dtype {
        WeightType::Q8 if is_matrix => quantise(name, shape, values).into(),
        WeightType::F16 => {
            let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
            vec![(name.to_owned(), RawTensor { dtype: Dtype::F16, shape: shape.into(), bytes: Cow::Owned(bytes) })]
        }
        WeightType::F32 | WeightType::Q8 => vec![(name.to_owned(), RawTensor::from_f32(shape.into(), values))],
    }
}
