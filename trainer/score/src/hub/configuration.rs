//! What a model's configuration files say that its tensors do not: the activation, and how pixels are normalised.
//!
//! `config.json` and `preprocessor_config.json` are those of `transformers`, `open_clip_config.json` is that of open_clip.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tsp_mgs_core::config::Activation;
use tsp_mgs_core::preprocess::{MEAN, STD};

use tsp_mgs_data::flags::UsageError;

/// The files that are read, where they are there.
pub const FILES: [&str; 3] = [TRANSFORMERS, OPEN_CLIP, PREPROCESSOR];

const TRANSFORMERS: &str = "config.json";
const OPEN_CLIP: &str = "open_clip_config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// Published constants are printed with 4 to 9 digits.
const CONSTANT_TOLERANCE: f64 = 1e-3;

/// The activation of a model, and the file that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The activation of both towers.
    pub activation: Activation,
    file: &'static str,
}

impl Configured {
    /// Reads the configuration that belongs to a weights file of a folder; `None` where the folder has none of a CLIP model.
    ///
    /// # Errors
    /// When it is of another kind of model, its towers have different activations, or it normalises pixels otherwise than CLIP.
    pub fn read(folder: &Path, weights: &str) -> Result<Option<Self>> {
        let order =
            if weights.starts_with("open_clip") { [OPEN_CLIP, TRANSFORMERS] } else { [TRANSFORMERS, OPEN_CLIP] };
        for file in order {
            let Some(json) = read_json(folder, file)? else { continue };
            let activation = match file {
                TRANSFORMERS => of_transformers(&json),
                _ => of_open_clip(&json),
            };
            if let Some(activation) = activation.with_context(|| file.to_owned())? {
                check_normalisation(folder, file, &json)?;
                return Ok(Some(Self { activation, file }));
            }
        }
        Ok(None)
    }

    /// The activation to compute with: the configuration's, which a flag may repeat and not contradict.
    ///
    /// # Errors
    /// When a flag contradicts it.
    pub fn agree(self, flag: Option<Activation>) -> Result<Activation, UsageError> {
        match flag {
            Some(flag) if flag != self.activation => Err(UsageError::new(format!(
                "--activation {} contradicts the model's {}, which says {}: leave the flag out; to compute with it all the \
                 same, pass the weights file itself",
                word(flag),
                self.file,
                word(self.activation)
            ))),
            _ => Ok(self.activation),
        }
    }
}

/// As the command line calls it.
pub fn word(activation: Activation) -> &'static str {
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
    serde_json::from_slice(&bytes).map(Some).with_context(|| format!("{} is no JSON", path.display()))
}

/// `hidden_act` of both towers, as `CLIPConfig` of `transformers` reads it: an older `text_config_dict` or `vision_config_dict`
/// counts alone where it is there, and what says nothing is `quick_gelu`.
fn of_transformers(json: &Value) -> Result<Option<Activation>> {
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
        "the text tower has {} and the vision tower {}, expected one of both",
        word(text),
        word(vision)
    );
    Ok(Some(vision))
}

/// `quick_gelu` of `model_cfg`, false where it is not there.
fn of_open_clip(json: &Value) -> Result<Option<Activation>> {
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

/// Some models are trained on pixels in [−1, 1], LAION's first ViT-L/14 among them: their scores would be wrong.
fn check_normalisation(folder: &Path, file: &str, json: &Value) -> Result<()> {
    let preprocessor = read_json(folder, PREPROCESSOR)?.unwrap_or_default();
    let (of, mean, std) = match file {
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
            "{of}: the model was trained on pixels normalised with the {what} {}, expected CLIP's {expected:?}; its scores \
             would be wrong",
            Value::from(found.clone())
        );
    }
    Ok(())
}
