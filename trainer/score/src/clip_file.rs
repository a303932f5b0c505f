//! The files that CLIP weights come in: one file, several with an index, or a folder with either; and what training programs
//! put before each tensor's name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use tsp_mgs_core::bundle::{MANIFEST, sha256};
use tsp_mgs_core::weights::Tensors;

use crate::{pytorch, safetensors_file};

/// What a folder's weights are called, the first that is there: by Hugging Face, then by open_clip.
pub const IN_FOLDER: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_pytorch_model.bin",
];

/// A tensor that each CLIP model with a vision transformer has: OpenAI's name, and Hugging Face's.
const FIRST: [&str; 2] = ["visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"];

/// What wrappers put before each name: training on several GPUs, Lightning, `torch.compile`.
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// Which file holds each tensor.
#[derive(Deserialize)]
pub struct Index {
    /// By tensor.
    pub weight_map: BTreeMap<String, String>,
}

/// The tensors with their own names, and the SHA-256 of the file, or of a list of the files and theirs.
///
/// # Errors
/// When there is no such file, it cannot be read, or it holds another kind of model.
pub fn read(path: &Path) -> Result<(Tensors<'static>, String)> {
    let (mut tensors, sha256) = if path.is_dir() { read_folder(path)? } else { read_file(path)? };
    strip_prefix(&mut tensors)?;
    if let Some(kind) = other_model(&tensors) {
        bail!("{kind}; expected a CLIP model with a vision transformer, of OpenAI's or Hugging Face's names");
    }
    Ok((tensors, sha256))
}

fn read_folder(folder: &Path) -> Result<(Tensors<'static>, String)> {
    if let Some(file) = IN_FOLDER.iter().map(|name| folder.join(name)).find(|file| file.is_file()) {
        return read_file(&file).with_context(|| file.display().to_string());
    }
    if folder.join(MANIFEST).is_file() {
        bail!("a model bundle: pass it with --model");
    }
    bail!("no weights in this folder: expected {}", IN_FOLDER.join(", "));
}

fn read_file(path: &Path) -> Result<(Tensors<'static>, String)> {
    if !path.is_file() {
        bail!(
            "no such file; pass the weights file itself, its folder, a model's name such as openai/clip-vit-base-patch32, or a \
             bundle's folder with --model"
        );
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => safetensors_file::read(path),
        Some("bin" | "pt" | "pth" | "ckpt") => {
            let bytes = fs::read(path)?;
            Ok((pytorch::read(path, &bytes)?, sha256(&bytes)))
        }
        Some("json") => read_parts(path),
        _ => bail!("unknown kind of file, expected .safetensors, .bin, .pt, .pth, .ckpt or .index.json"),
    }
}

/// All files of an index; each tensor has to be where the index says, and nothing beside them.
fn read_parts(path: &Path) -> Result<(Tensors<'static>, String)> {
    let Index { weight_map } = serde_json::from_slice(&fs::read(path)?)
        .context("expected an index with a `weight_map`, as of `*.index.json`")?;
    let mut of_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &weight_map {
        of_file.entry(file).or_default().push(tensor);
    }
    let (mut all, mut hashes) = (Tensors::new(), String::new());
    for (file, tensors) in of_file {
        let is_plain = matches!(*Path::new(file).components().collect::<Vec<_>>(), [Component::Normal(_)]);
        ensure!(is_plain && !file.ends_with(".json"), "the index names `{file}`, expected a file beside it");
        let (mut part, sha256) = read_file(&path.with_file_name(file)).with_context(|| file.to_owned())?;
        for tensor in tensors {
            let found =
                part.remove(tensor).with_context(|| format!("{file} has no tensor `{tensor}`, as its index says"))?;
            all.insert(tensor.to_owned(), found);
        }
        if let Some(tensor) = part.keys().next() {
            bail!("{file} has a tensor `{tensor}` that its index does not name");
        }
        hashes += &format!("{sha256}  {file}\n");
    }
    Ok((all, sha256(hashes.as_bytes())))
}

/// Takes away what wrappers put before each name: whatever stands before a tensor that each CLIP model has, and in files of
/// other models, which are to be told, what wrappers are known to put there.
fn strip_prefix(tensors: &mut Tensors<'static>) -> Result<()> {
    let ends = |name: &str| FIRST.iter().find_map(|first| name.strip_suffix(first)).map(str::to_owned);
    let found: Vec<String> = tensors.keys().filter_map(|name| ends(name)).collect();
    let prefix = match found.as_slice() {
        [prefix] => prefix.clone(),
        [one, two, ..] => bail!("two models in one file, `{one}…` and `{two}…`: save one of them alone"),
        [] => {
            let mut rest = tensors.keys().next().map_or("", String::as_str);
            while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| rest.strip_prefix(wrapper)) {
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
            return Err(anyhow!("the tensor `{name}` is there with `{prefix}` before its name and without"));
        }
        tensors.insert(name, tensor);
    }
    Ok(())
}

/// What a file holds that is no CLIP model for us, where its names tell.
fn other_model(tensors: &Tensors) -> Option<&'static str> {
    let has = |start: &str| tensors.range(start.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(start));
    let is_siglip = tensors.contains_key("logit_bias") || has("vision_model.head.");
    [
        (is_siglip, "SigLIP weights, whose scores are sigmoids of another scale and have no softmax over levels"),
        (has("visual.attnpool."), "CLIP weights with a ResNet for an image tower, such as RN50"),
        (has("visual.trunk."), "open_clip weights whose image tower is from timm, such as ConvNeXt"),
        (has("text_decoder."), "CoCa weights"),
        (has("visual.blocks."), "EVA-CLIP weights"),
        (
            has("text.") && has("visual."),
            "weights of open_clip's CustomTextCLIP, whose text tower is a module of its own",
        ),
        (!has("visual.") && !has("vision_model.") && has("text_model."), "a text tower without an image tower"),
        (has("visual.") && !has("token_embedding."), "an image tower without a text tower"),
        (has("vision_model.") && !has("text_model."), "an image tower without a text tower"),
        (
            has("lora_") || tensors.keys().any(|name| name.contains(".lora_")),
            "LoRA weights without their model: merge the two",
        ),
    ]
    .into_iter()
    .find_map(|(is_it, kind)| is_it.then_some(kind))
}
