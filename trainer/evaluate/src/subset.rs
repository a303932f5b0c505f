//! The images that a model is evaluated on, and notes if it was trained on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use tsp_mgs_data::dataset::{DataArgs, Item, quoted_start};
use tsp_mgs_data::decoded::DecodedSet;
use tsp_mgs_data::files::parent;
use tsp_mgs_data::splits::{Split, prompt_key};

use crate::args::SubsetArgs;

/// The images that a model is evaluated on.
pub struct Subset {
    /// Indices of the images in the data set.
    pub items: Vec<usize>,
    /// Name for people, shown behind the name of the data set.
    pub name: String,
    /// The split whose test part it is; `None` for all images.
    pub split: Option<Split>,
}

impl Subset {
    /// Chooses the images by the flags.
    ///
    /// # Errors
    /// Fails if the split does not exist or its lists do not fit the data set.
    pub fn choose(args: &SubsetArgs, data_args: &DataArgs, data: &DecodedSet) -> Result<Self> {
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

    /// Notes on prompts and images that are in both parts of the split.
    pub fn leak_notes(&self, items: &[Item]) -> Vec<String> {
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
                "leak: {} of {} prompts are in the training part, too ({n_images} of {} images), so that a model \
                 trained on that part scores too well. The first is {}",
                shared.len(),
                tested.len(),
                split.test.len(),
                quoted_start(first)
            ));
        }
        let both = split.test.iter().filter(|item| split.train.contains(item)).count();
        if both > 0 {
            notes.push(format!("leak: {both} of {} images are in the training part, too", split.test.len()));
        }
        notes
    }

    /// A note if the model was trained on images of this subset.
    ///
    /// The settings of the run are read from `config.json` beside the model's folder. Without them there is no note.
    pub fn training_leak_note(&self, model: &Path, data: &DecodedSet) -> Option<String> {
        let settings = fs::read(parent(model).join("config.json")).ok()?;
        let settings: Value = serde_json::from_slice(&settings).ok()?;
        let is_same_data = settings["data_sha256"] == data.set.sha256.as_str()
            || settings["images_sha256"] == data.images_sha256.as_str();
        let trained = settings["split"]["sha256"].as_str().filter(|_| is_same_data)?;
        match &self.split {
            Some(split) if split.sha256(&data.set.items) == trained => None,
            Some(_) => Some(
                "leak: the model was trained on another split of this data set, which includes images of this test part".into(),
            ),
            None => Some("leak: the model was trained on a part of these images".into()),
        }
    }
}
