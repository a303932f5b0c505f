//! Splits that are drawn from a seed, with no prompt in both parts.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::split::{Split, prompt_key};
use crate::dataset::Item;

/// SPEC §6: 4 : 1, as IPCE; counted in prompts, so that AGIQA-3K's 300 become 240 and 60.
const TEST_SHARE: f64 = 0.2;

/// Sets the random numbers of a validation part apart from those of the splits with the same seed.
const VALIDATION_STREAM: u64 = 1 << 32;

/// Draws `count` splits, 4 : 1, with no prompt in both parts.
///
/// They depend on the items' names and prompts and on the seed, not on the order of the items; the first few are the
/// same whatever the count.
///
/// # Errors
/// When there are fewer than two prompts.
pub fn draw(items: &[Item], seed: u64, count: usize) -> Result<Vec<Split>> {
    let all: Vec<usize> = (0..items.len()).collect();
    let draw = |i: usize| {
        let (train, test) = cut(items, &all, TEST_SHARE, seed, i as u64)?;
        Ok(Split { folder: (i + 1).to_string(), train, test })
    };
    (0..count).map(draw).collect()
}

/// Cuts a validation part from a split's training part, with no prompt in both; returns what is left to train on, and
/// the validation part.
///
/// # Errors
/// When the training part has fewer than two prompts.
///
/// # Panics
/// When `share`, the validation part's share of the prompts, is not in (0, 1).
pub fn validation(split: &Split, items: &[Item], share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    assert!(share > 0.0 && share < 1.0, "a share in (0, 1), not {share}");
    cut(items, &split.train, share, seed, VALIDATION_STREAM)
}

/// Cuts `from` in two by prompt; `share` of the prompts go into the second part, at least one into each.
fn cut(items: &[Item], from: &[usize], share: f64, seed: u64, stream: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    // An image without a prompt shares it with no other.
    let group = |item: &Item| match prompt_key(&item.prompt) {
        key if key.is_empty() => (key, item.name.clone()),
        key => (key, String::new()),
    };
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &i in from {
        groups.entry(group(&items[i])).or_default().push(i);
    }
    if groups.len() < 2 {
        bail!("{} prompt in {} images: a split needs two, one for each part", groups.len(), from.len());
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    groups.shuffle(&mut random);
    let second = ((groups.len() as f64 * share).round() as usize).clamp(1, groups.len() - 1);
    let part = |groups: &[Vec<usize>]| {
        let mut part = groups.concat();
        part.sort_unstable();
        part
    };
    Ok((part(&groups[second..]), part(&groups[..second])))
}
