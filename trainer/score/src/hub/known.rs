//! Models that are known to work by their names: what `trainer models` lists.

use tsp_mgs_core::config::Activation;

use Activation::{Gelu, QuickGelu};

/// A published model.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// `ORG/NAME` on the hub.
    pub id: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its parameters, of 4 bytes each in the weights file.
    parameters: u64,
    /// The file that is fetched.
    pub weights: &'static str,
    /// The activation that its configuration names.
    pub activation: Activation,
    /// Licence of its weights, as its authors publish them.
    pub licence: &'static str,
}

/// Sizes of published CLIP models (open_clip's `docs/model_profile.csv` and the files themselves).
const B_32: u64 = 151_277_313;
const B_16: u64 = 149_620_737;
const L_14: u64 = 427_616_513;
const L_14_336: u64 = 427_944_193;
const H_14: u64 = 986_109_441;

const SAFETENSORS: &str = "model.safetensors";
const PYTORCH: &str = "pytorch_model.bin";

/// Licences: github.com/openai/CLIP for OpenAI's, the model cards for LAION's, github.com/yuvalkirstain/PickScore for PickScore.
pub const KNOWN: [Known; 10] = [
    of("openai/clip-vit-base-patch32", "ViT-B/32, the paper's", B_32, SAFETENSORS, QuickGelu),
    of("openai/clip-vit-base-patch16", "ViT-B/16", B_16, PYTORCH, QuickGelu),
    of("openai/clip-vit-large-patch14", "ViT-L/14", L_14, SAFETENSORS, QuickGelu),
    of("openai/clip-vit-large-patch14-336", "ViT-L/14, views of 336 pixels", L_14_336, PYTORCH, QuickGelu),
    of("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "ViT-B/32, LAION-2B", B_32, SAFETENSORS, Gelu),
    of("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "ViT-B/16, LAION-2B", B_16, SAFETENSORS, Gelu),
    of("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "ViT-H/14, LAION-2B", H_14, SAFETENSORS, Gelu),
    of("laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K", "ViT-B/32, DataComp-1B", B_32, SAFETENSORS, Gelu),
    of("laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K", "ViT-L/14, DataComp-1B", L_14, SAFETENSORS, Gelu),
    of("yuvalkirstain/PickScore_v1", "ViT-H/14, for `evaluate --method pickscore`", H_14, SAFETENSORS, Gelu),
];

const fn of(
    id: &'static str,
    what: &'static str,
    parameters: u64,
    weights: &'static str,
    activation: Activation,
) -> Known {
    Known { id, what, parameters, weights, activation, licence: "MIT" }
}

/// A model that is known.
pub fn find(id: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}

impl Known {
    /// What it costs to download: about the bytes of its weights.
    pub fn size(&self) -> String {
        match self.parameters * 4 {
            bytes @ 1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
            bytes => format!("{:.0} MB", bytes as f64 / 1e6),
        }
    }
}
