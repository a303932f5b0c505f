//! The names and layouts of a CLIP model's tensors in files.

use crate::error::{Error, Result};
use crate::weights::Tensors;

/// The naming scheme of a file's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// OpenAI's CLIP and open_clip.
    OpenAi,
    /// Hugging Face's `transformers`.
    HuggingFace,
}

impl Naming {
    pub(super) fn of(tensors: &Tensors) -> Result<Self> {
        [Self::OpenAi, Self::HuggingFace]
            .into_iter()
            .find(|naming| tensors.contains_key(&naming.file_name("visual.conv1.weight")))
            .ok_or_else(|| Error::NotClip {
                found: tensors.len(),
                first: tensors.keys().next().cloned().unwrap_or_else(|| "none".into()),
            })
    }

    /// The names and shapes of the tensors of a file that form a parameter, in order.
    pub(crate) fn parts(self, name: &str, shape: &[usize]) -> Vec<(String, Vec<usize>)> {
        let file_name = self.file_name(name);
        let Some((prefix, kind)) = file_name.split_once("attn.in_proj_").filter(|_| self == Self::HuggingFace) else {
            let mut shape = shape.to_vec();
            if self.is_transposed(name) {
                shape.reverse();
            }
            return vec![(file_name, shape)];
        };
        let mut part = shape.to_vec();
        part[0] /= 3;
        ["q", "k", "v"].map(|role| (format!("{prefix}self_attn.{role}_proj.{kind}"), part.clone())).into()
    }

    /// The name in a file. For query, key and value of Hugging Face's files, [`Naming::parts`] derives the names from it.
    pub(super) fn file_name(self, name: &str) -> String {
        if self == Self::OpenAi {
            return name.to_owned();
        }
        const WHOLE: [(&str, &str); 7] = [
            ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
            ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
            ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
            ("visual.proj", "visual_projection.weight"),
            ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
            ("text_projection", "text_projection.weight"),
        ];
        const PARTS: [(&str, &str); 10] = [
            ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
            ("visual.ln_pre.", "vision_model.pre_layrnorm."), // the spelling of all published files
            ("visual.ln_post.", "vision_model.post_layernorm."),
            ("transformer.resblocks.", "text_model.encoder.layers."),
            ("ln_final.", "text_model.final_layer_norm."),
            (".ln_1.", ".layer_norm1."),
            (".ln_2.", ".layer_norm2."),
            (".mlp.c_fc.", ".mlp.fc1."),
            (".mlp.c_proj.", ".mlp.fc2."),
            (".attn.out_proj.", ".self_attn.out_proj."),
        ];
        if let Some((_, file_name)) = WHOLE.iter().find(|(ours, _)| *ours == name) {
            return (*file_name).to_owned();
        }
        PARTS.iter().fold(name.to_owned(), |name, (ours, theirs)| name.replace(ours, theirs))
    }

    /// OpenAI's projections are `[width, embed_dim]`. Hugging Face's are weights of linear layers, `[embed_dim, width]`.
    pub(super) fn is_transposed(self, name: &str) -> bool {
        self == Self::HuggingFace && matches!(name, "visual.proj" | "text_projection")
    }
}
