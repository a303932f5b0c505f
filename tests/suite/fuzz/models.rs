//! Weights: bundles, safetensors files and PyTorch files.

use std::path::Path;

use arbtest::arbitrary::{Result, Unstructured};
use burn::tensor::Device;
use serde_json::Value;
use tsp_mgs_core::bundle::{BundleReader, Manifest, WeightType, write_shards};
use tsp_mgs_core::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::options::Options;
use tsp_mgs_core::prompts::{PromptFeatures, PromptSet, Task};
use tsp_mgs_core::scorer::{ImageTower, Precision, Scorer};
use tsp_mgs_core::seeded;
use tsp_mgs_trainer::score::model::{Model, ModelArgs};

use super::mutate::{mutate, mutated_text, mutated_zip};
use super::target::Input;
use crate::parity;
use crate::support::archives::zip_entries;
use crate::support::fixtures::{fixture, read};

/// Bytes of the header's length in a safetensors file, and of the manifest's in a bundle's input.
const LENGTH_BYTES: usize = 8;

/// Parts of manifests and of headers of safetensors files.
const JSON_WORDS: [&str; 21] = [
    "{",
    "}",
    "[0]",
    "[]",
    "null",
    "-1",
    "1e9",
    "0.5",
    "[1,3,4611686018427387904,4611686018427387904]",
    r#""dtype":"I8","#,
    r#""dtype":"F64","#,
    r#""dtype":"BOOL","#,
    r#""data_offsets":[0,0]"#,
    r#""__metadata__":{"a":"b"},"#,
    r#""text": null"#,
    r#""prompts": "adv""#,
    r#""task": "alignment","#,
    ":scale",
    "@1",
    "@18446744073709551615",
    "module.",
];

/// Operations of pickles, with their arguments.
const PICKLE_WORDS: [&[u8]; 22] = [
    b"\x80\x02",
    b"cos\nsystem\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ccollections\nOrderedDict\n",
    b"(",
    b"t",
    b"R",
    b"Q",
    b"}",
    b"]",
    b"s",
    b"u",
    b"\x85",
    b"q\xff",
    b"h\0",
    b"2",
    b"0",
    b".",
    b"X\xff\xff\xff\x7f",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
];

/// A manifest and its only shard.
pub struct Bundle {
    manifest: String,
    shard: Vec<u8>,
}

/// A small model with its text tower, one without, and the latter with weights in 8 bits.
pub fn bundles() -> Vec<Bundle> {
    let vision = VisionConfig { image_size: 32, patch_size: 16, width: 64, mlp_width: 64, layers: 1 };
    let text = TextConfig { context_length: 8, vocab_size: 50, width: 8, mlp_width: 32, layers: 1 };
    let whole = ClipConfig { embed_dim: 12, activation: Activation::QuickGelu, vision, text: Some(text) };
    let checkpoint = seeded::checkpoint(whole.clone(), 1);
    let prompts = PromptSet::Adj;
    let values = seeded::uniform("prompts", 1, prompts.levels().len() * whole.embed_dim);
    let features = PromptFeatures { prompts, values };
    let options = Options { fine: false, crops: 1, ..Options::default_for(Task::Perception) };
    let image_only = ClipConfig { text: None, ..whole.clone() };
    [(&whole, WeightType::F16), (&image_only, WeightType::F32), (&image_only, WeightType::Q8)]
        .map(|(config, dtype)| {
            let features = config.text.is_none().then_some(&features);
            let shards = write_shards(&checkpoint, config, dtype, features);
            let manifest = parity::manifest(&shards, std::slice::from_ref(&options));
            let manifest = Manifest { clip: config.clone(), dtype, ..manifest };
            let [shard] = <[Vec<u8>; 1]>::try_from(shards).expect("a small model has one shard");
            Bundle { manifest: manifest.to_json(), shard }
        })
        .into()
}

/// A bundle with a changed manifest or a changed shard. The manifest has the right size of a changed shard.
pub fn changed_bundle(u: &mut Unstructured, bundles: &[Bundle]) -> Result<Input> {
    let Bundle { manifest, shard } = u.choose(bundles)?;
    let (mut manifest, mut shard) = (manifest.clone(), shard.clone());
    if u.arbitrary()? {
        manifest = mutated_text(u, &manifest, &JSON_WORDS)?;
    } else {
        change_safetensors(u, &mut shard)?;
        if let Ok(mut json) = serde_json::from_str::<Value>(&manifest) {
            json["shards"][0]["size"] = shard.len().into();
            manifest = json.to_string();
        }
    }
    let length = (manifest.len() as u64).to_le_bytes();
    Ok(Input { ending: "bundle", bytes: [&length[..], manifest.as_bytes(), &shard].concat() })
}

