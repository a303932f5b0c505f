//! The text formats of generators. Each function takes a stored text and returns the prompt in it, not trimmed.
//!
//! References: `parse_generation_parameters` in `modules/infotext_utils.py` of Stable Diffusion WebUI. The formats of the
//! other programs are taken from files that they wrote.

use serde_json::Value;

use super::comfyui;

/// PNG text `parameters`: JSON, WebUI's text, or else a prompt without settings.
pub(super) fn parameters(text: &str) -> Option<String> {
    match object(text) {
        Some(_) => json(text),
        None => infotext(text).or_else(|| Some(text.to_owned())),
    }
}

/// The prompt in WebUI's text. Returns `None` if no line has WebUI's settings or negative prompt.
///
/// ```text
/// prompt, of one or more lines
/// Negative prompt: of one or more lines, optional
/// Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512
/// ```
pub(super) fn infotext(text: &str) -> Option<String> {
    let mut settings_at = None;
    let mut line_at = 0;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("Negative prompt:") {
            return Some(text[..line_at].to_owned());
        }
        // The last such line counts: a line of the prompt can start with the same word. Extensions add lines after it.
        let steps = start.strip_prefix("Steps: ").unwrap_or_default();
        if steps.starts_with(|first: char| first.is_ascii_digit()) {
            settings_at = Some(line_at);
        }
        line_at += line.len();
    }
    settings_at.map(|at| text[..at].to_owned())
}

/// The prompt in a text from a place that other software uses, too. The text must be JSON with a prompt, or have WebUI's
/// settings.
///
/// ComfyUI writes `prompt:{graph}` into EXIF. Some of its extensions write `parameters:` and WebUI's text.
pub(super) fn recognised(text: &str) -> Option<String> {
    let text = text.strip_prefix("parameters:").unwrap_or(text);
    let graph = text.strip_prefix("prompt:").or(text.strip_prefix("Prompt:"));
    json(graph.unwrap_or(text)).or_else(|| infotext(text))
}

/// JSON with NovelAI's or SwarmUI's prompt, with a text `prompt`, with the key `c` of Draw Things, or with ComfyUI's graph.
///
/// The graph is the whole JSON value, or the value of `prompt` as JSON or as a string.
pub(super) fn json(text: &str) -> Option<String> {
    let json = object(text)?;
    // NovelAI's PNG texts as one JSON object, in formats without text chunks.
    if let Some(comment) = json.get("Comment").and_then(Value::as_str).and_then(object) {
        return novelai(&comment).or_else(|| Some(comment.get("prompt")?.as_str()?.to_owned()));
    }
    let draw_things = || json.get("uc").and_then(|_| json.get("c"));
    let prompt = json.pointer("/sui_image_params/prompt").or_else(|| json.get("prompt")).or_else(draw_things);
    novelai(&json).or_else(|| match prompt.unwrap_or(&json) {
        Value::String(text) => match object(text) {
            Some(graph) => comfyui::prompt(&graph),
            None => Some(text.clone()),
        },
        graph => comfyui::prompt(graph),
    })
}

/// NovelAI since version 4: the scene, then one line for each character.
fn novelai(json: &Value) -> Option<String> {
    let caption = json.pointer("/v4_prompt/caption")?;
    let characters = caption["char_captions"].as_array();
    let characters = characters.into_iter().flatten().map(|character| &character["char_caption"]);
    let texts = std::iter::once(&caption["base_caption"]).chain(characters);
    let texts: Vec<&str> = texts.filter_map(Value::as_str).filter(|text| !text.trim().is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// PNG text `prompt` that is not JSON: the prompt itself.
pub(super) fn plain(text: &str) -> Option<String> {
    (!text.trim_start().starts_with(['{', '['])).then(|| text.to_owned())
}

/// InvokeAI since version 3.
pub(super) fn invokeai(text: &str) -> Option<String> {
    let json = object(text)?;
    Some(json.get("positive_prompt")?.as_str()?.to_owned())
}

/// InvokeAI 2: `{"image": {"prompt": "…"}}`, or a list of weighted prompts there; the first one is the main prompt.
pub(super) fn sd_metadata(text: &str) -> Option<String> {
    let json = object(text)?;
    let prompt = json.pointer("/image/prompt")?;
    let prompt = prompt.pointer("/0/prompt").unwrap_or(prompt);
    Some(prompt.as_str()?.to_owned())
}

/// InvokeAI 1, a command line: `"the prompt" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms`.
pub(super) fn dream(text: &str) -> Option<String> {
    let quoted = text.trim().strip_prefix('"')?;
    let end = quoted.find("\" -").or_else(|| quoted.rfind('"'))?;
    Some(quoted[..end].to_owned())
}

fn object(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    parse_json(text).ok()
}

/// Parses JSON as Python writes it. `NaN` and infinities, which JSON does not have, become null.
///
/// # Errors
/// The syntax error of the text as JSON.
///
/// # Examples
///
/// ```
/// let json = tsp_mgs_core::metadata::parse_json(r#"{"seed": NaN}"#)?;
/// assert!(json["seed"].is_null());
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn parse_json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| serde_json::from_str(&nan_as_null(text)).map_err(|_| error))
}

