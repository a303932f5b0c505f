use std::fs;
use std::path::Path;

use tsp_mgs_core::Error;
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::seeded;
use tsp_mgs_core::weights::{RawTensor, Tensors, read_safetensors};
use tsp_mgs_trainer::cli::ModelArgs;
use tsp_mgs_trainer::model::Model;

use crate::support::{assert_close, fixture, read, tensors};

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
