//! Reads named tensors from PyTorch files (`.bin`, `.pt`).

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pytorch_reader::{DType, PytorchReader};
use safetensors::Dtype;
use tsp_mgs_core::weights::{RawTensor, Tensors};

/// The keys under which training checkpoints have the weights: open_clip and Lightning, PyTorch's tutorials, and
/// others.
const STATE_DICTS: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

/// The largest total size of tensors, as a multiple of the size of the file. Tensors that share elements make it larger than 1.
const MAX_EXPANSION: usize = 4;

/// Reads a state dict, or the state dict in a training checkpoint. `bytes` is the content of the file.
///
/// # Errors
/// Returns an error if the file has no state dict. A TorchScript archive such as OpenAI's `ViT-B-32.pt` contains a
/// program: the error says how to convert it.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Tensors<'static>> {
    let under_key = STATE_DICTS.iter().find_map(|key| PytorchReader::with_top_level_key(path, key).ok());
    let reader = match under_key.map_or_else(|| PytorchReader::new(path), Ok) {
        Ok(reader) => reader,
        Err(_) if is_torchscript(bytes) => bail!(
            "the file is a TorchScript archive, which contains a program; convert it once with PyTorch and pass clip.pt:\n  \
             python -c \"import torch; torch.save(torch.jit.load('{}', map_location='cpu').state_dict(), 'clip.pt')\"",
            path.display()
        ),
        Err(error) => return Err(error).context("the file is not a PyTorch state dict, or it is truncated"),
    };
    let mut tensors = Tensors::new();
    let mut total_bytes = 0_usize;
    for (name, tensor) in reader.tensors() {
        let name = name.clone();
        // A stride of 0 repeats elements, so that a small file can state tensors of any size.
        total_bytes = total_bytes.saturating_add(tensor.byte_len());
        ensure!(
            total_bytes <= MAX_EXPANSION * bytes.len(),
            "the tensors up to `{name}` take {total_bytes} bytes, more than {MAX_EXPANSION} times the size of the file; save \
             the state dict without expanded tensors"
        );
        let dtype = match tensor.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F64 => Dtype::F64,
            _ => Dtype::I64, // a buffer, whose values are not used
        };
        let bytes = tensor.read().with_context(|| format!("reading tensor `{name}`"))?;
        tensors.insert(name, RawTensor { dtype, shape: tensor.shape().to_vec(), bytes: Cow::Owned(bytes) });
    }
    Ok(tensors)
}

/// Returns whether a ZIP archive has the entry that identifies TorchScript.
fn is_torchscript(bytes: &[u8]) -> bool {
    const ENTRY: &[u8] = b"/constants.pkl";
    bytes.windows(ENTRY.len()).any(|window| window == ENTRY)
}
