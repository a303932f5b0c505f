//! Names, shapes and memory layout of the parameters of a CLIP model, as in OpenAI's files.

use crate::config::{ClipConfig, TextConfig, VisionConfig};

/// Names and shapes of all parameters of a model, as in OpenAI's files.
pub fn parameter_shapes(config: &ClipConfig) -> Vec<(String, Vec<usize>)> {
    let VisionConfig { patch_size, width, mlp_width, layers, .. } = config.vision;
    let tokens = config.vision.grid().pow(2) + 1;
    let mut shapes = vec![
        ("logit_scale".to_owned(), vec![]),
        ("visual.class_embedding".into(), vec![width]),
        ("visual.conv1.weight".into(), vec![width, 3, patch_size, patch_size]),
        ("visual.positional_embedding".into(), vec![tokens, width]),
        ("visual.proj".into(), vec![width, config.embed_dim]),
    ];
    let norm = |shapes: &mut Vec<_>, name: &str, width| {
        shapes.push((format!("{name}.weight"), vec![width]));
        shapes.push((format!("{name}.bias"), vec![width]));
    };
    let blocks = |shapes: &mut Vec<_>, prefix: &str, layers: usize, width: usize, mlp_width: usize| {
        for layer in 0..layers {
            let block = format!("{prefix}.resblocks.{layer}");
            norm(shapes, &format!("{block}.ln_1"), width);
            norm(shapes, &format!("{block}.ln_2"), width);
            shapes.push((format!("{block}.attn.in_proj_weight"), vec![3 * width, width]));
            shapes.push((format!("{block}.attn.in_proj_bias"), vec![3 * width]));
            for (name, out, into) in
                [("attn.out_proj", width, width), ("mlp.c_fc", mlp_width, width), ("mlp.c_proj", width, mlp_width)]
            {
                shapes.push((format!("{block}.{name}.weight"), vec![out, into]));
                shapes.push((format!("{block}.{name}.bias"), vec![out]));
            }
        }
    };
    norm(&mut shapes, "visual.ln_pre", width);
    norm(&mut shapes, "visual.ln_post", width);
    blocks(&mut shapes, "visual.transformer", layers, width, mlp_width);
    if let Some(TextConfig { context_length, vocab_size, width, mlp_width, layers }) = config.text {
        shapes.push(("token_embedding.weight".into(), vec![vocab_size, width]));
        shapes.push(("positional_embedding".into(), vec![context_length, width]));
        shapes.push(("text_projection".into(), vec![width, config.embed_dim]));
        norm(&mut shapes, "ln_final", width);
        blocks(&mut shapes, "transformer", layers, width, mlp_width);
    }
    shapes
}

/// Whether a parameter is `[in, out]` in the model, but `[out, …in]` in a file. This holds for the weights of linear layers, and
/// for that of the convolution, which is a linear layer over flattened tokens.
pub fn is_layer_weight(name: &str, shape: &[usize]) -> bool {
    shape.len() >= 2 && name.ends_with("weight") && name != "token_embedding.weight"
}
