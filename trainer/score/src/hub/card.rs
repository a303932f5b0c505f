//! Writes the model card of a bundle: `README.md`, with front matter for the hub.

use std::fmt::Write;

use tsp_mgs_core::bundle::{Manifest, ScoreDifference, WeightType};
use tsp_mgs_core::options::{Alpha, Options};
use tsp_mgs_core::prompts::Task;

use super::known;
use super::name::Name;

/// The file name of the card.
pub const FILE: &str = "README.md";

/// Returns the licence of the weights that a bundle was made from, as an identifier of the hub, or `None` if it is
/// unknown.
pub fn license(manifest: &Manifest) -> Option<&'static str> {
    let known = known::find(&source(manifest)?.id)?;
    (known.licence == "MIT").then_some("mit")
}

/// Returns the text of the card.
pub fn write(manifest: &Manifest, license: Option<&str>) -> String {
    let mut card = String::new();
    front_matter(&mut card, manifest, license)
        .and_then(|()| body(&mut card, manifest))
        .expect("writing to a string cannot fail");
    card
}

/// Returns the model on the hub that the weights come from.
fn source(manifest: &Manifest) -> Option<Name> {
    Name::parse(&manifest.provenance.source)
}

fn front_matter(card: &mut String, manifest: &Manifest, license: Option<&str>) -> std::fmt::Result {
    writeln!(card, "---")?;
    if let Some(license) = license {
        writeln!(card, "license: {license}")?;
    }
    writeln!(card, "library_name: tsp-mgs")?;
    if let Some(source) = source(manifest) {
        writeln!(card, "base_model: {}", source.id)?;
    }
    writeln!(card, "tags:")?;
    for tag in ["tsp-mgs", "clip", "image-quality-assessment", "text-to-image"] {
        writeln!(card, "- {tag}")?;
    }
    writeln!(card, "---\n")
}

fn body(card: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let Manifest { name, clip, provenance, .. } = manifest;
    let megabytes = manifest.total_bytes() as f64 / 1e6;
    let vision = &clip.vision;
    writeln!(card, "# {}\n", text(name))?;
    writeln!(
        card,
        "Scores AI-generated images from 0 to 5; higher is better. The method is TSP-MGS (Xia et al.): it compares an image"
    )?;
    writeln!(
        card,
        "with task-specific prompts and with the words of its own prompt, in the joint space of CLIP. It scores:\n"
    )?;
    for (task, options) in &manifest.tasks {
        let what = match task {
            Task::Perception => "how good an image looks",
            Task::Alignment => "how well an image shows its prompt",
        };
        writeln!(card, "- **{}**: {what} ({})", task.name(), describe(options))?;
    }
    if let Some(warning) = &manifest.warning {
        writeln!(card, "\n> **Warning:** {}", text(warning))?;
    }
    writeln!(card, "\n## Use\n\nReplace ORG/NAME by the name of this model.\n")?;
    writeln!(card, "```sh\ntrainer score --model ORG/NAME IMAGES\n```\n")?;
    writeln!(card, "In a browser, with the npm package `tsp-mgs`:\n")?;
    writeln!(card, "```js\nimport {{ createScorer }} from \"tsp-mgs\";")?;
    writeln!(card, "const scorer = await createScorer({{ model: \"hf:ORG/NAME\" }});\n```\n")?;
    writeln!(card, "## Model\n")?;
    writeln!(card, "| | |\n| --- | --- |")?;
    let side = vision.image_size;
    writeln!(
        card,
        "| image tower | {} layers, width {}, patches of {} pixels, views of {side} × {side} pixels |",
        vision.layers, vision.width, vision.patch_size
    )?;
    match &clip.text {
        Some(tower) => writeln!(card, "| text tower | {} layers, width {} |", tower.layers, tower.width)?,
        None => writeln!(
            card,
            "| text tower | none: the task-specific prompts were encoded at export, and the prompt of an image is not used |"
        )?,
    }
    let dtype = match manifest.dtype {
        WeightType::F32 => "32-bit floats",
        WeightType::F16 => "16-bit floats",
        WeightType::Q8 => "8-bit integers",
    };
    writeln!(card, "| weights | {dtype}, {megabytes:.1} MB in {} files |", manifest.shards.len())?;
    writeln!(card, "| made from | {}, SHA-256 `{}` |", text(&provenance.source), provenance.sha256)?;
    writeln!(card, "| made by | {} |", text(&provenance.exporter))?;
    for (task, ScoreDifference { images, mean, max }) in &manifest.score_difference {
        let task = task.name();
        writeln!(
            card,
            "| difference from the source, {task} | {mean:.4} points on average, {max:.4} at most, over {images} images |"
        )?;
    }
    writeln!(card, "\n## Limits\n")?;
    writeln!(card, "- Scores of different models cannot be compared, nor can alignment scores of different prompts.")?;
    writeln!(card, "- CLIP reads 75 tokens of a prompt. It was trained on images from the web and has their biases.")
}

fn describe(options: &Options) -> String {
    let alpha = match options.alpha {
        Alpha::Fixed(alpha) => format!("α {alpha}"),
        Alpha::Learned { .. } => "learned α".into(),
    };
    let words = if options.fine { "with words" } else { "without words" };
    format!("levels {}; {alpha}, {} crops, {words}", options.prompts.levels().join(", "), options.crops)
}

/// Escapes a text for a cell of a Markdown table, and replaces its line breaks.
fn text(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '`' | '\\' | '*' | '_' => text.extend(['\\', c]),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text
}
