//! Finds the prompt in a ComfyUI graph. ComfyUI stores the graph that made an image, in the format of its API:
//!
//! ```json
//! {"3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0], "seed": 1}},
//!  "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}}
//! ```
//!
//! An input is a value or a link, `[node id, output index]`. The search starts at the sampler and follows the links of its
//! positive input to texts. Node packs choose the names of their inputs, so the lists below have the names of ComfyUI and of
//! the most common packs. After those, inputs whose name ends in `text` or `prompt` are tried.
//!
//! The output of a language model is not in the graph, unless a node that displays it stored it. Without that, no prompt is
//! returned, because the only text in the graph is the instruction to the model.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Inputs of a sampler that lead to its prompt, in order of preference.
const STARTS: [&str; 6] = ["positive", "guider", "conditioning", "text_embeds", "pipe", "basic_pipe"];
/// How many of them are followed from nodes that are not samplers.
const STARTS_ELSEWHERE: usize = 2;

/// Inputs that hold a text or link to one, in order of preference. The first one that leads to a text is used.
///
/// The first two hold the result of the others. Encoders with several fields (SDXL, SD3, Flux) usually have the same prompt in
/// each field; the field for T5 has the full sentence. `positive` is a text in loaders that encode.
const TEXT_INPUTS: [&str; 13] = [
    "text_0",
    "populated_text",
    "text",
    "t5xxl",
    "text_g",
    "clip_g",
    "text_l",
    "clip_l",
    "prompt",
    "string",
    "value",
    "Text",
    "positive",
];

/// Inputs of nodes that forward or join texts. All of them are followed, in this order.
const PASSED_INPUTS: [&str; 16] = [
    "conditioning",
    "conditioning_1",
    "conditioning_2",
    "conditioning_to",
    "conditioning_from",
    "cond1",
    "cond2",
    "string_a",
    "string_b",
    "text_a",
    "text_b",
    "text_c",
    "text_d",
    "text1",
    "text2",
    "text3",
];

/// Suffixes of the names of other inputs that hold a prompt.
const PROMPT_SUFFIXES: [&str; 3] = ["positive", "prompt", "text"];
/// Parts of the names of inputs that hold a text other than the prompt.
const OTHER_TEXTS: [&str; 4] = ["neg", "style", "system", "context"];

/// Parts of the class names, in lower case, of nodes whose output a language model writes or an image describes.
const TEXT_MODELS: [&str; 14] = [
    "ollama",
    "llm",
    "vlm",
    "gpt",
    "openai",
    "gemini",
    "claude",
    "anthropic",
    "deepseek",
    "qwen",
    "florence",
    "caption",
    "interrogat",
    "tagger",
];
/// Inputs that only such nodes have.
const TEXT_MODEL_INPUTS: [&str; 5] = ["system_prompt", "max_tokens", "max_new_tokens", "temperature", "api_key"];

/// Inputs that select which input a switch forwards: by number, or by on and off.
const SELECTORS: [&str; 8] = ["select", "Input", "input", "index", "selected", "boolean", "switch", "condition"];

/// The positive prompt of a graph. Texts that the graph joins are separated by line breaks.
pub(super) fn prompt(graph: &Value) -> Option<String> {
    let mut nodes: Vec<(&String, &Value)> = graph.as_object()?.iter().collect();
    // Samplers come first. Other nodes with a positive input, such as detailers, are used only if no sampler has a text. Ids
    // are numbers in the order in which nodes were added, so the first pass comes before the second.
    let is_sampler = |node: &Value| node["class_type"].as_str().is_some_and(|class| class.contains("Sampler"));
    nodes.sort_by_key(|(id, node)| (!is_sampler(node), id.len(), *id));
    let mut seen = HashSet::new();
    for (_, node) in nodes {
        let starts = if is_sampler(node) { &STARTS[..] } else { &STARTS[..STARTS_ELSEWHERE] };
        let starts = starts.iter().map(|key| &node["inputs"][key]);
        let texts = texts_behind(starts, graph, &mut seen)?;
        if !texts.is_empty() {
            return Some(texts.join("\n"));
        }
    }
    None
}

/// An input that has not been followed yet.
struct Step<'a> {
    input: &'a Value,
    /// For one of several alternatives: the number of texts that were found before the first alternative. The input is skipped
    /// if an earlier alternative found a text.
    texts_before: Option<usize>,
}

