use std::collections::BTreeSet;
use std::path::PathBuf;

use tsp_mgs_trainer::data::dataset::Item;
use tsp_mgs_trainer::data::splits::{Split, draw, prompt_key, validation};

/// Images named `PROMPT_NUMBER.png`. Each prompt has 1 to 4 images.
fn items(prompts: usize) -> Vec<Item> {
    let item = |prompt: usize, i: usize| Item {
        image: PathBuf::new().into(),
        name: format!("{prompt:03}_{i}.png"),
        // The spelling of the prompt differs between images.
        prompt: if i == 0 { format!("A  prompt {prompt} ") } else { format!("a prompt {prompt}") },
        perception: Some(1.0),
        alignment: Some(1.0),
        generator: None,
        style: None,
        line: 0,
    };
    (0..prompts).flat_map(|prompt| (0..=prompt % 4).map(move |i| item(prompt, i))).collect()
}

fn prompts(items: &[Item], part: &[usize]) -> BTreeSet<String> {
    part.iter().map(|&i| prompt_key(&items[i].prompt)).collect()
}

/// Splits as names, since indices depend on the order.
fn by_name(items: &[Item], splits: &[Split]) -> Vec<[BTreeSet<String>; 2]> {
    let names = |part: &[usize]| part.iter().map(|&i| items[i].name.clone()).collect();
    splits.iter().map(|split| [names(&split.train), names(&split.test)]).collect()
}

#[test]
fn drawn_splits_are_four_to_one_with_no_prompt_in_both_parts() {
    let items = items(300);
    let splits = draw(&items, 7, 10).expect("many prompts");
    assert_eq!(splits.len(), 10);
    for split in &splits {
        let (train, test) = (prompts(&items, &split.train), prompts(&items, &split.test));
        assert_eq!((train.len(), test.len()), (240, 60), "as IPCE's lists of AGIQA-3K");
        assert!(train.is_disjoint(&test));
        let all: BTreeSet<usize> = split.train.iter().chain(&split.test).copied().collect();
        assert_eq!((all.len(), split.train.len() + split.test.len()), (items.len(), items.len()));
    }
    let different: BTreeSet<String> = splits.iter().map(|split| split.sha256(&items)).collect();
    assert_eq!(different.len(), 10);
}

#[test]
fn splits_depend_on_the_seed_and_not_on_the_order_or_the_count() {
    let items = items(40);
    let mut turned: Vec<Item> = items.iter().rev().cloned().collect();
    turned.rotate_left(7);
    let splits = draw(&items, 7, 3).expect("many prompts");
    let other = draw(&turned, 7, 3).expect("many prompts");
    assert_eq!(by_name(&items, &splits), by_name(&turned, &other));
    assert_eq!(splits[2].sha256(&items), other[2].sha256(&turned));
    assert_eq!(draw(&items, 7, 10).expect("many prompts")[..3], splits);
    assert_ne!(draw(&items, 8, 3).expect("many prompts"), splits);
    let folders: Vec<&str> = splits.iter().map(|split| split.folder.as_str()).collect();
    assert_eq!(folders, ["1", "2", "3"]);
}

/// Runs are repeatable by their seed, so that an update of the random number generator must not change this.
#[test]
fn a_seed_gives_the_split_that_it_always_gave() {
    let items = items(10);
    let split = draw(&items, 1, 1).expect("ten prompts").remove(0);
    assert_eq!(prompts(&items, &split.test).into_iter().collect::<Vec<_>>(), ["a prompt 3", "a prompt 8"]);
    let (_, part) = validation(&split, &items, 0.25, 1).expect("eight prompts");
    assert_eq!(prompts(&items, &part).into_iter().collect::<Vec<_>>(), ["a prompt 5", "a prompt 7"]);
}

#[test]
fn a_validation_part_shares_no_prompt_with_what_is_left() {
    let items = items(100);
    let split = draw(&items, 3, 1).expect("many prompts").remove(0);
    let (train, part) = validation(&split, &items, 0.1, 3).expect("many prompts");
    let (train_prompts, part_prompts) = (prompts(&items, &train), prompts(&items, &part));
    assert_eq!((train_prompts.len(), part_prompts.len()), (72, 8));
    assert!(train_prompts.is_disjoint(&part_prompts) && part_prompts.is_disjoint(&prompts(&items, &split.test)));
    let mut both = [train, part].concat();
    both.sort_unstable();
    assert_eq!(both, split.train);
}

#[test]
fn images_without_prompts_are_drawn_one_by_one_and_one_prompt_cannot_be_split() {
    let mut items = items(5);
    items.iter_mut().for_each(|item| item.prompt.clear());
    let split = draw(&items, 0, 1).expect("each image is its own group").remove(0);
    assert_eq!((split.train.len(), split.test.len()), (9, 2), "of {}", items.len());
    items.iter_mut().for_each(|item| item.prompt = "one".to_owned());
    let error = draw(&items, 0, 1).expect_err("one prompt").to_string();
    assert!(error.contains("1 prompt in 11 images"), "{error}");
}
