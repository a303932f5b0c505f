use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tsp_mgs_core::bundle::sha256;

use crate::parity;
use crate::support::fake_hub::FakeHub;
use crate::support::fixtures::{read, repository};
use crate::support::program::trainer;
use crate::support::score_server::{Server, serve};

const MODEL: &str = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K";
const QUICK: &[u8] = br#"{"model_type": "clip"}"#;
const GELU: &[u8] = br#"{"model_cfg": {"embed_dim": 64}, "preprocess_cfg": {}}"#;

/// A complete, tiny CLIP model with CLIP's vocabulary.
fn weights() -> Vec<u8> {
    let [shard]: [Vec<u8>; 1] =
        parity::shards().try_into().unwrap_or_else(|shards: Vec<Vec<u8>>| panic!("{} shards", shards.len()));
    shard
}

/// Removes the variables of the tests' own environment.
fn alone<'a>(command: &'a mut Command, hub: &FakeHub, cache: &Path) -> &'a mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if text.starts_with("HF_") || text.ends_with("_PROXY") || text == "SSL_CERT_FILE" {
            command.env_remove(name);
        }
    }
    command.env("HF_ENDPOINT", hub.endpoint()).env("HF_HOME", cache)
}

fn run(hub: &FakeHub, cache: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = trainer();
    alone(&mut command, hub, cache).args(arguments).envs(variables.iter().copied());
    command.output().expect("the trainer runs")
}

