//! Models by name, in the library: requests to the hub, files in the cache, and refusals.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::config::Activation;
use tsp_mgs_trainer::score::hub::{FetchedModel, Hub, Name, Settings};

use crate::support::fake_hub::{Asked, FakeHub};
use crate::support::fixtures::{fixture, read, repository, tensors};

pub const MODEL: &str = "openai/clip-vit-base-patch32";
const CONFIG: &[u8] = br#"{"model_type": "clip", "text_config": {}, "vision_config": {"hidden_act": "quick_gelu"}}"#;
/// The content of `config.json` of LAION's models.
const GELU_CONFIG: &[u8] =
    br#"{"model_type": "clip", "text_config": {"hidden_act": "gelu"}, "vision_config": {"hidden_act": "gelu"}}"#;

fn weights() -> Vec<u8> {
    read(&fixture("formats/hf.safetensors"))
}

fn cache() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn clip_with(settings: Settings, name: &str, flag: Option<Activation>) -> anyhow::Result<FetchedModel> {
    Hub::new(settings)?.clip(&Name::parse(name).expect("a name"), flag)
}

fn clip(hub: &FakeHub, cache: &Path, name: &str) -> anyhow::Result<FetchedModel> {
    clip_with(hub.settings(cache), name, None)
}

fn message<T>(result: anyhow::Result<T>) -> String {
    result.err().map(|error| format!("{error:#}")).expect("an error")
}

fn lines(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
}

/// The files below a folder, without lock files, which are empty.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files.extend(self::files(&path)),
            path if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0) => files.push(path),
            _ => {}
        }
    }
    files.sort();
    files
}

#[test]
fn a_model_is_fetched_once_into_the_layout_of_pythons_library() {
    let (hub, cache) = (FakeHub::start(), cache());
    let commit = hub.commit(
        MODEL,
        &[
            ("README.md", b"not needed"),
            ("config.json", CONFIG),
            ("model.safetensors", &weights()),
            ("tf_model.h5", &weights()),
        ],
    );
    let found = clip(&hub, cache.path(), MODEL).expect("the model");
    assert_eq!((found.commit.as_str(), found.activation), (commit.as_str(), Activation::QuickGelu));
    let folder = cache.path().join("models--openai--clip-vit-base-patch32");
    assert_eq!(found.path, folder.join("snapshots").join(&commit).join("model.safetensors"));
    assert_eq!(read(&found.path), weights());
    assert_eq!(read(&folder.join("refs/main")), commit.as_bytes());
    let link = fs::read_link(&found.path).expect("a link");
    assert_eq!(link, Path::new("../../blobs").join(sha256(&weights())));
    assert_eq!(files(&folder).len(), 5, "a reference, two files, two links: {:?}", files(&folder));
    assert!(cache.path().join(".locks/models--openai--clip-vit-base-patch32").is_dir());
    let requests = lines(&hub.asked());
    assert!(requests.iter().all(|line| !line.contains("README") && !line.contains("tf_model")), "{requests:?}");

    // A branch is asked for again, since it can move. A commit is not. Without a network, the cache is used.
    clip(&hub, cache.path(), MODEL).expect("the model");
    assert_eq!(lines(&hub.asked()), [format!("GET /api/models/{MODEL}/revision/main")]);
    clip(&hub, cache.path(), &format!("{MODEL}@{commit}")).expect("the model");
    let offline = Settings { is_offline: true, ..hub.settings(cache.path()) };
    assert_eq!(clip_with(offline, MODEL, None).expect("the model").path, found.path);
    assert!(hub.asked().is_empty());

    // For another commit with the same weights, only the configuration is fetched.
    let newer = hub.commit(MODEL, &[("config.json", GELU_CONFIG), ("model.safetensors", &weights())]);
    let found = clip(&hub, cache.path(), MODEL).expect("the model");
    assert_eq!((found.commit, found.activation), (newer.clone(), Activation::Gelu));
    assert!(hub.asked().iter().all(|asked| !asked.is_store), "the weights are there");
    assert_eq!(read(&folder.join("refs/main")), newer.as_bytes());
    let found = clip(&hub, cache.path(), &format!("{MODEL}@{commit}")).expect("the older one");
    assert_eq!(found.activation, Activation::QuickGelu);
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    hub.state().breaks.extend([1000, 0, 500]);
    let found = clip(&hub, cache.path(), MODEL).expect("the model");
    assert_eq!(read(&found.path), weights());
    let ranges = |hub: &FakeHub| -> Vec<Option<String>> {
        hub.asked().into_iter().filter(|asked| asked.is_store).map(|asked| asked.range).collect()
    };
    let from = |byte: &str| Some(format!("bytes={byte}-"));
    assert_eq!(ranges(&hub), [None, from("1000"), from("1000"), from("1500")]);

    // The command fails if every connection breaks. The next command continues with the bytes that arrived.
    let cache = self::cache();
    hub.state().breaks.extend([700, 0, 0, 0, 0, 0]);
    let error = message(clip(&hub, cache.path(), MODEL));
    assert!(error.contains("downloading model.safetensors: 700 bytes were received and are kept"), "{error}");
    assert!(error.contains("the connection broke"), "{error}");
    hub.state().breaks.clear();
    hub.asked();
    let found = clip(&hub, cache.path(), MODEL).expect("the model");
    assert_eq!((read(&found.path), ranges(&hub)), (weights(), vec![from("700")]));

    // A server without range requests sends the whole file again.
    let cache = self::cache();
    hub.state().breaks.push_back(700);
    hub.state().ignores_ranges = true;
    assert_eq!(read(&clip(&hub, cache.path(), MODEL).expect("the model").path), weights());

    // A file that is shorter than the hub says is an error.
    let cache = self::cache();
    hub.state().cut = Some(900);
    let error = message(clip(&hub, cache.path(), MODEL));
    assert!(error.contains("900 bytes were received and are kept: the hub cannot be reached"), "{error}");
}

