//! PyTorch files (`.bin`, `.pt`) to named tensors.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result, bail};
use pytorch_reader::{DType, PytorchReader};
use safetensors::Dtype;
use tsp_mgs_core::weights::{RawTensor, Tensors};

/// Where training checkpoints keep the weights, beside the epoch and the like: open_clip and Lightning, PyTorch's tutorials,
/// and others.
const STATE_DICTS: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

/// Reads a state dict from a file, whose `bytes` were read before, or the one inside a training checkpoint.
///
/// # Errors
/// For files that hold no state dict. A TorchScript archive, like OpenAI's own `ViT-B-32.pt`, is
/// code and not only tensors: the error says how to convert it.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Tensors<'static>> {
    let under_key = STATE_DICTS.iter().find_map(|key| PytorchReader::with_top_level_key(path, key).ok());
    let reader = match under_key.map_or_else(|| PytorchReader::new(path), Ok) {
        Ok(reader) => reader,
        Err(_) if is_torchscript(bytes) => bail!(
            "a TorchScript archive, which is a program with its weights; convert it once with PyTorch and pass clip.pt:\n  \
             python -c \"import torch; torch.save(torch.jit.load('{}', map_location='cpu').state_dict(), 'clip.pt')\"",
            path.display()
        ),
        Err(error) => return Err(error).context("not a PyTorch state dict, or a truncated one"),
    };
    let mut tensors = Tensors::new();
    for (name, tensor) in reader.tensors() {
        let name = name.clone();
        let dtype = match tensor.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F64 => Dtype::F64,
            _ => Dtype::I64, // buffers: only their names matter
        };
        let bytes = tensor.read().with_context(|| format!("tensor `{name}`"))?;
        tensors.insert(name, RawTensor { dtype, shape: tensor.shape().to_vec(), bytes: Cow::Owned(bytes) });
    }
    Ok(tensors)
}

/// Whether a ZIP archive has the entry that all of TorchScript's have and no state dict.
fn is_torchscript(bytes: &[u8]) -> bool {
    const ENTRY: &[u8] = b"/constants.pkl";
    bytes.windows(ENTRY.len()).any(|window| window == ENTRY)
}
