use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::tensor::Device;
use serde_json::Value;
use tempfile::TempDir;
use tsp_mgs_core::bundle::{BundleReader, MANIFEST, MAX_SHARD_BYTES, Manifest, WeightType, sha256, write_shards};
use tsp_mgs_core::config::{ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::scorer::ImageTower;
use tsp_mgs_core::seeded;
use tsp_mgs_trainer::score::model::{Model, ModelArgs};

use crate::support::compare::{assert_close, magnitude};
use crate::support::fixtures::repository;
use crate::support::program::trainer;

fn export(out: &Path, flags: &[&str]) -> Output {
    trainer().arg("export").args(flags).arg("--out").arg(out).output().expect("the trainer runs")
}

fn exported(flags: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = folder.path().join("bundle");
    let output = export(&bundle, flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, bundle)
}

fn score(bundle: Option<&Path>, flags: &[&str]) -> Value {
    let mut command: Command = trainer();
    command.args(["score", "--format", "jsonl", "--device", "cpu"]).args(flags);
    if let Some(bundle) = bundle {
        command.arg("--model").arg(bundle);
    }
    let output = command.arg(repository("www/samples/cat.jpg")).output().expect("the trainer runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

fn number(score: &Value, task: &str) -> f64 {
    score[task]["score"].as_f64().unwrap_or_else(|| panic!("no {task} in {score}"))
}

fn manifest(bundle: &Path) -> Value {
    serde_json::from_slice(&fs::read(bundle.join(MANIFEST)).expect("a manifest")).expect("JSON")
}

#[test]
fn a_bundle_scores_as_its_source_within_what_it_says() {
    let source = score(None, &[]);
    for (dtype, most) in [("f32", 1e-6), ("f16", 1e-6), ("q8", 2.0)] {
        let (_folder, bundle) = exported(&["--dtype", dtype]);
        let found = score(Some(&bundle), &[]);
        let manifest = manifest(&bundle);
        for task in ["perception", "alignment"] {
            let difference = (number(&source, task) - number(&found, task)).abs();
            let said = manifest["score_difference"][task]["max"].as_f64().expect("a number");
            // The difference was measured on four images, and the cat is one of them.
            assert!(difference <= said + 1e-5, "{dtype} {task}: {difference}, model.json says {said}");
            assert!(said <= most, "{dtype} {task}: {said}");
        }
        assert_eq!(found["warning"], "demo weights, trained on synthetic images", "{dtype} keeps the warning");
    }
}

#[test]
fn f16_halves_and_q8_quarters_the_weights() {
    let bytes = |dtype| {
        let (_folder, bundle) = exported(&["--dtype", dtype]);
        let manifest = Manifest::parse(&fs::read(bundle.join(MANIFEST)).expect("a manifest")).expect("valid");
        manifest.total_bytes() as f64
    };
    let full = bytes("f32");
    assert!((bytes("f16") / full - 0.5).abs() < 0.01);
    assert!((bytes("q8") / full - 0.27).abs() < 0.02, "a scale of 4 bytes for each row of 64");
}

#[test]
fn large_tensors_are_cut_into_shards_and_put_together_again() {
    let config = ClipConfig {
        embed_dim: 64,
        activation: Default::default(),
        vision: VisionConfig { image_size: 64, patch_size: 32, width: 64, mlp_width: 256, layers: 1 },
        text: Some(TextConfig { context_length: 77, vocab_size: 49_408, width: 512, mlp_width: 2048, layers: 1 }),
    };
    let source = seeded::checkpoint(config.clone(), 5);
    for (dtype, tolerance) in [(WeightType::F32, 0.0), (WeightType::F16, 5e-4), (WeightType::Q8, 0.004)] {
        let shards = write_shards(&source, &config, dtype, None);
        assert!(shards.iter().all(|shard| shard.len() <= MAX_SHARD_BYTES));
        assert!(shards.len() > 1);
        let (_folder, bundle) = exported(&["--dtype", "f32"]);
        let mut described = manifest(&bundle);
        described["clip"] = serde_json::to_value(&config).expect("plain data");
        described["shards"] = shards
            .iter()
            .enumerate()
            .map(|(i, bytes)| serde_json::json!({ "name": format!("{i}"), "size": bytes.len(), "sha256": sha256(bytes) }))
            .collect();
        let mut reader = BundleReader::new(Manifest::parse(described.to_string().as_bytes()).expect("valid"));
        for shard in &shards {
            reader.add(shard).expect("a shard as written");
        }
        let found = reader.finish().expect("all shards are there").checkpoint;
        for name in ["token_embedding.weight", "visual.proj", "visual.conv1.weight", "positional_embedding"] {
            let expected = source.values(name);
            let off = tolerance * magnitude(&expected);
            assert_close(&found.values(name), &expected, off, &format!("{dtype:?} {name}"));
        }
    }
}

#[test]
fn without_the_text_tower_perception_scores_without_words_and_says_so() {
    let (_folder, bundle) = exported(&["--vision-only", "--dtype", "f32"]);
    let found = score(Some(&bundle), &[]);
    let expected = score(None, &["--task", "perception", "--no-fine"]);
    assert!((number(&found, "perception") - number(&expected, "perception")).abs() < 1e-5);
    assert!(found["alignment"].is_null() && found["perception"]["q_fine"].is_null());
    assert!(found["notes"].to_string().contains("no text tower"), "{}", found["notes"]);
    assert!(manifest(&bundle)["clip"]["text"].is_null());
    let said = manifest(&bundle)["score_difference"]["perception"]["max"].as_f64().expect("a number");
    let whole = number(&score(None, &[]), "perception");
    assert!((number(&found, "perception") - whole).abs() <= said + 1e-5, "the words that are left out count");

    let output = trainer()
        .args(["score", "--device", "cpu", "--prompts", "ant", "--model"])
        .args([bundle.as_path(), &repository("www/samples/cat.jpg")])
        .output()
        .expect("the trainer runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("scores with the prompts that it was exported with"), "{message}");

    let again = export(&bundle.with_file_name("again"), &["--model", bundle.to_str().expect("Unicode")]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let again = score(Some(&bundle.with_file_name("again")), &[]);
    assert!((number(&again, "perception") - number(&expected, "perception")).abs() < 0.05);
}

#[test]
fn a_damaged_bundle_is_an_error_that_names_the_file() {
    let (_folder, bundle) = exported(&["--dtype", "f16"]);
    let open = || match Model::open(&ModelArgs { model: Some(bundle.clone()), ..ModelArgs::default() }) {
        Ok(model) => drop(model.scorer(model.tasks.clone(), ImageTower::default(), &Device::flex())),
        Err(error) => panic!("{error:#}"),
    };
    open();
    let message = || {
        let opened = Model::open(&ModelArgs { model: Some(bundle.clone()), ..ModelArgs::default() });
        format!("{:#}", opened.err().expect("the bundle is damaged"))
    };
    let shard = bundle.join("weights-01.safetensors");
    let sound = fs::read(&shard).expect("the first shard");

    let mut flipped = sound.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    // `add_hashed` skips only the check of the hash.
    let reader =
        || BundleReader::new(Manifest::parse(&fs::read(bundle.join(MANIFEST)).expect("a file")).expect("valid"));
    reader().add_hashed(&flipped).expect("nobody looks at the hash");
    let cut = reader().add_hashed(&sound[..sound.len() - 1]).expect_err("it is too short").to_string();
    assert!(cut.contains("bytes, expected"), "{cut}");
    fs::write(&shard, flipped).expect("writing");
    assert!(message().contains("weights-01.safetensors has SHA-256"), "{}", message());
    fs::write(&shard, &sound[..sound.len() - 1]).expect("writing");
    assert!(message().contains("weights-01.safetensors has"), "{}", message());
    fs::remove_file(&shard).expect("removing");
    assert!(message().contains("reading weights-01.safetensors"), "{}", message());
    fs::write(&shard, &sound).expect("writing");
    open();

    let change = |field: &str, value: Value| {
        let mut changed = manifest(&bundle);
        changed[field] = value;
        let json = fs::read(bundle.join(MANIFEST)).expect("a manifest");
        fs::write(bundle.join(MANIFEST), changed.to_string()).expect("writing");
        let message = message();
        fs::write(bundle.join(MANIFEST), json).expect("writing");
        message
    };
    assert!(change("version", 2.into()).contains("version 2, expected \"tsp-mgs\" version 1"));
    assert!(change("preprocess", "other".into()).contains("preprocessing \"other\" is unknown"));
    assert!(change("surprise", 1.into()).contains("unknown field `surprise`"));
    let escape = serde_json::json!([{ "name": "../secret", "size": 1, "sha256": "" }]);
    assert!(change("shards", escape).contains("is no file name for a shard"));
}

#[test]
fn an_export_never_touches_what_it_did_not_write() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let note = folder.path().join("note.txt");
    fs::write(&note, "mine").expect("writing");
    let output = export(folder.path(), &["--overwrite"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("exists and is not a model bundle"));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);

    let (_folder, bundle) = exported(&["--dtype", "q8"]);
    let thesis = bundle.join("thesis.txt");
    fs::write(&thesis, "mine").expect("writing");
    let output = export(&bundle, &["--overwrite"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("has the file thesis.txt, which is not part of the bundle")
    );
    assert_eq!(fs::read(&thesis).expect("still there"), b"mine");
    fs::remove_file(&thesis).expect("removing");
    let foreign = bundle.with_file_name("foreign");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join(MANIFEST), "{\"my\": \"model\"}").expect("writing");
    let output = export(&foreign, &["--overwrite"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("exists and is not a model bundle"));
    fs::remove_dir_all(&foreign).expect("removing");

    let before = fs::read(bundle.join(MANIFEST)).expect("a manifest");
    let output = export(&bundle, &["--dtype", "f32"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("pass --overwrite"));
    assert_eq!(fs::read(bundle.join(MANIFEST)).expect("a manifest"), before);
    let output = export(&bundle, &["--dtype", "f32", "--overwrite"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(manifest(&bundle)["dtype"], "f32");
    let beside = fs::read_dir(bundle.parent().expect("a folder")).expect("a folder").count();
    assert_eq!(beside, 1, "nothing is left beside the bundle");
}