#[test]
fn a_file_of_another_hash_is_refused_and_not_kept() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    hub.state().is_damaging = true;
    let error = message(clip(&hub, cache.path(), MODEL));
    let expected = format!("expected {}: it was changed in transfer; it was not kept", sha256(&weights()));
    assert!(error.contains("model.safetensors was received with the SHA-256") && error.contains(&expected), "{error}");
    let kept = files(cache.path());
    assert!(kept.iter().all(|path| fs::metadata(path).is_ok_and(|file| file.len() < 1000)), "{kept:?}");

    // A damaged partial file of an earlier command is not kept either.
    hub.state().is_damaging = false;
    let blobs = cache.path().join("models--openai--clip-vit-base-patch32/blobs");
    fs::write(blobs.join(format!("{}.incomplete", sha256(&weights()))), [7; 100]).expect("writing");
    assert!(message(clip(&hub, cache.path(), MODEL)).contains("it was not kept"));
    assert_eq!(read(&clip(&hub, cache.path(), MODEL).expect("the model").path), weights());
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_server() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    hub.state().renamed.insert("old/name".into(), MODEL.into());
    hub.state().token = Some("hf_right".into());
    let settings = |token: &str| Settings { token: Some(token.into()), ..hub.settings(cache.path()) };
    let found = clip_with(settings("hf_right"), "old/name", None).expect("the model");
    assert_eq!(read(&found.path), weights());
    for asked in hub.asked() {
        assert_eq!(asked.token.is_some(), !asked.is_store, "{asked:?}");
    }
    for (settings, expected) in [
        (
            hub.settings(cache.path()),
            "the hub has no public model openai/clip-vit-base-patch32 (status 401): check the name",
        ),
        (settings("hf_wrong"), "the hub refused the token (status 401)"),
    ] {
        let error = message(clip_with(settings, MODEL, None));
        assert!(error.contains(expected) && error.to_lowercase().contains("set hf_token"), "{error}");
        assert!(!error.contains("hf_"), "{error}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    for (refusal, expected) in [
        (vec![(403, "GatedRepo")], "is gated: accept its terms at http://"),
        (vec![(403, "")], "the hub denies access"),
        (vec![(429, ""); 3], "limits the number of requests (status 429): wait some minutes, or set HF_TOKEN"),
        (vec![(503, ""); 3], "the hub has a problem (status 503): try again later; or download http://"),
        (vec![(418, "")], "the hub answered with status 418"),
    ] {
        hub.state().refusals.extend(&refusal);
        let error = message(clip(&hub, cache.path(), MODEL));
        assert!(error.contains(expected), "{error}");
        assert!(hub.state().refusals.is_empty(), "{refusal:?} were all given");
    }
    let error = message(clip(&hub, cache.path(), "openai/absent"));
    assert!(error.contains("the hub has no model openai/absent (status 404): check the name"), "{error}");
    let error = message(clip(&hub, cache.path(), &format!("{MODEL}@v9")));
    assert!(error.contains("openai/clip-vit-base-patch32 has no revision `v9`"), "{error}");
    // Temporary errors are retried.
    hub.state().refusals.extend([(503, ""), (429, "")]);
    clip(&hub, cache.path(), MODEL).expect("the model");
    // The cache is used while the hub is out of order, but not if the hub says that the model does not exist.
    hub.state().refusals.extend([(503, ""); 3]);
    clip(&hub, cache.path(), MODEL).expect("the model");
    hub.state().refusals.push_back((404, "RepoNotFound"));
    message(clip(&hub, cache.path(), MODEL));
}

