//! Draws splits at random, without a prompt in both parts.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::split::{Split, prompt_key};
use crate::dataset::Item;

/// The proportion of prompts in the test part (SPEC §6). IPCE also splits 4 : 1. The 300 prompts of AGIQA-3K become 240
/// and 60.
const TEST_SHARE: f64 = 0.2;

/// The stream of random numbers for validation parts, which differs from those of the splits with the same seed.
const VALIDATION_STREAM: u64 = 1 << 32;

/// Draws `count` splits of 4 : 1 without a prompt in both parts.
///
/// The splits depend on the names and prompts of the items and on the seed, but not on the order of the items. A larger
/// `count` adds splits and does not change the others.
///
/// # Errors
/// Returns an error if there are fewer than two prompts.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::dataset::Item;
/// use tsp_mgs_data::splits::draw;
///
/// let item = |name: &str, prompt: &str| Item {
///     image: std::path::PathBuf::from(name).into(),
///     name: name.into(),
///     prompt: prompt.into(),
///     perception: Some(3.0),
///     alignment: None,
///     generator: None,
///     style: None,
///     line: 1,
/// };
/// let items = [item("0.png", "a cat"), item("1.png", "a cat"), item("2.png", "a dog")];
/// let splits = draw(&items, 1, 1)?;
/// // The images of a cat stay together.
/// let parts = [&splits[0].train, &splits[0].test];
/// assert!(parts.contains(&&vec![0, 1]) && parts.contains(&&vec![2]));
/// # anyhow::Ok(())
/// ```
pub fn draw(items: &[Item], seed: u64, count: usize) -> Result<Vec<Split>> {
    let all: Vec<usize> = (0..items.len()).collect();
    let draw = |i: usize| {
        let (train, test) = partition(items, &all, TEST_SHARE, seed, i as u64)?;
        Ok(Split { folder: (i + 1).to_string(), train, test })
    };
    (0..count).map(draw).collect()
}

/// Separates a validation part from the training part of a split, without a prompt in both.
///
/// Returns the remaining training part and the validation part. `share` is the proportion of prompts in the validation
/// part.
///
/// # Errors
/// Returns an error if the training part has fewer than two prompts.
///
/// # Panics
/// Panics if `share` is not in (0, 1).
pub fn validation(split: &Split, items: &[Item], share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    assert!(share > 0.0 && share < 1.0, "the share must be in (0, 1), not {share}");
    partition(items, &split.train, share, seed, VALIDATION_STREAM)
}

/// Divides the items `from` by prompt. The second part gets `share` of the prompts, and each part gets at least one.
fn partition(items: &[Item], from: &[usize], share: f64, seed: u64, stream: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    // An image without a prompt forms a group of its own.
    let group = |item: &Item| match prompt_key(&item.prompt) {
        key if key.is_empty() => (key, item.name.clone()),
        key => (key, String::new()),
    };
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &i in from {
        groups.entry(group(&items[i])).or_default().push(i);
    }
    if groups.len() < 2 {
        bail!("found {} prompt in {} images; a split needs at least two, one for each part", groups.len(), from.len());
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
