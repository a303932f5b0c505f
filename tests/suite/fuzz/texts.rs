//! Prompts as image generators store them.

/// Keys of PNG text chunks, in the order of [`TEXTS`].
pub const KEYS: [&str; 8] =
    ["prompt", "parameters", "Comment", "parameters", "invokeai_metadata", "sd-metadata", "Dream", "Description"];

/// A text for each key of [`KEYS`].
pub const TEXTS: [&str; 8] = [
    r#"{"3": {"class_type": "KSampler", "inputs": {"seed": NaN, "positive": ["6", 0], "negative": ["7", 0]}},
 "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
 "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog"}},
 "8": {"class_type": "Switch", "inputs": {"select": ["9", 0], "input1": ["10", 0], "input2": "a cat"}},
 "9": {"class_type": "Primitive", "inputs": {"value": 1}},
 "10": {"class_type": "ConcatText", "inputs": {"text_a": "a &amp; b", "text_b": ["11", 0], "text_c": ["10", 0]}},
 "11": {"class_type": "OllamaGenerate", "inputs": {"text_0": "a café", "system_prompt": "x"}},
 "13": {"class_type": "SamplerCustom", "inputs": {"guider": ["14", 0], "conditioning": ["6", 0]}},
 "14": {"class_type": "BasicGuider", "inputs": {"conditioning": ["6", 0]}}}"#,
    "a cat, 猫,\na <lora:b:1>\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512",
    r#"{"prompt": "two people", "steps": 28, "v4_prompt": {"caption": {"base_caption": "two people",
 "char_captions": [{"char_caption": "woman in red"}, {"char_caption": "man"}]}}}"#,
    r#"{"sui_image_params": {"prompt": "a cat", "seed": 1e400, "cfgscale": 7.0}}"#,
    r#"{"positive_prompt": "a cat", "positive_style_prompt": "ink", "seed": 1}"#,
    r#"{"image": {"prompt": [{"prompt": "a cat", "weight": 1.0}], "seed": 3}}"#,
    r#""a "red" cat" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms"#,
    r#"{"c": "a cat", "uc": "a dog", "seed": 1, "Comment": "{\"prompt\": \"{\\\"6\\\": 1}\"}"}"#,
];

/// An XMP packet.
pub const XMP: &str = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF><rdf:Description rdf:about=\"\">\
    <exif:UserComment><rdf:Alt><rdf:li xml:lang=\"x-default\">{&quot;c&quot;:&quot;a cat&quot;,&quot;uc&quot;:&quot;\
    &#10;&#x1F408;&quot;}</rdf:li></rdf:Alt></exif:UserComment><dc:description><rdf:Alt><rdf:li>a cat --ar 3:2 Job ID: 0\
    </rdf:li></rdf:Alt></dc:description><x>trainedAlgorithmicMedia</x></rdf:Description></rdf:RDF></x:xmpmeta>";

/// Parts of these formats.
pub const WORDS: [&str; 32] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ": ",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "[[[[[[[[[[[[[[[[",
    r#"["6", 0]"#,
    r#""positive": ["3", 0]"#,
    r#""inputs": {"#,
    r#""class_type": "KSampler""#,
    r#""select": 2"#,
    r#""on_true": "a""#,
    r#""prompt": "#,
    r#""Comment": "#,
    "\nSteps: 1",
    "\nNegative prompt: ",
    "&amp;",
    "&#",
    "&#x",
    "&CounterClockwiseContourIntegral",
    "<rdf:li>",
    "</dc:description",
    "İ",
    "\u{feff}",
];