/// The texts that the first successful one of some inputs leads to. Returns `None` if a text on the way is unknown.
///
/// The search is depth first. It has an explicit stack and visits each node once, because untrusted graphs can be cyclic or
/// deeper than the call stack. Nodes in `seen` led to no text before.
fn texts_behind<'a>(
    starts: impl DoubleEndedIterator<Item = &'a Value>,
    graph: &'a Value,
    seen: &mut HashSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let mut texts = Vec::new();
    let mut stack: Vec<Step> = starts.rev().map(|input| Step { input, texts_before: Some(0) }).collect();
    while let Some(Step { input, texts_before }) = stack.pop() {
        if texts_before.is_some_and(|found| found != texts.len()) {
            continue;
        }
        if has_text(input) {
            texts.extend(input.as_str().map(str::trim));
        }
        let Some(id) = linked_node(input).filter(|id| seen.insert(id)) else {
            continue;
        };
        let node = &graph[id];
        let Some(inputs) = node["inputs"].as_object() else { continue };
        let is_stored = has_text(&node["inputs"][TEXT_INPUTS[0]]);
        if !is_stored && is_text_model(node["class_type"].as_str().unwrap_or_default(), inputs) {
            return None;
        }
        let alternatives = match selected(inputs, graph)? {
            Some(input) => vec![input],
            None => alternatives(inputs),
        };
        if alternatives.is_empty() {
            let passed = PASSED_INPUTS.iter().rev().filter_map(|key| inputs.get(*key));
            stack.extend(passed.map(|input| Step { input, texts_before: None }));
        } else {
            let texts_before = Some(texts.len());
            stack.extend(alternatives.into_iter().rev().map(|input| Step { input, texts_before }));
        }
    }
    Some(texts)
}

/// The inputs of a node that can lead to its text, in order of preference.
fn alternatives(inputs: &Map<String, Value>) -> Vec<&Value> {
    let leads = |input: &&Value| has_text(input) || linked_node(input).is_some();
    let known: Vec<&Value> = TEXT_INPUTS.iter().filter_map(|key| inputs.get(*key)).filter(leads).collect();
    if known.is_empty() && PASSED_INPUTS.iter().any(|key| inputs.contains_key(*key)) {
        return known;
    }
    let is_other = |key: &str| {
        let key = key.to_ascii_lowercase();
        let name = key.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit());
        let is_text =
            PROMPT_SUFFIXES.iter().any(|end| name.ends_with(end)) && !OTHER_TEXTS.iter().any(|part| key.contains(part));
        (is_text || name == "any") && !TEXT_INPUTS.contains(&key.as_str())
    };
    let others = inputs.iter().filter(|(key, _)| is_other(key)).map(|(_, input)| input).filter(leads);
    known.into_iter().chain(others).collect()
}

/// Whether a language model writes a node's text when the graph runs.
fn is_text_model(class: &str, inputs: &Map<String, Value>) -> bool {
    let class = class.to_ascii_lowercase();
    !class.contains("encode")
        && (TEXT_MODELS.iter().any(|part| class.contains(part))
            || TEXT_MODEL_INPUTS.iter().any(|key| inputs.contains_key(*key)))
}

/// The input that a switch forwards. Returns `Some(None)` for a node that is not a switch, and `None` if the selection is
/// unknown.
fn selected<'a>(inputs: &'a Map<String, Value>, graph: &'a Value) -> Option<Option<&'a Value>> {
    let Some(selector) = SELECTORS.iter().find_map(|key| inputs.get(*key)) else { return Some(None) };
    // A number or a boolean can be stored in a separate node.
    let constant = linked_node(selector).map_or(selector, |id| &graph[id]["inputs"]["value"]);
    let choices =
        |is_choice: &dyn Fn(&str) -> bool| inputs.iter().find(|(key, _)| is_choice(key)).map(|(_, input)| input);
    let numbered = |key: &str| key.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok();
    match constant {
        Value::Bool(is_on) => Some(choices(&|key| key == if *is_on { "on_true" } else { "on_false" })),
        Value::Number(number) => Some(number.as_u64().and_then(|number| choices(&|key| numbered(key) == Some(number)))),
        _ if choices(&|key| key == "on_true" || numbered(key).is_some()).is_some() => None,
        _ => Some(None),
    }
}

