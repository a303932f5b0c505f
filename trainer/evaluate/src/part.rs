//! Which images judge, and whether they were trained on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use tsp_mgs_data::dataset::{DataArgs, Item, quoted_start};
use tsp_mgs_data::decoded::DecodedSet;
use tsp_mgs_data::files::parent;
use tsp_mgs_data::splits::{Split, prompt_key};

use crate::args::PartArgs;

/// The images that judge.
pub struct Part {
    /// Their places in the data set.
    pub items: Vec<usize>,
    /// For people, to stand behind the data set's name.
    pub name: String,
    /// The split that they are the test part of; `None` for all images.
    pub split: Option<Split>,
}

impl Part {
    /// As the flags say.
    ///
    /// # Errors
    /// When there is no such split, or its lists do not fit the data set.
    pub fn choose(args: &PartArgs, data_args: &DataArgs, data: &DecodedSet) -> Result<Self> {
        if args.all {
            return Ok(Self { items: (0..data.set.items.len()).collect(), name: "all images".into(), split: None });
        }
        let split = data.split(data_args, args.splits.as_deref(), args.split, args.seed)?;
        let name = match &args.splits {
            Some(lists) => format!("test part of {}", lists.join(&split.folder).display()),
            None => format!("test part of split {}, seed {}", args.split, args.seed),
        };
        Ok(Self { items: split.test.clone(), name, split: Some(split) })
    }

    /// What flatters a model that was trained on the other part.
    pub fn leaks(&self, items: &[Item]) -> Vec<String> {
        let Some(split) = &self.split else { return Vec::new() };
        let key = |&item: &usize| Some(prompt_key(&items[item].prompt)).filter(|key| !key.is_empty());
        let trained: BTreeSet<String> = split.train.iter().filter_map(key).collect();
        let mut tested = BTreeMap::<String, usize>::new();
        split.test.iter().filter_map(key).for_each(|key| *tested.entry(key).or_default() += 1);
        let shared: Vec<(&String, &usize)> = tested.iter().filter(|(key, _)| trained.contains(*key)).collect();
        let mut notes = Vec::new();
        if let [(first, _), ..] = shared.as_slice() {
            let n_images: usize = shared.iter().map(|(_, n)| **n).sum();
            notes.push(format!(
                "leak: {} of {} prompts stand in the training part, too ({n_images} of {} images); a model that was \
                 trained on it looks better than it is. The first is {}",
                shared.len(),
                tested.len(),
                split.test.len(),
                quoted_start(first)
            ));
        }
        let both = split.test.iter().filter(|item| split.train.contains(item)).count();
        if both > 0 {
            notes.push(format!("leak: {both} of {} images stand in the training part, too", split.test.len()));
        }
        notes
    }

    /// What the run that a model came from says of its training, where its settings stand beside the model:
    /// whether images that judge it here trained it.
    pub fn trained_on(&self, model: &Path, data: &DecodedSet) -> Option<String> {
        let settings = fs::read(parent(model).join("config.json")).ok()?;
        let settings: Value = serde_json::from_slice(&settings).ok()?;
        let is_same_data = settings["data_sha256"] == data.set.sha256.as_str()
            || settings["images_sha256"] == data.images_sha256.as_str();
        let trained = settings["split"]["sha256"].as_str().filter(|_| is_same_data)?;
        match &self.split {
            Some(split) if split.sha256(&data.set.items) == trained => None,
            Some(_) => Some(
                "leak: the model was trained on another split of this data set, so on images that judge it here".into(),
            ),
            None => Some("leak: the model was trained on a part of these images".into()),
        }
    }
}
