//! The page of a gallery. Its HTML shows the best images. Its script replaces them with all images, a search, an order and
//! filters. The template escapes all texts.

use anyhow::Result;
use minijinja::{Environment, context};

use super::TABLE;
use super::assets::SCRIPTS_FOLDER;
use super::entry::{Entry, Figure, sentence};

/// The start of an element that the page of every gallery has, whatever the version of the program.
pub const GENERATOR: &str = r#"<meta name="generator" content="tsp-mgs"#;

const TEMPLATE: &str = include_str!("page.html");

/// The texts of a page beside its figures.
pub struct About {
    /// The heading.
    pub title: String,
    /// The number of images in the table.
    pub images: u64,
    /// The notes that all images have in common.
    pub notes: Vec<String>,
    /// The name and the hash of the weights.
    pub model: String,
}

/// Returns the page with `entries` in this order.
///
/// # Errors
/// Returns no error in practice, since the template is a constant that a test renders.
pub fn page(about: &About, entries: &[Entry]) -> Result<String> {
    let figures: Vec<&Figure> = entries.iter().map(|entry| &entry.figure).collect();
    let mut environment = Environment::new();
    // The ending of the name has everything escaped.
    environment.add_template("page.html", TEMPLATE)?;
    let page = environment.get_template("page.html")?.render(context! {
        version => env!("CARGO_PKG_VERSION"),
        title => about.title,
        images => if about.images == 1 { "1 image".to_owned() } else { format!("{} images", about.images) },
        notes => about.notes.iter().map(|note| sentence(note)).collect::<Vec<_>>(),
        model => about.model,
        is_part => figures.len() as u64 != about.images,
        figures,
        table => TABLE,
        script => format!("{SCRIPTS_FOLDER}/published/define.js"),
    })?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, prompt: &str, error: Option<&str>) -> Entry {
        let figure = Figure {
            name: name.into(),
            thumbnail: error.is_none().then(|| "thumbnails/0.jpg".into()),
            prompt: Some(prompt.into()),
            scores: Vec::new(),
            error: error.map(str::to_owned),
        };
        Entry { line: String::new(), figure, mean: None, notes: Vec::new() }
    }

    fn about(images: u64) -> About {
        About { title: "<b>".into(), images, notes: vec!["a < b".into()], model: "demo".into() }
    }

    #[test]
    fn texts_do_not_become_html() {
        let entries =
            [entry("<script>.png", "\"><img onerror=alert(1)>", None), entry("b.png", "", Some("</p><script>"))];
        let page = page(&about(2), &entries).expect("a page");
        for text in ["<b>", "<script>.png", "<img onerror", "</p><script>"] {
            assert!(!page.contains(text), "{text} stands in\n{page}");
        }
        assert!(page.contains(GENERATOR) && page.contains("A &lt; b.") && page.contains("&lt;script&gt;.png"));
        assert!(!page.contains("With JavaScript"));
    }

    #[test]
    fn a_page_says_that_it_holds_the_best_images_alone() {
        let page = page(&about(1000), &[entry("a.png", "", None)]).expect("a page");
        assert!(page.contains("These are the 1 best of 1000 images."), "{page}");
    }
}