#[test]
fn without_a_network_the_error_names_the_file_to_fetch_by_hand() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    // No server listens on this port.
    let unreachable = || Settings { endpoint: "http://127.0.0.1:1".into(), ..hub.settings(cache.path()) };
    let offline = || Settings { is_offline: true, ..hub.settings(cache.path()) };
    let error = message(clip_with(unreachable(), MODEL, None));
    for expected in [
        "the hub cannot be reached (http://127.0.0.1:1/api/models/openai/clip-vit-base-patch32/revision/main",
        "set HTTPS_PROXY to a proxy, or HF_ENDPOINT to a mirror",
        "or download http://127.0.0.1:1/openai/clip-vit-base-patch32/resolve/main/model.safetensors (605 MB) and config.json",
        "pass their folder with --clip",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let error = message(clip_with(offline(), MODEL, None));
    assert!(error.contains("HF_HUB_OFFLINE is set, and the cache has nothing of it in"), "{error}");
    assert!(hub.asked().is_empty());

    clip(&hub, cache.path(), MODEL).expect("the model");
    clip_with(unreachable(), MODEL, None).expect("the model of the cache");
    clip_with(offline(), MODEL, None).expect("the model of the cache");
    // An incomplete model in the cache is not used.
    fs::remove_file(clip(&hub, cache.path(), MODEL).expect("the model").path).expect("removing");
    assert!(message(clip_with(unreachable(), MODEL, None)).contains("the hub cannot be reached"));
    message(clip_with(offline(), MODEL, None));
}

#[test]
fn the_activation_is_that_of_the_configuration() {
    let (hub, cache) = (FakeHub::start(), cache());
    let open_clip = |model: serde_json::Value, mean: f64| {
        let preprocess =
            json!({ "mean": [mean, 0.457_827_5, 0.408_210_73], "std": [0.268_629_54, 0.261_302_58, 0.275_777_11] });
        json!({ "model_cfg": model, "preprocess_cfg": preprocess }).to_string().into_bytes()
    };
    let clip_mean = 0.481_454_66;
    let gelu = open_clip(json!({ "embed_dim": 512 }), clip_mean);
    let quick = open_clip(json!({ "embed_dim": 512, "quick_gelu": true }), clip_mean);
    let weights = weights();
    let named = |name: &'static str, config: &'static str, json: &[u8]| {
        let model = format!("laion/{}", sha256(json).split_at(20).0);
        hub.commit(&model, &[(config, json), (name, &weights)]);
        model
    };
    for (model, expected) in [
        (named("model.safetensors", "config.json", CONFIG), Activation::QuickGelu),
        (named("pytorch_model.bin", "config.json", GELU_CONFIG), Activation::Gelu),
        (named("open_clip_model.safetensors", "open_clip_config.json", &gelu), Activation::Gelu),
        (named("open_clip_pytorch_model.bin", "open_clip_config.json", &quick), Activation::QuickGelu),
        (
            named(
                "model.safetensors",
                "config.json",
                br#"{"model_type": "clip", "text_config": {"hidden_act": "gelu"},
                "text_config_dict": {"hidden_act": "quick_gelu"}}"#,
            ),
            Activation::QuickGelu,
        ),
    ] {
        assert_eq!(clip(&hub, cache.path(), &model).expect("the model").activation, expected);
        let other = if expected == Activation::Gelu { Activation::QuickGelu } else { Activation::Gelu };
        clip_with(hub.settings(cache.path()), &model, Some(expected)).expect("the flag agrees");
        let error = message(clip_with(hub.settings(cache.path()), &model, Some(other)));
        assert!(error.contains("contradicts the model's") && error.contains("omit the flag"), "{error}");
    }

    // All of these errors come before the weights are fetched.
    hub.asked();
    let inception = open_clip(json!({ "embed_dim": 768 }), 0.5);
    let timm = open_clip(json!({ "vision_cfg": { "timm_model_name": "vit_base" } }), clip_mean);
    let text_alone = br#"{"model_type": "clip", "text_config": {"hidden_act": "gelu"}}"#;
    let relu = br#"{"model_type": "clip", "vision_config": {"hidden_act": "relu"}}"#;
    for (config, json, expected) in [
        ("config.json", br#"{"model_type": "siglip"}"#.to_vec(), "the model is of type `siglip`, expected `clip`"),
        ("config.json", text_alone.to_vec(), "the text tower has the activation gelu and the vision tower quick_gelu"),
        ("config.json", relu.to_vec(), "the vision tower has the activation `relu`"),
        ("config.json", b"no JSON".to_vec(), "config.json is not JSON"),
        ("open_clip_config.json", inception, "trained on pixels normalised with the mean [0.5,"),
        ("open_clip_config.json", timm, "of timm, expected a vision transformer"),
        ("tokenizer.json", b"{}".to_vec(), "has no config.json or open_clip_config.json with the activation"),
    ] {
        let error = message(clip(&hub, cache.path(), &named("model.safetensors", config, &json)));
        assert!(error.contains(expected), "{error}");
    }
    assert!(hub.asked().iter().all(|asked| !asked.path.ends_with(".safetensors")), "no weights were asked for");
    let unconfigured = format!("laion/{}", sha256(b"{}").split_at(20).0);
    let found = clip_with(hub.settings(cache.path()), &unconfigured, Some(Activation::Gelu)).expect("the flag says it");
    assert_eq!(found.activation, Activation::Gelu);
}

