use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use safetensors::tensor::TensorView;
use tsp_mgs_core::Error;
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::seeded;
use tsp_mgs_core::weights::{RawTensor, Tensors, read_safetensors};
use tsp_mgs_trainer::score::model::{Model, ModelArgs};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::support::compare::assert_close;
use crate::support::fixtures::{fixture, read, tensors};

/// `seeded.FORMATS` in `tests/fixtures/seeded.py`.
fn config() -> ClipConfig {
    ClipConfig {
        embed_dim: 12,
        activation: Activation::QuickGelu,
        vision: VisionConfig { image_size: 8, patch_size: 4, width: 16, mlp_width: 64, layers: 1 },
        text: Some(TextConfig { context_length: 8, vocab_size: 50, width: 8, mlp_width: 32, layers: 1 }),
    }
}

fn open(path: &Path) -> anyhow::Result<Model> {
    Model::open(&ModelArgs { clip: Some(path.to_owned()), ..ModelArgs::default() })
}

fn message(path: &Path) -> String {
    match open(path) {
        Ok(_) => panic!("{} opens", path.display()),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn every_format_and_naming_gives_the_same_model() {
    let expected = seeded::checkpoint(config(), 3);
    let names: Vec<String> = tensors(&fixture("formats/open_clip.safetensors")).into_keys().collect();
    assert_eq!(names.len(), 38);
    let files = [
        ("hf.safetensors", 0.0),
        ("hf_fp16.safetensors", 1e-3),
        ("hf_bf16.safetensors", 2e-2), // eight bits of precision, logit_scale is 4.6
        ("hf.bin", 0.0),
        ("hf_legacy.bin", 0.0),
        ("openai.pt", 0.0),
        ("open_clip.safetensors", 0.0),
        ("open_clip_checkpoint.pt", 0.0),
    ];
    for (file, tolerance) in files {
        let model = open(&fixture("formats").join(file)).unwrap_or_else(|error| panic!("{file}: {error:#}"));
        assert_eq!(model.checkpoint.config(), &config(), "{file}");
        for name in &names {
            let found = model.checkpoint.values(name);
            assert_close(&found, &expected.values(name), tolerance, &format!("{file}: {name}"));
        }
    }
}

/// Writes tensors as a safetensors file.
fn write(path: &Path, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        (name, view.expect("shape and bytes belong together"))
    });
    fs::write(path, safetensors::serialize(views, None).expect("tensors")).expect("writing");
}

/// The tensors with a prefix in each name.
fn prefixed(tensors: &Tensors<'static>, prefix: &str) -> Tensors<'static> {
    tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())).collect()
}

#[test]
fn what_training_programs_put_before_names_is_taken_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.safetensors");
    for file in ["hf.safetensors", "open_clip.safetensors"] {
        let tensors = tensors(&fixture("formats").join(file));
        for prefix in ["module.", "model.", "_orig_mod.", "module._orig_mod.", "model.clip."] {
            write(&path, &prefixed(&tensors, prefix));
            let model = open(&path).unwrap_or_else(|error| panic!("{prefix}: {error:#}"));
            assert_eq!(model.checkpoint.config(), &config(), "{prefix}");
        }
        let mut two = prefixed(&tensors, "module.");
        two.extend(prefixed(&tensors, "ema."));
        write(&path, &two);
        assert!(
            message(&path).contains("the file has two models, with the prefixes `ema.` and `module.`"),
            "{}",
            message(&path)
        );
        let mut more = prefixed(&tensors, "model.");
        more.insert("head.weight".into(), RawTensor::from_f32(vec![1], &[0.0]));
        write(&path, &more);
        assert!(message(&path).contains("the first is `head.weight`"), "{}", message(&path));
    }
}

