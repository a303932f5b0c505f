//! Reads CLIP weights from a file, from several files with an index, or from a folder with either.
//!
//! A prefix that a training program put before the names of the tensors is removed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use tsp_mgs_core::bundle::{MANIFEST, sha256};
use tsp_mgs_core::weights::Tensors;

use super::{pytorch, safetensors_file};

/// The names of weight files in a folder, as Hugging Face and open_clip write them. The first one that exists is read.
pub const WEIGHT_FILES: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_pytorch_model.bin",
];

/// The first tensor of a vision transformer, which each supported model has: OpenAI's name and Hugging Face's.
const FIRST_TENSOR: [&str; 2] = ["visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"];

/// The prefixes that wrappers put before names: `DataParallel`, Lightning and `torch.compile`.
const WRAPPER_PREFIXES: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// The index of a checkpoint in several files (`*.index.json`).
#[derive(Deserialize)]
pub struct Index {
    /// The file name for each tensor name.
    pub weight_map: BTreeMap<String, String>,
}

/// Reads tensors, and removes the prefix of their names.
///
/// Also returns the SHA-256 of the file in hexadecimal. For several files, this is the SHA-256 of the list of their
/// hashes and names.
///
/// # Errors
/// Returns an error if the file does not exist or cannot be read, or if it contains another kind of model.
pub fn read(path: &Path) -> Result<(Tensors<'static>, String)> {
    let (mut tensors, sha256) = if path.is_dir() { read_folder(path)? } else { read_file(path)? };
    strip_prefix(&mut tensors)?;
    if let Some(kind) = other_model(&tensors) {
        bail!(
            "found {kind}; expected a CLIP model with a vision transformer, with the tensor names of OpenAI or Hugging Face"
        );
    }
    Ok((tensors, sha256))
}

fn read_folder(folder: &Path) -> Result<(Tensors<'static>, String)> {
    if let Some(file) = WEIGHT_FILES.iter().map(|name| folder.join(name)).find(|file| file.is_file()) {
        return read_file(&file).with_context(|| file.display().to_string());
    }
    if folder.join(MANIFEST).is_file() {
        bail!("the folder is a model bundle; pass it with --model");
    }
    bail!("no weights in this folder: expected {}", WEIGHT_FILES.join(", "));
}

fn read_file(path: &Path) -> Result<(Tensors<'static>, String)> {
    if !path.is_file() {
        bail!(
            "no such file; pass a weights file, its folder, or a model's name such as \
             openai/clip-vit-base-patch32; pass the folder of a bundle with --model"
        );
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => safetensors_file::read(path),
        Some("bin" | "pt" | "pth" | "ckpt") => {
            let bytes = fs::read(path)?;
            Ok((pytorch::read(path, &bytes)?, sha256(&bytes)))
        }
        Some("json") => read_index(path),
        _ => bail!("the file has an unknown extension; expected .safetensors, .bin, .pt, .pth, .ckpt or .index.json"),
    }
}

/// Reads all files of an index. Each file must have exactly the tensors that the index says.
fn read_index(path: &Path) -> Result<(Tensors<'static>, String)> {
    let Index { weight_map } =
        serde_json::from_slice(&fs::read(path)?).context("expected an index with a `weight_map`")?;
    let mut of_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &weight_map {
        of_file.entry(file).or_default().push(tensor);
    }
    let (mut all, mut hashes) = (Tensors::new(), String::new());
    for (file, tensors) in of_file {
        let is_plain = matches!(*Path::new(file).components().collect::<Vec<_>>(), [Component::Normal(_)]);
        ensure!(
            is_plain && !file.ends_with(".json"),
            "the index names the file `{file}`; expected a weights file in its own folder"
        );
        let (mut part, sha256) = read_file(&path.with_file_name(file)).with_context(|| file.to_owned())?;
        for tensor in tensors {
            let found = part.remove(tensor).with_context(|| {
                format!("{file} does not have the tensor `{tensor}`, which the index expects there")
            })?;
            all.insert(tensor.to_owned(), found);
        }
        if let Some(tensor) = part.keys().next() {
            bail!("{file} has the tensor `{tensor}`, which is not in the index");
        }
        hashes += &format!("{sha256}  {file}\n");
    }
    Ok((all, sha256(hashes.as_bytes())))
}

/// Removes the common prefix of the names.
///
/// The prefix is what stands before the name of the first tensor of a vision transformer. If there is no such tensor,
/// the file has another kind of model. Then the known prefixes of wrappers are removed, so that the kind can be
/// recognised.
fn strip_prefix(tensors: &mut Tensors<'static>) -> Result<()> {
    let ends = |name: &str| FIRST_TENSOR.iter().find_map(|first| name.strip_suffix(first)).map(str::to_owned);
    let found: Vec<String> = tensors.keys().filter_map(|name| ends(name)).collect();
    let prefix = match found.as_slice() {
        [prefix] => prefix.clone(),
        [one, two, ..] => bail!(
            "the file has two models, with the prefixes `{one}` and `{two}`; save one of them in a file of its own"
        ),
        [] => {
            let mut rest = tensors.keys().next().map_or("", String::as_str);
            while let Some(inner) = WRAPPER_PREFIXES.iter().find_map(|wrapper| rest.strip_prefix(wrapper)) {
                rest = inner;
            }
            tensors.keys().next().and_then(|name| name.strip_suffix(rest)).unwrap_or_default().to_owned()
        }
    };
    if !prefix.ends_with('.') {
        return Ok(());
    }
    for (name, tensor) in std::mem::take(tensors) {
        let name = name.strip_prefix(&prefix).map(str::to_owned).unwrap_or(name);
        if tensors.contains_key(&name) {
            return Err(anyhow!("the file has the tensor `{name}` twice, with the prefix `{prefix}` and without"));
        }
        tensors.insert(name, tensor);
    }
    Ok(())
}

/// Returns a description of an unsupported model that the names of the tensors identify, or `None`.
fn other_model(tensors: &Tensors) -> Option<&'static str> {
    let has = |start: &str| tensors.range(start.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(start));
    let is_siglip = tensors.contains_key("logit_bias") || has("vision_model.head.");
    [
        (is_siglip, "SigLIP weights, whose similarities are scaled for a sigmoid and not for a softmax over levels"),
        (has("visual.attnpool."), "CLIP weights with a ResNet as the image tower, such as RN50"),
        (has("visual.trunk."), "open_clip weights with an image tower from timm, such as ConvNeXt"),
        (has("text_decoder."), "CoCa weights"),
        (has("visual.blocks."), "EVA-CLIP weights"),
        (has("text.") && has("visual."), "weights of open_clip's CustomTextCLIP, which has another text tower"),
        (!has("visual.") && !has("vision_model.") && has("text_model."), "a text tower without an image tower"),
        (has("visual.") && !has("token_embedding."), "an image tower without a text tower"),
        (has("vision_model.") && !has("text_model."), "an image tower without a text tower"),
        (
            has("lora_") || tensors.keys().any(|name| name.contains(".lora_")),
            "LoRA weights without the model that they belong to, which must be merged first",
        ),
    ]
    .into_iter()
    .find_map(|(matches, kind)| matches.then_some(kind))
}