fn has_text(input: &Value) -> bool {
    input.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn linked_node(input: &Value) -> Option<&str> {
    input.as_array()?.first()?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The prompt of a graph whose sampler's positive input links to node 6 of `nodes`.
    fn sampled(mut nodes: Value) -> Option<String> {
        nodes["3"] = json!({"class_type": "KSampler",
            "inputs": {"positive": ["6", 0], "negative": ["7", 0], "steps": 20}});
        nodes["7"] = json!({"class_type": "CLIPTextEncode", "inputs": {"text": "dog"}});
        prompt(&nodes)
    }

    #[test]
    fn encoders_of_each_model_give_their_text() {
        for inputs in [
            json!({"text": " a cat ", "clip": ["4", 1]}),
            json!({"text_g": "a cat", "text_l": "cat", "width": 1024}),
            json!({"text_g": "", "text_l": "a cat"}),
            json!({"clip_l": "cat", "t5xxl": "a cat", "guidance": 3.5}),
            json!({"prompt": "a cat", "image": ["9", 0]}),
            json!({"positive": "a cat", "negative": "dog"}),
        ] {
            let got = sampled(json!({"6": {"class_type": "Encode", "inputs": inputs}}));
            assert_eq!(got.as_deref(), Some("a cat"));
        }
    }

    #[test]
    fn conditioning_is_followed_through_nodes_that_pass_it_on() {
        for key in ["conditioning", "positive", "conditioning_to", "conditioning_2", "cond1"] {
            let got = sampled(json!({
                "6": {"class_type": "Pass", "inputs": {key: ["10", 0], "negative": ["7", 0]}},
                "10": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}}));
            assert_eq!(got.as_deref(), Some("a cat"), "{key}");
        }
    }

    #[test]
    fn joined_conditionings_keep_their_order_and_each_text_once() {
        let got = sampled(json!({
            "6": {"class_type": "ConditioningCombine",
                  "inputs": {"conditioning_1": ["10", 0], "conditioning_2": ["11", 0]}},
            "10": {"class_type": "ConditioningConcat",
                   "inputs": {"conditioning_to": ["12", 0], "conditioning_from": ["13", 0]}},
            "11": {"class_type": "ConditioningSetArea", "inputs": {"conditioning": ["12", 0]}},
            "12": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
            "13": {"class_type": "CLIPTextEncode", "inputs": {"text": "a hat"}}}));
        assert_eq!(got.as_deref(), Some("a cat\na hat"));
    }

    #[test]
    fn text_may_come_from_other_nodes() {
        for key in ["string", "text", "value", "Text", "populated_text"] {
            let got = sampled(json!({
                "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["10", 0]}},
                "10": {"class_type": "StringConcatenate",
                       "inputs": {"string_a": "a cat", "string_b": ["11", 0], "delimiter": ", "}},
                "11": {"class_type": "Primitive", "inputs": {key: "in a hat"}}}));
            assert_eq!(got.as_deref(), Some("a cat\nin a hat"), "{key}");
        }
    }

    #[test]
    fn custom_samplers_are_followed_through_their_guider() {
        for (guider, key) in [("BasicGuider", "conditioning"), ("CFGGuider", "positive")] {
            let graph = json!({
                "13": {"class_type": "SamplerCustomAdvanced", "inputs": {"guider": ["22", 0]}},
                "22": {"class_type": guider, "inputs": {key: ["26", 0]}},
                "26": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["6", 0]}},
                "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}});
            assert_eq!(prompt(&graph).as_deref(), Some("a cat"), "{guider}");
        }
    }

    #[test]
    fn the_first_sampler_with_a_text_decides() {
        let graph = json!({
            "1": {"class_type": "FaceDetailer", "inputs": {"positive": ["21", 0]}},
            "2": {"class_type": "KSampler", "inputs": {"positive": ["none", 0]}},
            "9": {"class_type": "KSamplerAdvanced", "inputs": {"positive": ["20", 0]}},
            "10": {"class_type": "KSampler", "inputs": {"positive": ["21", 0]}},
            "20": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
            "21": {"class_type": "CLIPTextEncode", "inputs": {"text": "a face"}}});
        assert_eq!(prompt(&graph).as_deref(), Some("a cat"));
    }

    #[test]
    fn texts_are_found_under_other_names() {
        let empty = json!({"class_type": "Text_O", "inputs": {"text": ""}});
        for inputs in [
            json!({"prompt_text": "a cat", "save_as_key": "k", "text": ["9", 0]}),
            json!({"text_positive": "a cat", "text_negative": "dog", "style": "base"}),
            json!({"positive_prompt": "a cat", "negative_prompt": "dog"}),
            json!({"wildcard_text": "a {cat|dog}", "populated_text": "a cat", "seed": 1}),
        ] {
            let got = sampled(json!({"6": {"class_type": "Some", "inputs": inputs}, "9": empty}));
            assert_eq!(got.as_deref(), Some("a cat"));
        }
    }

    #[test]
    fn a_switch_passes_one_of_its_inputs_on() {
        let value = |text: &str| json!({"class_type": "Primitive", "inputs": {"value": text}});
        for (inputs, expected) in [
            (json!({"select": 2, "input1": ["10", 0], "input2": ["11", 0]}), Some("a cat")),
            (json!({"select": ["12", 0], "input1": ["10", 0], "input2": ["11", 0]}), Some("a cat")),
            (json!({"select": ["13", 0], "input1": ["10", 0], "input2": ["11", 0]}), None),
            (json!({"Input": 1, "text1": "a cat", "text2": "a dog"}), Some("a cat")),
            (json!({"index": 1, "value0": ["10", 0], "value1": ["11", 0]}), Some("a cat")),
            (json!({"boolean": false, "on_true": ["10", 0], "on_false": ["11", 0]}), Some("a cat")),
            (json!({"any_01": ["99", 0], "any_02": ["11", 0]}), Some("a cat")),
        ] {
            let got = sampled(json!({"6": {"class_type": "Switch", "inputs": inputs}, "10": value("a horse"),
                "11": value("a cat"), "12": {"inputs": {"value": 2}}, "13": {"inputs": {"seed": 2}}}));
            assert_eq!(got.as_deref(), expected, "{inputs}");
        }
    }

    #[test]
    fn what_a_language_model_wrote_is_known_only_where_it_was_kept() {
        let writers = [
            json!({"class_type": "OllamaGenerate", "inputs": {"prompt": "Describe a cat", "model": "m"}}),
            json!({"class_type": "Florence2Run", "inputs": {"text_input": "", "task": "caption"}}),
            json!({"class_type": "Ask", "inputs": {"prompt": "Describe a cat", "temperature": 0.7}}),
        ];
        for writer in writers {
            let graph = |inputs: Value| json!({"6": {"class_type": "Show", "inputs": inputs}, "9": writer});
            let kept = sampled(graph(json!({"text": ["9", 0], "text_0": "a cat"})));
            assert_eq!(kept.as_deref(), Some("a cat"));
            assert_eq!(sampled(graph(json!({"text": ["9", 0]}))), None);
            let joined = json!({"string_a": "masterpiece", "string_b": ["9", 0]});
            assert_eq!(sampled(graph(joined)), None, "a part of the prompt is not the prompt");
        }
        let encoder = json!({"class_type": "TextEncodeQwenImageEdit", "inputs": {"prompt": "a cat"}});
        assert_eq!(sampled(json!({"6": encoder})).as_deref(), Some("a cat"));
    }

    #[test]
    fn samplers_may_call_their_positive_side_otherwise() {
        for key in ["conditioning", "text_embeds", "pipe", "basic_pipe"] {
            let graph = json!({
                "3": {"class_type": "XlabsSampler", "inputs": {key: ["6", 0], "neg_conditioning": ["7", 0]}},
                "6": {"class_type": "Encode", "inputs": {"positive": "a cat", "negative": "dog"}},
                "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog"}}});
            assert_eq!(prompt(&graph).as_deref(), Some("a cat"), "{key}");
        }
    }

    #[test]
    fn cyclic_deep_and_malformed_graphs_end() {
        let cycle = json!({"6": {"inputs": {"conditioning": ["8", 0]}},
            "8": {"inputs": {"text": ["6", 0]}}});
        assert_eq!(sampled(cycle), None);
        for node in [json!(null), json!([]), json!("a"), json!({"inputs": {"text": [1, 2]}})] {
            assert_eq!(sampled(json!({"6": node})), None);
        }
        assert_eq!(prompt(&json!([1, 2])), None);

        let mut chain = json!({"100000": {"inputs": {"text": "a cat"}}});
        for id in 6..100_000 {
            chain[id.to_string()] = json!({"inputs": {"conditioning": [(id + 1).to_string(), 0]}});
        }
        chain["7"] = chain["8"].take(); // `sampled` replaces node 7
        chain["6"] = json!({"inputs": {"conditioning": ["9", 0]}});
        assert_eq!(sampled(chain).as_deref(), Some("a cat"));
    }
}