#[test]
fn weights_in_several_files_and_in_folders_are_found() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path();
    let tensors = tensors(&fixture("formats/hf.safetensors"));
    assert!(message(folder).contains("no weights in this folder: expected model.safetensors"), "{}", message(folder));
    let (mut first, mut second, mut map) = (Tensors::new(), Tensors::new(), serde_json::Map::new());
    for (i, (name, tensor)) in tensors.iter().enumerate() {
        let (part, file) = if i % 2 == 0 { (&mut first, "a.safetensors") } else { (&mut second, "b.safetensors") };
        part.insert(name.clone(), tensor.clone());
        map.insert(name.clone(), file.into());
    }
    write(&folder.join("a.safetensors"), &first);
    write(&folder.join("b.safetensors"), &second);
    let index = folder.join("model.safetensors.index.json");
    let write_index = |map: &serde_json::Map<String, serde_json::Value>| {
        let json = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
        fs::write(&index, json.to_string()).expect("writing");
    };
    write_index(&map);
    let (of_index, of_folder) = (open(&index).expect("the index"), open(folder).expect("the folder"));
    assert_eq!(of_index.checkpoint.config(), &config());
    assert_eq!(of_index.sha256, of_folder.sha256);

    let name = second.keys().next().expect("a tensor").clone();
    for (file, expected) in [
        (
            Some("a.safetensors"),
            format!("a.safetensors does not have the tensor `{name}`, which the index expects there"),
        ),
        (None, format!("b.safetensors has the tensor `{name}`, which is not in the index")),
        (
            Some("../a.safetensors"),
            "the index names the file `../a.safetensors`; expected a weights file in its own folder".to_owned(),
        ),
        (Some("absent.safetensors"), "absent.safetensors: no such file".to_owned()),
    ] {
        let mut changed = map.clone();
        match file {
            Some(file) => _ = changed.insert(name.clone(), file.into()),
            None => _ = changed.remove(&name),
        }
        write_index(&changed);
        assert!(message(folder).contains(&expected), "{}", message(folder));
    }
    // A single file is preferred to an index.
    write(&folder.join("model.safetensors"), &tensors);
    assert_eq!(open(folder).expect("the folder").checkpoint.config(), &config());
}

#[test]
fn weights_under_another_key_of_a_training_checkpoint_are_found() {
    // This replaces open_clip's key by the key of PyTorch's tutorials. In a pickle, a text follows its length.
    let (old, new) = (b"X\x0a\0\0\0state_dict", b"X\x10\0\0\0model_state_dict");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("finetuned.pt");
    let mut archive =
        ZipArchive::new(File::open(fixture("formats/open_clip_checkpoint.pt")).expect("a file")).expect("a ZIP file");
    let mut writer = ZipWriter::new(File::create(&path).expect("a file"));
    let mut replaced = 0;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("reading");
        if let Some(at) = bytes.windows(old.len()).position(|window| window == old) {
            bytes.splice(at..at + old.len(), new.iter().copied());
            replaced += 1;
        }
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(entry.name().expect("a name"), options).expect("writing");
        writer.write_all(&bytes).expect("writing");
    }
    writer.finish().expect("writing");
    assert_eq!(replaced, 1);
    let model = open(&path).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(model.checkpoint.config(), &config());
}

#[test]
fn weights_of_other_models_are_called_by_their_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("other.safetensors");
    for (names, expected) in [
        (
            vec!["visual.conv1.weight", "visual.attnpool.q_proj.weight", "token_embedding.weight"],
            "a ResNet as the image tower",
        ),
        (
            vec!["vision_model.embeddings.patch_embedding.weight", "vision_model.head.probe", "text_model.head.weight"],
            "SigLIP",
        ),
        (
            vec!["visual.trunk.blocks.0.norm1.weight", "text.transformer.resblocks.0.ln_1.weight", "logit_bias"],
            "SigLIP",
        ),
        (vec!["visual.conv1.weight", "text.token_embedding.weight"], "CustomTextCLIP"),
        (vec!["visual.trunk.stem.0.weight", "token_embedding.weight"], "timm"),
        (vec!["module._orig_mod.visual.trunk.stem.0.weight", "module._orig_mod.token_embedding.weight"], "timm"),
        (vec!["module.vision_model.embeddings.patch_embedding.weight"], "an image tower without a text tower"),
    ] {
        let tensors = names.iter().map(|name| ((*name).to_owned(), RawTensor::from_f32(vec![1], &[0.0]))).collect();
        write(&path, &tensors);
        let message = message(&path);
        assert!(message.contains(expected) && message.contains("expected a CLIP model"), "{names:?}: {message}");
    }
}

fn read_changed(change: impl FnOnce(&mut Tensors)) -> Error {
    let mut tensors = tensors(&fixture("formats/hf.safetensors"));
    change(&mut tensors);
    Checkpoint::read(tensors, Activation::QuickGelu).expect_err("the checkpoint is wrong")
}

#[test]
fn a_missing_tensor_is_named_as_the_file_would_name_it() {
    let name = "text_model.encoder.layers.0.self_attn.k_proj.bias";
    let error = read_changed(|tensors| drop(tensors.remove(name)));
    assert_eq!(error.to_string(), format!("the checkpoint has no tensor `{name}`"));
}