#[test]
fn weights_in_several_files_come_with_their_index() {
    let (hub, cache) = (FakeHub::start(), cache());
    let names: Vec<String> = tensors(&fixture("formats/hf.safetensors")).into_keys().collect();
    let index = |file: &str| {
        let map: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), file.into())).collect();
        json!({ "metadata": {}, "weight_map": map }).to_string().into_bytes()
    };
    let part = "model-00001-of-00001.safetensors";
    let index_name = "model.safetensors.index.json";
    hub.commit(MODEL, &[("config.json", CONFIG), (index_name, &index(part)), (part, &weights())]);
    let found = clip(&hub, cache.path(), MODEL).expect("the model");
    assert!(found.path.ends_with(index_name), "{}", found.path.display());
    assert_eq!(read(&found.path.with_file_name(part)), weights());
    let offline = || Settings { is_offline: true, ..hub.settings(cache.path()) };
    clip_with(offline(), MODEL, None).expect("the model of the cache");
    fs::remove_file(found.path.with_file_name(part)).expect("removing");
    assert!(message(clip_with(offline(), MODEL, None)).contains(&format!("the cache has no {part}")));

    for name in ["../../../evil.safetensors", "/etc/passwd", ".ssh"] {
        hub.commit(MODEL, &[("config.json", CONFIG), (index_name, &index(name)), (part, &weights())]);
        let error = message(clip(&hub, cache.path(), MODEL));
        assert!(error.contains(&format!("it names `{name}`, expected a file in its own folder")), "{error}");
    }
}

#[test]
fn bundles_and_weights_are_told_apart() {
    let (hub, cache) = (FakeHub::start(), cache());
    let demo = repository("trainer/assets/demo");
    let (manifest, shard) = (read(&demo.join("model.json")), read(&demo.join("weights-01.safetensors")));
    hub.commit("me/bundle", &[("README.md", b""), ("model.json", &manifest), ("weights-01.safetensors", &shard)]);
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    hub.commit("me/notes", &[("README.md", b"")]);
    let hub_of = || Hub::new(hub.settings(cache.path())).expect("settings");
    let name = |name: &str| Name::parse(name).expect("a name");
    let found = hub_of().bundle(&name("me/bundle")).expect("the bundle");
    assert_eq!(read(&found.path.join("model.json")), manifest);
    assert_eq!(read(&found.path.join("weights-01.safetensors")), shard);
    assert!(message(hub_of().bundle(&name(MODEL))).contains("is not a bundle: pass its weights with --clip"));
    assert!(message(clip(&hub, cache.path(), "me/bundle")).contains("is a model bundle: pass it with --model"));
    assert!(message(hub_of().bundle(&name("me/notes"))).contains("has no model.json, expected a bundle"));
    assert!(
        message(clip(&hub, cache.path(), "me/notes")).contains("has no weights, expected one of model.safetensors")
    );
    assert_eq!(hub_of().cached(&name("me/bundle")), Some(found.path));
    assert_eq!(hub_of().cached(&name("me/notes")), None);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    let file = cache.path().join("file");
    fs::write(&file, "no folder").expect("writing");
    let error = message(clip(&hub, &file, MODEL));
    assert!(error.contains("set HF_HUB_CACHE to a folder that can be written"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let (hub, cache) = (FakeHub::start(), cache());
    hub.commit(MODEL, &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    let blobs = cache.path().join("models--openai--clip-vit-base-patch32/blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    // The file is written to a device that is always full.
    let partial = blobs.join(format!("{}.incomplete", sha256(&weights())));
    std::os::unix::fs::symlink("/dev/full", partial).expect("a link");
    let error = message(clip(&hub, cache.path(), MODEL));
    assert!(error.contains("free disk space and repeat the command, which resumes the download"), "{error}");
}
