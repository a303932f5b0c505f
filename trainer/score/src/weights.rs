//! Files of CLIP weights: safetensors, PyTorch, and several files with an index.

pub mod clip_file;
mod pytorch;
mod safetensors_file;