#[test]
fn a_left_over_tensor_is_named() {
    let error = read_changed(|tensors| {
        tensors.insert("text_model.extra.weight".into(), RawTensor::from_f32(vec![2], &[0.0; 2]));
    });
    let expected =
        "the checkpoint has 1 tensors that the model has no place for, the first is `text_model.extra.weight`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_wrong_shape_is_named_with_both_shapes() {
    let name = "vision_model.encoder.layers.0.mlp.fc2.weight";
    let error = read_changed(|tensors| {
        tensors.insert(name.into(), RawTensor::from_f32(vec![64, 16], &[0.0; 1024]));
    });
    assert_eq!(error.to_string(), format!("tensor `{name}` has shape [64, 16], expected [16, 64]"));
}

#[test]
fn whole_numbers_are_no_weights() {
    let name = "visual_projection.weight";
    let error = read_changed(|tensors| {
        tensors.get_mut(name).expect("it is there").dtype = safetensors::Dtype::I32;
    });
    assert_eq!(error.to_string(), format!("tensor `{name}` has element type I32, expected F32, F16 or BF16"));
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let name = "vision_model.encoder.layers.0.mlp.fc1.weight";
    for (dtype, bytes) in [
        (safetensors::Dtype::F32, f32::NAN.to_le_bytes().to_vec()),
        (safetensors::Dtype::F32, f32::NEG_INFINITY.to_le_bytes().to_vec()),
        (safetensors::Dtype::F16, vec![0, 0x7c]),
        (safetensors::Dtype::BF16, vec![0x80, 0x7f]),
    ] {
        let error = read_changed(|tensors| {
            let tensor = tensors.get_mut(name).expect("it is there");
            let elements: usize = tensor.shape.iter().product();
            let mut values = vec![0; elements * bytes.len()];
            values[bytes.len() * 5..bytes.len() * 6].copy_from_slice(&bytes);
            (tensor.dtype, tensor.bytes) = (dtype, values.into());
        });
        assert!(error.to_string().starts_with(&format!("tensor `{name}` has values that are not numbers")), "{error}");
    }
}

#[test]
fn a_vocabulary_of_no_tokens_is_refused() {
    let error = read_changed(|tensors| {
        let embedding = RawTensor::from_f32(vec![0, 8], &[]);
        tensors.insert("text_model.embeddings.token_embedding.weight".into(), embedding);
    });
    assert_eq!(error.to_string(), "unsupported model size: a vocabulary of 0 tokens");
}

#[test]
fn another_models_weights_are_refused_with_the_names_that_were_looked_for() {
    let mut tensors = Tensors::new();
    tensors.insert("bert.embeddings.weight".into(), RawTensor::from_f32(vec![1], &[0.0]));
    let error = Checkpoint::read(tensors, Activation::QuickGelu).expect_err("not CLIP");
    assert!(matches!(error, Error::NotClip { found: 1, .. }));
    assert!(error.to_string().contains("`visual.conv1.weight`"), "{error}");
}

#[test]
fn a_truncated_file_is_an_error_in_every_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["hf.safetensors", "hf.bin", "hf_legacy.bin", "openai.pt"] {
        let bytes = read(&fixture("formats").join(file));
        for kept in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
            let path = folder.path().join(file);
            fs::write(&path, &bytes[..kept]).expect("writing");
            let message = message(&path);
            assert!(message.contains(file), "{file} cut to {kept} bytes: {message}");
        }
    }
}

#[test]
fn what_is_no_weights_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["notes.txt", "notes.safetensors", "notes.pt"] {
        let path = folder.path().join(name);
        fs::write(&path, "just some notes, and nothing else than notes").expect("writing");
        assert!(message(&path).contains(name), "{}", message(&path));
    }
    assert!(message(&folder.path().join("absent.safetensors")).contains("no such file"));
}

#[test]
fn a_torchscript_archive_is_an_error_that_says_how_to_convert_it() {
    let message = message(&fixture("formats/torchscript.pt"));
    assert!(message.contains("TorchScript") && message.contains("torch.jit.load"), "{message}");
}

#[test]
fn safetensors_with_a_hostile_header_is_an_error() {
    for header in [u64::MAX, 1 << 40, 0] {
        let mut bytes = header.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"{}");
        assert!(matches!(read_safetensors(&bytes), Err(Error::Safetensors(_))), "header of {header}");
    }
}
