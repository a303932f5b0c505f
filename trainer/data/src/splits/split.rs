//! A split of a data set, and the comparison of prompts.

use tsp_mgs_core::bundle::sha256;

use crate::dataset::Item;

/// A division of a data set into training and test images.
///
/// The parts are indices into the items of the data set, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The name of the folder of the lists. For a drawn split, its number, counted from "1".
    pub folder: String,
    /// The training images.
    pub train: Vec<usize>,
    /// The test images.
    pub test: Vec<usize>,
}

impl Split {
    /// Returns the SHA-256 of the sorted names of both parts, in hexadecimal. It does not depend on the location of
    /// files.
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

/// Returns the form in which prompts are compared: lower case, with single spaces.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::splits::prompt_key;
///
/// assert_eq!(prompt_key(" A  cat\n"), "a cat");
/// ```
pub fn prompt_key(prompt: &str) -> String {
    prompt.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
