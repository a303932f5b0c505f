//! One split of a data set, and when two prompts count as the same.

use tsp_mgs_core::bundle::sha256;

use crate::dataset::Item;

/// Training and testing images, as places in a data set's items; each part in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The folder of its lists, or the number of the draw, from "1".
    pub folder: String,
    /// Images to train on.
    pub train: Vec<usize>,
    /// Images to test on.
    pub test: Vec<usize>,
}

impl Split {
    /// SHA-256 of the sorted names of each part, in hexadecimal: the same wherever the images and lists lie.
    pub fn sha256(&self, items: &[Item]) -> String {
        let names = |part: &[usize]| {
            let mut names: Vec<&str> = part.iter().map(|&i| items[i].name.as_str()).collect();
            names.sort_unstable();
            names
        };
        let parts = serde_json::json!({ "test": names(&self.test), "train": names(&self.train) });
        sha256(parts.to_string().as_bytes())
    }
}

/// A prompt as it is compared: white space collapsed, lower case.
pub fn prompt_key(prompt: &str) -> String {
    prompt.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