/// Reads a bundle and loads its model.
pub fn load_bundle(_: &Path, bytes: &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().expect("a length");
    let (manifest, shard) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let Ok(manifest) = Manifest::parse(manifest) else { return };
    let _ = manifest.total_bytes();
    let mut reader = BundleReader::new(manifest);
    while reader.next_shard().is_some() {
        // Its hash is not checked: who makes a bundle writes it.
        if reader.add_hashed(shard).is_err() {
            return;
        }
    }
    let Ok(bundle) = reader.finish() else { return };
    for precision in [Precision::Float32, Precision::Int8] {
        let tasks = bundle.manifest.tasks.values().cloned().collect();
        let tower = ImageTower { precision, ..ImageTower::default() };
        let features = bundle.prompt_features.as_ref();
        // A wrong model is an error.
        let _ = Scorer::load(bundle.checkpoint.clone(), features, tasks, tower, Device::flex());
    }
}

/// Safetensors files in both naming schemes.
pub fn safetensors_files() -> Vec<Vec<u8>> {
    ["hf.safetensors", "hf_fp16.safetensors", "open_clip.safetensors"]
        .map(|name| read(&fixture("formats").join(name)))
        .into()
}

/// One of `files` with a changed header, whose length is right, or with other changes.
pub fn changed_safetensors(u: &mut Unstructured, files: &[Vec<u8>]) -> Result<Input> {
    let mut bytes = u.choose(files)?.clone();
    change_safetensors(u, &mut bytes)?;
    Ok(Input { ending: "safetensors", bytes })
}

fn change_safetensors(u: &mut Unstructured, file: &mut Vec<u8>) -> Result<()> {
    if u.ratio(1, 4)? {
        return mutate(u, file, &JSON_WORDS.map(str::as_bytes));
    }
    let (length, rest) = file.split_first_chunk::<LENGTH_BYTES>().expect("a length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header = std::str::from_utf8(header).expect("JSON");
    // `mutated_text` changes the start of a text more often than the rest. So each part of the header is a start sometimes.
    let middle = u.int_in_range(0..=header.len())?;
    let (before, after) = header.split_at_checked(middle).unwrap_or(("", header));
    let after = mutated_text(u, after, &JSON_WORDS)?;
    let length = ((before.len() + after.len()) as u64).to_le_bytes();
    *file = [&length[..], before.as_bytes(), after.as_bytes(), data].concat();
    Ok(())
}

/// A PyTorch file.
pub struct PyTorchFile {
    bytes: Vec<u8>,
    /// The names of its entries, if it is a ZIP archive.
    entries: Vec<String>,
}

/// PyTorch files of all kinds.
pub fn pytorch_files() -> Vec<PyTorchFile> {
    ["hf.bin", "hf_legacy.bin", "openai.pt", "open_clip_checkpoint.pt", "torchscript.pt"]
        .map(|name| {
            let bytes = read(&fixture("formats").join(name));
            PyTorchFile { entries: zip_entries(&bytes), bytes }
        })
        .into()
}

/// A file with a changed pickle, packed again, or with other changes.
pub fn changed_pytorch(u: &mut Unstructured, files: &[PyTorchFile]) -> Result<Input> {
    let PyTorchFile { bytes, entries } = u.choose(files)?;
    let bytes = if entries.is_empty() || u.ratio(1, 4)? {
        let mut bytes = bytes.clone();
        mutate(u, &mut bytes, &PICKLE_WORDS)?;
        bytes
    } else {
        let pickle = entries.iter().find(|name| name.ends_with("/data.pkl")).expect("each archive has one");
        let entry = if u.ratio(7, 8)? { pickle } else { u.choose(entries)? };
        mutated_zip(u, bytes, entry, &PICKLE_WORDS)?
    };
    Ok(Input { ending: "pt", bytes })
}

/// Opens weights as `--clip FILE` does.
pub fn open_weights(path: &Path, _: &[u8]) {
    // Wrong weights are an error.
    let _ = Model::open(&ModelArgs { clip: Some(path.to_owned()), ..ModelArgs::default() });
}
