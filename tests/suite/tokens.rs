use tsp_mgs_core::tokenizer::{END, START, Tokenizer};

use crate::support::fixtures::json;

#[test]
fn ids_equal_open_clips() {
    let tokenizer = Tokenizer::new();
    let cases = json("tokens.json");
    let cases = cases.as_array().expect("a list");
    assert!(cases.len() >= 300);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let text = case["text"].as_str().expect("text");
            let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).expect("ids");
            let found = tokenizer.encode(text, 77);
            let is_same = found.ids == expected && Some(found.is_truncated) == case["truncated"].as_bool();
            (!is_same).then(|| format!("{text:?}: {:?}, expected {expected:?}", found.ids))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_token_knows_its_place_in_the_text() {
    let text = "  Caf\u{e9} &amp; a 2nd\tCAF\u{c9}, antidisestablishmentarian \u{1f600}!";
    let tokens = Tokenizer::new().encode(text, 77);
    assert_eq!(tokens.spans.len(), tokens.ids.len() - 2);
    let span = |i: usize| &text[tokens.spans[i].clone()];
    assert_eq!(span(0), "Caf\u{e9}");
    assert_eq!(span(1), "&amp;");
    let words: Vec<String> = tokens
        .words
        .chunk_by(|a, b| a == b)
        .scan(0, |start, group| {
            let tokens = &tokens.spans[*start..*start + group.len()];
            *start += group.len();
            Some(text[tokens[0].start..tokens[tokens.len() - 1].end].to_owned())
        })
        .collect();
    let expected = ["Caf\u{e9}", "&amp;", "a", "2", "nd", "CAF\u{c9}", ",", "antidisestablishmentarian", "\u{1f600}!"];
    assert_eq!(words, expected);
}

#[test]
fn every_token_of_every_nasty_text_stands_somewhere_in_order() {
    let tokenizer = Tokenizer::new();
    for case in json("tokens.json").as_array().expect("a list") {
        let text = case["text"].as_str().expect("text");
        let spans = tokenizer.encode(text, 77).spans;
        for span in &spans {
            assert!(text.get(span.clone()).is_some_and(|part| !part.is_empty()), "{span:?} of {text:?}");
        }
        assert!(spans.is_sorted_by_key(|span| (span.start, span.end)), "{text:?}: {spans:?}");
    }
}

#[test]
fn a_long_text_keeps_its_end_token_and_says_that_it_was_cut() {
    let tokens = Tokenizer::new().encode(&"cat ".repeat(100), 77);
    assert_eq!((tokens.ids.len(), tokens.ids[0], tokens.ids[76]), (77, START, END));
    assert!(tokens.is_truncated);
    assert!(!Tokenizer::new().encode(&"cat ".repeat(75), 77).is_truncated);
}
