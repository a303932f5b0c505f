//! ComfyUI's prompt: not a text but the graph that made the image, in the format of its API.
//!
//! ```json
//! {"3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0], "seed": 1}},
//!  "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}}
//! ```
//!
//! An input is a value or a link, `[node id, output index]`. From the sampler we follow the
//! links of the positive side to the texts. Node packs name their inputs as they like, so the
//! names below are those of ComfyUI itself and of the packs seen most; a graph outside them has
//! no prompt for us.

use std::collections::HashSet;

use serde_json::Value;

/// Inputs that hold a text or link to one, the best first: a node is left by one of them only.
/// Encoders with several fields (SDXL, SD3, Flux) get the same prompt in each as a rule, and
/// the T5 field is the one with the full sentence. `positive` is text in loaders that encode.
const TEXT_INPUTS: [&str; 11] =
    ["text", "t5xxl", "text_g", "clip_g", "text_l", "clip_l", "prompt", "string", "value", "Text", "positive"];

/// Inputs of nodes that pass on or join; all of them are followed, in this order.
const PASSED_INPUTS: [&str; 12] = [
    "conditioning",
    "conditioning_1",
    "conditioning_2",
    "conditioning_to",
    "conditioning_from",
    "cond1",
    "cond2",
    "populated_text",
    "string_a",
    "string_b",
    "text_a",
    "text_b",
];

/// The positive prompt of a graph; texts that the graph joins stand on lines of their own.
pub(super) fn prompt(graph: &Value) -> Option<String> {
    let mut nodes: Vec<(&String, &Value)> = graph.as_object()?.iter().collect();
    // Other nodes with a positive side, such as detailers, only where no sampler says more; the
    // first pass before the second: ids are numbers, in the order in which nodes were added.
    nodes.sort_by_key(|(id, node)| {
        let class = node["class_type"].as_str().unwrap_or_default();
        (!class.contains("Sampler"), id.len(), *id)
    });
    let mut seen = HashSet::new();
    nodes.into_iter().find_map(|(_, node)| {
        let starts = ["positive", "guider"].map(|key| &node["inputs"][key]);
        let texts = texts_behind(starts.to_vec(), graph, &mut seen);
        (!texts.is_empty()).then(|| texts.join("\n"))
    })
}

/// Walks depth first, with a stack of its own and past a node once: graphs are a stranger's, and
/// may be cyclic or deeper than our stack. Nodes in `seen` led to no text before and would not now.
fn texts_behind<'a>(mut stack: Vec<&'a Value>, graph: &'a Value, seen: &mut HashSet<&'a str>) -> Vec<&'a str> {
    let mut texts = Vec::new();
    while let Some(input) = stack.pop() {
        if has_text(input) {
            texts.extend(input.as_str().map(str::trim));
        }
        let Some(id) = linked_node(input).filter(|id| seen.insert(id)) else {
            continue;
        };
        let inputs = &graph[id]["inputs"];
        let mut candidates = TEXT_INPUTS.iter().map(|key| &inputs[key]);
        match candidates.find(|input| has_text(input) || linked_node(input).is_some()) {
            Some(text) => stack.push(text),
            None => stack.extend(PASSED_INPUTS.iter().rev().map(|key| &inputs[key])),
        }
    }
    texts
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

    /// The prompt where a sampler's positive side links to node 6 of `nodes`.
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
        chain["7"] = chain["8"].take(); // `sampled` takes node 7
        chain["6"] = json!({"inputs": {"conditioning": ["9", 0]}});
        assert_eq!(sampled(chain).as_deref(), Some("a cat"));
    }
}