fn score(hub: &FakeHub, cache: &Path, flags: &[&str]) -> Value {
    let cat = repository("www/samples/cat.jpg");
    let common = ["score", "--device", "cpu", "--format", "jsonl", "--crops", "1", cat.to_str().expect("Unicode")];
    let output = run(hub, cache, &[common.as_slice(), flags].concat(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one row")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn cache() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn weights_score_by_name_as_from_their_file() {
    let (hub, cache) = (FakeHub::start(), cache());
    let weights = weights();
    let commit = hub.commit(MODEL, &[("config.json", QUICK), ("model.safetensors", &weights)]);
    let file = cache.path().join("weights.safetensors");
    fs::write(&file, &weights).expect("writing");
    let file = file.to_str().expect("Unicode");
    let features = cache.path().join("features");
    let kept = ["--clip", MODEL, "--features", features.to_str().expect("Unicode")];
    let by_name = score(&hub, cache.path(), &kept);
    assert_eq!(by_name["model"], format!("{MODEL} sha256:{}", &sha256(&weights)[..12]).as_str());
    assert_eq!(by_name["perception"], score(&hub, cache.path(), &["--clip", file])["perception"]);
    assert!(cache.path().join("hub").join("models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K").is_dir());

    // The same weights with the other activation have other scores, and their features are stored separately.
    let open_clip = "open_clip_model.safetensors";
    hub.commit(MODEL, &[("open_clip_config.json", GELU), (open_clip, &weights)]);
    let gelu = score(&hub, cache.path(), &kept);
    assert_eq!(gelu["perception"], score(&hub, cache.path(), &["--clip", file, "--activation", "gelu"])["perception"]);
    assert_ne!(gelu["perception"], by_name["perception"]);
    assert_eq!(fs::read_dir(&features).expect("a folder").count(), 2);
    let pinned = score(&hub, cache.path(), &["--clip", &format!("{MODEL}@{commit}")]);
    assert_eq!(pinned["perception"], by_name["perception"]);

    let cat = repository("www/samples/cat.jpg");
    let arguments = ["score", "--clip", MODEL, "--activation", "quick_gelu", cat.to_str().expect("Unicode")];
    let output = run(&hub, cache.path(), &arguments, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--activation quick_gelu contradicts the model's open_clip_config.json"));
}

#[test]
fn the_environment_is_followed() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", QUICK), ("model.safetensors", &weights())]);
    hub.state().token = Some("hf_right".into());
    let device = ["device", "--device", "cpu", "--clip", MODEL];
    let models = cache.path().join("models");
    let models = ("HF_HUB_CACHE", models.to_str().expect("Unicode"));
    let refused = run(&hub, cache.path(), &device, &[models]);
    assert!(stderr(&refused).contains("for a private model, set HF_TOKEN"), "{}", stderr(&refused));
    // The file that `hf auth login` writes.
    fs::write(cache.path().join("token"), "hf_right\n").expect("writing");
    let output = run(&hub, cache.path(), &device, &[models]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("downloading model.safetensors of laion/"), "{}", stderr(&output));
    assert!(cache.path().join("models/models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K").is_dir());
    hub.asked();
    let output = run(&hub, cache.path(), &device, &[models, ("HF_HUB_OFFLINE", "1")]);
    assert!(output.status.success() && hub.asked().is_empty(), "{}", stderr(&output));
    let output = run(&hub, cache.path(), &device, &[("HF_HUB_OFFLINE", "1")]);
    assert!(stderr(&output).contains("HF_HUB_OFFLINE is set, and the cache has nothing of it"), "{}", stderr(&output));

    // The proxy does not exist. Requests do not bypass it, unless NO_PROXY says so.
    let proxy = ("HTTP_PROXY", "http://127.0.0.1:1");
    let proxied = run(&hub, cache.path(), &device, &[("HF_HUB_CACHE", "/nowhere"), proxy]);
    assert!(stderr(&proxied).contains("the hub cannot be reached") && hub.asked().is_empty(), "{}", stderr(&proxied));
    let around = run(&hub, cache.path(), &device, &[models, proxy, ("NO_PROXY", "127.0.0.1")]);
    assert!(around.status.success() && !hub.asked().is_empty(), "{}", stderr(&around));
}

#[test]
fn two_processes_fetch_a_file_once() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", QUICK), ("model.safetensors", &weights())]);
    // The store waits until both processes have asked for the hash.
    hub.state().held_until = 2;
    let start = || {
        let mut command = trainer();
        alone(&mut command, &hub, cache.path()).args(["device", "--device", "cpu", "--clip", MODEL]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the trainer runs")
    };
    let both = [start(), start()].map(|child| child.wait_with_output().expect("it ends"));
    assert!(both.iter().all(|output| output.status.success()), "{}", both.map(|output| stderr(&output)).concat());
    assert_eq!(hub.asked().iter().filter(|asked| asked.is_store).count(), 1);
    let waited = both
        .iter()
        .filter(|output| stderr(output).contains("waiting for another process, which downloads model.safetensors"))
        .count();
    assert_eq!(waited, 1);
}

#[test]
fn bundles_score_and_are_served_by_name() {
    let (hub, cache) = (FakeHub::start(), cache());
    let demo = repository("trainer/assets/demo");
    let files = ["model.json", "weights-01.safetensors"].map(|name| (name, read(&demo.join(name))));
    hub.commit("me/demo", &files.each_ref().map(|(name, bytes)| (*name, bytes.as_slice())));
    let (by_name, built_in) = (score(&hub, cache.path(), &["--model", "me/demo"]), score(&hub, cache.path(), &[]));
    for part in ["model", "perception", "alignment", "warning"] {
        assert_eq!(by_name[part], built_in[part], "{part}");
    }
    let mut command = serve(&["--model", "me/demo"]);
    let server = Server::of(alone(&mut command, &hub, cache.path()));
    assert_eq!(server.get("/model/model.json").body, files[0].1);
}

#[test]
fn paths_and_names_are_told_apart() {
    let (hub, cache) = (FakeHub::start(), cache());
    let cat = repository("www/samples/cat.jpg");
    for clip in ["models/clip.safetensors", "./a/b", "clip", "a/b/c", "https://huggingface.co/a/b"] {
        let output = run(&hub, cache.path(), &["score", "--clip", clip, cat.to_str().expect("Unicode")], &[]);
        let expected = format!("reading CLIP weights from {clip}: no such file");
        assert!(stderr(&output).contains(&expected) && !output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("a model's name such as openai/clip-vit-base-patch32"), "{}", stderr(&output));
    }
    assert!(hub.asked().is_empty());
    // An existing path is preferred to a name.
    let folder = cache.path().join("a/b");
    fs::create_dir_all(&folder).expect("a folder");
    let mut command = trainer();
    alone(&mut command, &hub, cache.path())
        .current_dir(cache.path())
        .args(["device", "--device", "cpu", "--clip", "a/b"]);
    let output = command.output().expect("the trainer runs");
    assert!(stderr(&output).contains("no weights in this folder") && hub.asked().is_empty(), "{}", stderr(&output));
    // The configuration of a folder is used like that of a model on the hub.
    fs::write(folder.join("model.safetensors"), weights()).expect("writing");
    fs::write(folder.join("config.json"), QUICK).expect("writing");
    let output = command.args(["--activation", "gelu"]).output().expect("the trainer runs");
    assert!(stderr(&output).contains("contradicts the model's config.json"), "{}", stderr(&output));
}

#[test]
fn models_are_listed_with_their_places() {
    let (hub, cache) = (FakeHub::start(), cache());
    let list = |flags: &[&str]| {
        let output = run(&hub, cache.path(), &[["models"].as_slice(), flags].concat(), &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let before = list(&[]);
    assert!(
        before.contains("openai/clip-vit-base-patch32 ") && before.contains(" 605 MB  quick_gelu  MIT"),
        "{before}"
    );
    assert!(!before.contains("cached in") && !list(&["--cached"]).contains("openai/"), "{before}");
    let commit = hub.commit(MODEL, &[("config.json", QUICK), ("model.safetensors", &weights())]);
    score(&hub, cache.path(), &["--clip", MODEL]);
    let after = list(&["--cached"]);
    let place = cache.path().join("hub/models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K/snapshots").join(commit);
    assert!(after.contains(MODEL) && after.contains(&format!("cached in {}", place.display())), "{after}");
}

#[test]
fn a_bundle_is_exported_with_its_model_card() {
    let (hub, cache) = (FakeHub::start(), cache());
    let commit = hub.commit(MODEL, &[("config.json", QUICK), ("model.safetensors", &weights())]);
    let out = cache.path().join("bundle");
    let export = |flags: &[&str]| {
        let out = out.to_str().expect("Unicode");
        let common = ["export", "--crops", "1", "--clip", MODEL, "--out", out];
        run(&hub, cache.path(), &[common.as_slice(), flags].concat(), &[])
    };
    let output = export(&["--push-ready"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("hf upload ORG/NAME"));
    let card = || String::from_utf8(read(&out.join("README.md"))).expect("text");
    let front = format!("---\nlicense: mit\nlibrary_name: tsp-mgs\nbase_model: {MODEL}\ntags:\n- tsp-mgs\n");
    assert!(card().starts_with(&front), "{}", card());
    let expected = format!("| made from | {MODEL}@{commit}, SHA-256 `{}` |", sha256(&weights()));
    assert!(card().contains(&expected) && card().contains("trainer score --model ORG/NAME"), "{}", card());
    let manifest: Value = serde_json::from_slice(&read(&out.join("model.json"))).expect("JSON");
    assert_eq!(manifest["provenance"]["source"], format!("{MODEL}@{commit}").as_str());

    // A card is replaced only by another card.
    let output = export(&["--overwrite"]);
    assert!(stderr(&output).contains("has the file README.md, which is not part of the bundle"), "{}", stderr(&output));
    let output = export(&["--overwrite", "--push-ready", "--license", "cc-by-nc-4.0"]);
    assert!(output.status.success() && card().contains("license: cc-by-nc-4.0\n"), "{}", stderr(&output));
    // The uploaded folder is found by its name.
    let files: Vec<(String, Vec<u8>)> = fs::read_dir(&out)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), read(&path)))
        .collect();
    hub.commit("me/clip", &files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>());
    let row = score(&hub, cache.path(), &["--model", "me/clip"]);
    assert!(row["model"].as_str().is_some_and(|model| model.starts_with(MODEL)), "{row}");
}
