//! The files that all galleries have in common: scripts, styles and icon. The scripts are modules of the npm package.

/// The path of a module in `www/src`, and its text.
macro_rules! script {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../www/src/", $path)))
    };
}

/// The modules of a published gallery: paths in [`SCRIPTS_FOLDER`], and texts. Their imports name the same folders.
pub const SCRIPTS: [(&str, &str); 18] = [
    script!("published/define.js"),
    script!("published/element.js"),
    script!("published/show.js"),
    script!("published/rows.js"),
    script!("published/selection.js"),
    script!("published/dom.js"),
    script!("published/tiles.js"),
    script!("published/toolbar.js"),
    script!("published/detail.js"),
    script!("published/style.js"),
    script!("common/addresses.js"),
    script!("common/errors.js"),
    script!("gallery/csv.js"),
    script!("gallery/view.js"),
    script!("engine/names.js"),
    script!("ui/format.js"),
    script!("ui/palette.js"),
    script!("ui/tasks.js"),
];

/// The folder of [`SCRIPTS`].
pub const SCRIPTS_FOLDER: &str = "script";

/// The page's icon.
pub const ICON: &str = include_str!("../../../../www/icon.svg");

const STYLE_MODULE: &str = include_str!("../../../../www/src/published/style.js");
const PALETTE_MODULE: &str = include_str!("../../../../www/src/ui/palette.js");
const PAGE_STYLES: &str = include_str!("page.css");

/// Returns the styles of the page. Those of the images come from two JavaScript modules, where they stand between backticks.
pub fn styles() -> String {
    let tiles = between_backticks(STYLE_MODULE).replace("${palette}", between_backticks(PALETTE_MODULE));
    format!("{PAGE_STYLES}{tiles}")
}

fn between_backticks(module: &str) -> &str {
    module.split('`').nth(1).unwrap_or_default()
}

/// Returns a script without the lines that are comments. They are for those who read the source.
pub fn without_comments(script: &str) -> String {
    let mut code = String::with_capacity(script.len());
    let mut is_comment = false;
    for line in script.lines() {
        let text = line.trim();
        let begins = text.starts_with("/**") && (text.ends_with("*/") || !text.contains("*/"));
        is_comment |= begins;
        if !is_comment && !text.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
        is_comment &= !text.ends_with("*/");
    }
    code
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path, PathBuf};

    use super::*;

    /// The limit of what a page loads, not compressed: 41.5 kB on 2026-11-28, and a few more.
    const MAX_BYTES: usize = 45_000;

    #[test]
    fn the_scripts_have_all_modules_that_they_import() {
        for (path, text) in SCRIPTS {
            let folder = Path::new(path).parent().expect("a script stands in a folder");
            let lines = text.lines().filter(|line| line.starts_with("import "));
            for imported in lines.filter_map(|line| line.split('"').nth(1)) {
                let mut found = PathBuf::new();
                for part in folder.join(imported).components() {
                    match part {
                        Component::ParentDir => assert!(found.pop(), "{path} imports {imported}"),
                        Component::CurDir => {}
                        part => found.push(part),
                    }
                }
                assert!(SCRIPTS.iter().any(|(path, _)| Path::new(path) == found), "{path} imports {imported}");
            }
        }
        let bytes: usize = SCRIPTS.iter().map(|(_, text)| without_comments(text).len()).sum();
        assert!(bytes <= MAX_BYTES, "{bytes} bytes");
    }

    #[test]
    fn lines_that_are_comments_are_left_out() {
        let script = "// a\n/** b */\nlet c;\n  /**\n   * d\n   */\n  /** @type {E} */ #f = 1; // g\n";
        assert_eq!(without_comments(script), "let c;\n  /** @type {E} */ #f = 1; // g\n");
    }

    #[test]
    fn the_styles_have_those_of_the_tiles() {
        assert_eq!([STYLE_MODULE, PALETTE_MODULE].map(|module| module.matches('`').count()), [2, 2]);
        let styles = styles();
        assert!(styles.contains(".tile {") && styles.contains("--ground:") && !styles.contains("${"), "{styles}");
    }
}
