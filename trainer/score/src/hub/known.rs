//! The models that `trainer models` lists.

use tsp_mgs_core::config::Activation;

use Activation::{Gelu, QuickGelu};

/// A published model.
#[derive(Clone, Copy, Debug)]
pub struct KnownModel {
    /// `ORG/NAME` on the hub.
    pub id: &'static str,
    /// The architecture, and the training data if they are not OpenAI's.
    pub description: &'static str,
    /// The number of parameters, each of which has 4 bytes in the weights file.
    parameters: u64,
    /// The name of the weights file.
    pub weights: &'static str,
    /// The activation in the configuration.
    pub activation: Activation,
    /// The licence of the weights.
    pub licence: &'static str,
}

/// The numbers of parameters (open_clip's `docs/model_profile.csv` and the files themselves).
const B_32: u64 = 151_277_313;
const B_16: u64 = 149_620_737;
const L_14: u64 = 427_616_513;
const L_14_336: u64 = 427_944_193;
const H_14: u64 = 986_109_441;

const SAFETENSORS: &str = "model.safetensors";
const PYTORCH: &str = "pytorch_model.bin";

/// The models, in the order of the list.
///
/// Sources of the licences: github.com/openai/CLIP for OpenAI's models, the model cards for LAION's, and
/// github.com/yuvalkirstain/PickScore for PickScore.
pub const KNOWN_MODELS: [KnownModel; 10] = [
    model("openai/clip-vit-base-patch32", "ViT-B/32, used in the paper", B_32, SAFETENSORS, QuickGelu),
    model("openai/clip-vit-base-patch16", "ViT-B/16", B_16, PYTORCH, QuickGelu),
    model("openai/clip-vit-large-patch14", "ViT-L/14", L_14, SAFETENSORS, QuickGelu),
    model("openai/clip-vit-large-patch14-336", "ViT-L/14, views of 336 pixels", L_14_336, PYTORCH, QuickGelu),
    model("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "ViT-B/32, LAION-2B", B_32, SAFETENSORS, Gelu),
    model("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "ViT-B/16, LAION-2B", B_16, SAFETENSORS, Gelu),
    model("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "ViT-H/14, LAION-2B", H_14, SAFETENSORS, Gelu),
    model("laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K", "ViT-B/32, DataComp-1B", B_32, SAFETENSORS, Gelu),
    model("laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K", "ViT-L/14, DataComp-1B", L_14, SAFETENSORS, Gelu),
    model("yuvalkirstain/PickScore_v1", "ViT-H/14, for `evaluate --method pickscore`", H_14, SAFETENSORS, Gelu),
];

const fn model(
    id: &'static str,
    description: &'static str,
    parameters: u64,
    weights: &'static str,
    activation: Activation,
) -> KnownModel {
    KnownModel { id, description, parameters, weights, activation, licence: "MIT" }
}

/// Returns the known model with this id.
pub fn find(id: &str) -> Option<&'static KnownModel> {
    KNOWN_MODELS.iter().find(|known| known.id == id)
}

impl KnownModel {
    /// Returns the approximate size of the weights file, with its unit.
    pub fn size(&self) -> String {
        match self.parameters * 4 {
            bytes @ 1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
            bytes => format!("{:.0} MB", bytes as f64 / 1e6),
        }
    }
}