fn nan_as_null(text: &str) -> String {
    let mut strict = String::with_capacity(text.len());
    let (mut is_string, mut is_escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut numbers = ["NaN", "Infinity", "-Infinity"].iter();
        if !is_string && let Some(number) = numbers.find(|number| rest.starts_with(**number)) {
            strict.push_str("null");
            rest = &rest[number.len()..];
            continue;
        }
        is_string ^= c == '"' && !is_escaped;
        is_escaped = is_string && c == '\\' && !is_escaped;
        strict.push(c);
        rest = &rest[c.len_utf8()..];
    }
    strict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_ends_at_the_negative_prompt_or_at_the_last_settings_line() {
        for (text, prompt) in [
            ("a <lora:b:1>,\nc\nNegative prompt: d\nSteps: 2", "a <lora:b:1>,\nc\n"),
            ("a\r\nNegative prompt: b,\r\nc\r\nSteps: 20, Seed: 1", "a\r\n"),
            ("a\nSteps: 20, Sampler: Euler a, Seed: 1", "a\n"),
            ("Steps: 3\na\nSteps: 20, Seed: 1\nTemplate: b", "Steps: 3\na\n"),
            ("Negative prompt: a\nSteps: 20", ""),
        ] {
            assert_eq!(infotext(text).as_deref(), Some(prompt));
            assert_eq!(parameters(text).as_deref(), Some(prompt));
        }
    }

    #[test]
    fn parameters_without_settings_are_all_prompt_unless_json() {
        for text in ["a cat", "Steps: to heaven", "{red|blue} cat", "in a Negative prompt: b"] {
            assert_eq!(infotext(text), None);
            assert_eq!(parameters(text).as_deref(), Some(text));
        }
        assert_eq!(parameters(r#"{"steps": 30}"#), None);
        assert_eq!(parameters(r#"{"prompt": "a cat"}"#).as_deref(), Some("a cat"));
    }

    #[test]
    fn json_holds_a_text_or_a_graph() {
        let graph = r#"{"3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0]}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}}"#;
        let quoted = serde_json::to_string(graph).expect("plain data");
        for text in [
            graph,
            &format!(r#"{{"prompt": {graph}, "workflow": {{}}}}"#),
            &format!(r#"{{"prompt": {quoted}}}"#),
            r#"{"base_model": "b", "prompt": "a cat"}"#,
            r#"{"sui_image_params": {"prompt": "a cat", "seed": 1}}"#,
            r#"{"c": "a cat", "uc": "a dog", "seed": 1}"#,
            r#"{"Software": "NovelAI", "Comment": "{\"prompt\": \"a cat\"}"}"#,
        ] {
            assert_eq!(json(text).as_deref(), Some("a cat"), "{text}");
        }
        for text in ["", "{", "{}", "a cat", r#""a cat""#, r#"{"prompt": 1}"#] {
            assert_eq!(json(text), None, "{text}");
        }
    }

    #[test]
    fn json_may_hold_bare_nan_outside_its_strings() {
        let text = r#"{"prompt": "a \"NaN\" \\", "is_changed": [NaN, -Infinity, Infinity]}"#;
        assert_eq!(json(text).as_deref(), Some(r#"a "NaN" \"#));
    }

    #[test]
    fn characters_that_novelai_describes_beside_the_scene_belong_to_the_prompt() {
        let text = r#"{"prompt": "two people", "v4_prompt": {"caption": {"base_caption": "two people",
            "char_captions": [{"char_caption": "woman in red"}, {"char_caption": " "}, {"char_caption": "man"}]}}}"#;
        assert_eq!(json(text).as_deref(), Some("two people\nwoman in red\nman"));
        let kept = serde_json::json!({"Comment": text}).to_string();
        assert_eq!(json(&kept).as_deref(), Some("two people\nwoman in red\nman"));
        let text = r#"{"prompt": "a cat", "v4_prompt": {"caption": null}}"#;
        assert_eq!(json(text).as_deref(), Some("a cat"));
    }

    #[test]
    fn a_recognised_text_has_settings_or_is_json() {
        for text in ["a cat\nSteps: 2", "parameters:a cat\nSteps: 2", "prompt:{\"prompt\": \"a cat\"}"] {
            assert_eq!(recognised(text).map(|text| text.trim().to_owned()).as_deref(), Some("a cat"), "{text}");
        }
        assert_eq!(recognised("a cat"), None);
        assert_eq!((plain("a cat").as_deref(), plain(" {\"6\": "), plain("[1]")), (Some("a cat"), None, None));
    }

    #[test]
    fn each_generation_of_invokeai_is_read() {
        let text = r#"{"positive_prompt": "a cat", "positive_style_prompt": "ink"}"#;
        assert_eq!(invokeai(text).as_deref(), Some("a cat"));
        assert_eq!(invokeai(r#"{"positive_style_prompt": "ink"}"#), None);
        let text = r#"{"image": {"prompt": [{"prompt": "a cat", "weight": 1.0}]}}"#;
        assert_eq!(sd_metadata(text).as_deref(), Some("a cat"));
        let text = r#"{"image": {"prompt": "a cat"}}"#;
        assert_eq!(sd_metadata(text).as_deref(), Some("a cat"));
        let text = r#""a "red" cat" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms"#;
        assert_eq!(dream(text).as_deref(), Some(r#"a "red" cat"#));
        assert_eq!(dream(r#""a cat""#).as_deref(), Some("a cat"));
        for text in ["a cat -s 50", "\"", "", "{\"image\": 1}"] {
            assert_eq!((dream(text), sd_metadata(text)), (None, None));
        }
    }
}
