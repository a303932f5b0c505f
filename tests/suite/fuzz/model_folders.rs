//! Folders with CLIP weights: the index of several weights files, and the configurations of a model.

use std::fs;
use std::path::Path;

use arbtest::arbitrary::{Result, Unstructured};
use serde_json::{Value, json};
use tempfile::TempDir;
use tsp_mgs_core::weights::{Tensors, read_safetensors};

use super::models::open_weights;
use super::mutate::mutated_text;
use super::target::Input;
use crate::support::fixtures::{fixture, read};

/// Parts of the files.
const WORDS: [&str; 16] = [
    "{",
    "}",
    "[]",
    "null",
    "true",
    "-1",
    "1e999",
    "[[[[[[[[[[[[[[[[",
    r#""weight_map": "#,
    r#"": "a.safetensors", ""#,
    "../",
    "/dev/zero",
    r#""model_type": "siglip","#,
    r#""timm_model_name": "x","#,
    r#""hidden_act": 1"#,
    r#""quick_gelu": "no""#,
];

/// A file that can be changed.
struct ModelFile {
    folder: &'static str,
    /// Its name, which is also the ending of the input.
    name: &'static str,
    text: String,
}

/// Folders with the same weights and different files beside them.
pub struct ModelFolders {
    folder: TempDir,
    files: Vec<ModelFile>,
}

impl ModelFolders {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let weights = read(&fixture("formats/hf_fp16.safetensors"));
        for file in ["index/a.safetensors", "hf/model.safetensors", "open_clip/open_clip_model.safetensors"] {
            let path = folder.path().join(file);
            fs::create_dir(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, &weights).expect("writing");
        }
        let tensors: Tensors = read_safetensors(&weights).expect("weights");
        let of_file: Value = tensors.into_keys().map(|name| (name, Value::from("a.safetensors"))).collect();
        let (mean, std) = ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]);
        let gelu = json!({"hidden_act": "gelu"});
        let files = [
            ("index", "model.safetensors.index.json", json!({"weight_map": of_file})),
            ("hf", "config.json", json!({"model_type": "clip", "text_config": gelu, "vision_config_dict": gelu})),
            ("hf", "preprocessor_config.json", json!({"image_mean": mean, "image_std": std})),
            (
                "open_clip",
                "open_clip_config.json",
                json!({
                    "model_cfg": {"quick_gelu": true, "vision_cfg": {"layers": 2}, "text_cfg": {"width": 8}},
                    "preprocess_cfg": {"mean": mean, "std": std},
                }),
            ),
        ];
        let files = files.map(|(folder, name, json)| ModelFile { folder, name, text: json.to_string() }).into();
        let this = Self { folder, files };
        this.files.iter().for_each(|file| this.write(file, file.text.as_bytes()));
        this
    }

    /// One of the files, changed.
    pub fn changed(&self, u: &mut Unstructured) -> Result<Input> {
        let file = u.choose(&self.files)?;
        Ok(Input { ending: file.name, bytes: mutated_text(u, &file.text, &WORDS)?.into_bytes() })
    }

    /// Opens the weights in the folder of a file that is replaced.
    pub fn open_with(&self, path: &Path, bytes: &[u8]) {
        let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix("input."));
        let file = self.files.iter().find(|file| Some(file.name) == name).expect("an input of this target");
        self.write(file, bytes);
        open_weights(&self.folder.path().join(file.folder), &[]);
        self.write(file, file.text.as_bytes());
    }

    fn write(&self, file: &ModelFile, bytes: &[u8]) {
        fs::write(self.folder.path().join(file.folder).join(file.name), bytes).expect("writing");
    }
}
