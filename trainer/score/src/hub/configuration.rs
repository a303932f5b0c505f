//! Reads from a model's configuration files what its tensors do not determine: the activation, and the normalisation of
//! pixels.
//!
//! `config.json` and `preprocessor_config.json` are files of `transformers`, `open_clip_config.json` is a file of
//! open_clip.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::preprocess::{MEAN, STD};

use tsp_mgs_data::flags::UsageError;

/// The names of the files that are read if they exist.
pub const FILES: [&str; 3] = [TRANSFORMERS, OPEN_CLIP, PREPROCESSOR];

const TRANSFORMERS: &str = "config.json";
const OPEN_CLIP: &str = "open_clip_config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// The tolerance of normalisation constants, which are published with 4 to 9 digits.
const CONSTANT_TOLERANCE: f64 = 1e-3;

/// The activation in a model's configuration, and the file that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfiguredActivation {
    /// The activation of both towers.
    pub activation: Activation,
    file: &'static str,
}

impl ConfiguredActivation {
    /// Reads the configuration of a weights file in a folder. Returns `None` if the folder has no configuration.
    ///
    /// # Errors
    /// Returns an error if the configuration is that of another kind of model, if the activations of the towers differ,
    /// or if the normalisation of pixels is not CLIP's.
    pub fn read(folder: &Path, weights: &str) -> Result<Option<Self>> {
        let order =
            if weights.starts_with("open_clip") { [OPEN_CLIP, TRANSFORMERS] } else { [TRANSFORMERS, OPEN_CLIP] };
        for file in order {
            let Some(json) = read_json(folder, file)? else { continue };
            let activation = match file {
                TRANSFORMERS => transformers_activation(&json),
                _ => open_clip_activation(&json),
            };
            if let Some(activation) = activation.with_context(|| file.to_owned())? {
                check_normalisation(folder, file, &json)?;
                return Ok(Some(Self { activation, file }));
            }
        }
        Ok(None)
    }

    /// Returns the activation, after comparing it with a flag.
    ///
    /// # Errors
    /// Returns an error if the flag contradicts the configuration.
    pub fn check_flag(self, flag: Option<Activation>) -> Result<Activation, UsageError> {
        match flag {
            Some(flag) if flag != self.activation => Err(UsageError::new(format!(
                "--activation {} contradicts the model's {}, which has {}: omit the flag; to ignore the configuration, pass \
                 the weights file itself",
                activation_name(flag),
                self.file,
                activation_name(self.activation)
            ))),
            _ => Ok(self.activation),
        }
    }
}

/// Returns the name of an activation on the command line.
pub fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::QuickGelu => "quick_gelu",
        Activation::Gelu => "gelu",
    }
}

fn read_json(folder: &Path, file: &str) -> Result<Option<Value>> {
    let path = folder.join(file);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).map(Some).with_context(|| format!("{} is not JSON", path.display()))
}

/// Returns `hidden_act` of both towers, or `None` if the file has no model type.
///
/// This follows `CLIPConfig` of `transformers`: `text_config_dict` and `vision_config_dict` of older files replace
/// `text_config` and `vision_config`, and the default is `quick_gelu`.
fn transformers_activation(json: &Value) -> Result<Option<Activation>> {
    let Some(kind) = json["model_type"].as_str() else { return Ok(None) };
    ensure!(kind == "clip", "the model is of type `{kind}`, expected `clip`");
    let activation = |tower: &str| {
        let part = |suffix: &str| Some(&json[format!("{tower}_config{suffix}")]).filter(|part| part.is_object());
        let part = part("_dict").or_else(|| part(""));
        match part.and_then(|part| part["hidden_act"].as_str()).unwrap_or("quick_gelu") {
            "quick_gelu" => Ok(Activation::QuickGelu),
            "gelu" => Ok(Activation::Gelu),
            other => bail!("the {tower} tower has the activation `{other}`, expected quick_gelu or gelu"),
        }
    };
    let (text, vision) = (activation("text")?, activation("vision")?);
    ensure!(
        text == vision,
        "the text tower has the activation {} and the vision tower {}, expected the same one",
        activation_name(text),
        activation_name(vision)
    );
    Ok(Some(vision))
}

/// Returns the activation according to `quick_gelu` of `model_cfg`, whose default is false.
fn open_clip_activation(json: &Value) -> Result<Option<Activation>> {
    let model = &json["model_cfg"];
    if !model.is_object() {
        return Ok(None);
    }
    let timm = &model["vision_cfg"]["timm_model_name"];
    ensure!(timm.is_null(), "the image tower is {timm} of timm, expected a vision transformer of open_clip's own");
    let other = &model["text_cfg"]["hf_model_name"];
    ensure!(other.is_null(), "the text tower is {other}, expected CLIP's own");
    let is_quick = model["quick_gelu"].as_bool().unwrap_or(false);
    Ok(Some(if is_quick { Activation::QuickGelu } else { Activation::Gelu }))
}

/// Checks that a model was trained with CLIP's normalisation of pixels.
///
/// Some models were trained on pixels in [−1, 1], such as LAION's first ViT-L/14. Their scores would be wrong.
fn check_normalisation(folder: &Path, file: &str, json: &Value) -> Result<()> {
    let preprocessor = read_json(folder, PREPROCESSOR)?.unwrap_or_default();
    let (source, mean, std) = match file {
        OPEN_CLIP => (OPEN_CLIP, &json["preprocess_cfg"]["mean"], &json["preprocess_cfg"]["std"]),
        _ => (PREPROCESSOR, &preprocessor["image_mean"], &preprocessor["image_std"]),
    };
    for (what, found, expected) in [("mean", mean, MEAN), ("std", std, STD)] {
        let Some(found) = found.as_array() else { continue };
        let is_close = |(found, expected): (&Value, f32)| {
            found.as_f64().is_some_and(|found| (found - f64::from(expected)).abs() < CONSTANT_TOLERANCE)
        };
        let is_same = found.len() == expected.len() && found.iter().zip(expected).all(is_close);
        ensure!(
            is_same,
            "{source}: the model was trained on pixels normalised with the {what} {}, expected CLIP's {expected:?}; its scores \
             would be wrong",
            Value::from(found.clone())
        );
    }
    Ok(())
}
