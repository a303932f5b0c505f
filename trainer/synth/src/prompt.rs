//! Prompts: a scene in words, with the style and the light that are asked for.

use crate::draw::Draw;
use crate::scene::{Background, Colour, Group, Kind, Relation, Scene};

/// How a picture is made, on the prompt's word; every generator obeys it, so no score depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Not asked for: as the generator likes.
    Any,
    /// With dark outlines.
    Drawing,
    /// With brush strokes.
    Painting,
}

/// The light, on the prompt's word; like [`Style`], no score depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Not asked for.
    Any,
    /// Wide, pale shadows.
    Soft,
    /// Sharp, dark shadows.
    Hard,
}

/// A prompt with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The words.
    pub text: String,
    /// What they ask for.
    pub scene: Scene,
    /// How it is to be made.
    pub style: Style,
    /// How it is to be lit.
    pub light: Light,
}

impl Prompt {
    /// Draws a scene and words for it.
    pub fn draw(draw: &mut Draw) -> Self {
        let scene = Scene::draw(draw);
        // Most of AGIQA-3K's prompts name neither style nor light.
        let style = draw.pick(&[Style::Any, Style::Any, Style::Any, Style::Drawing, Style::Painting]);
        let light = draw.pick(&[Light::Any, Light::Any, Light::Any, Light::Any, Light::Soft, Light::Hard]);
        let mut text = scene.phrase(draw);
        if style != Style::Any {
            text += &format!(", {} style", style.word());
        }
        if light != Light::Any {
            text += &format!(", {}", light.words());
        }
        Self { text, scene, style, light }
    }
}

impl Style {
    /// The word in the prompt and the table; empty if none.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Drawing => "drawing",
            Self::Painting => "painting",
        }
    }
}

impl Light {
    /// The words in the prompt and the table; empty if none.
    pub fn words(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Soft => "soft light",
            Self::Hard => "hard light",
        }
    }
}

impl Scene {
    fn phrase(&self, draw: &mut Draw) -> String {
        let groups: Vec<String> = self.groups.iter().map(|group| group.phrase(draw)).collect();
        let objects = match self.relation {
            Some(relation) => groups.join(&format!(" {} ", relation.phrase(draw))),
            None => groups.join(""),
        };
        format!("{objects} {}", self.background.phrase(draw))
    }
}

impl Group {
    fn phrase(self, draw: &mut Draw) -> String {
        let Self { kind, colour, count } = self;
        let (article, colour, noun) = (colour.article(), colour.word(), kind.noun(count));
        let number = match count {
            1 => draw.pick(&[article, article, "one"]),
            2 => "two",
            _ => "three",
        };
        format!("{number} {colour} {noun}")
    }
}

impl Kind {
    fn noun(self, count: usize) -> &'static str {
        let (one, many) = match self {
            Self::Circle => ("circle", "circles"),
            Self::Square => ("square", "squares"),
            Self::Triangle => ("triangle", "triangles"),
            Self::Star => ("star", "stars"),
            Self::Heart => ("heart", "hearts"),
            Self::House => ("house", "houses"),
            Self::Tree => ("tree", "trees"),
            Self::Fish => ("fish", "fish"),
        };
        if count == 1 { one } else { many }
    }
}

impl Colour {
    fn word(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Pink => "pink",
            Self::Black => "black",
            Self::White => "white",
        }
    }

    fn article(self) -> &'static str {
        if self == Self::Orange { "an" } else { "a" }
    }
}

impl Relation {
    fn phrase(self, draw: &mut Draw) -> &'static str {
        match self {
            Self::LeftOf => draw.pick(&["left of", "to the left of"]),
            Self::RightOf => draw.pick(&["right of", "to the right of"]),
            Self::Above => "above",
            Self::Below => draw.pick(&["below", "under"]),
        }
    }
}

impl Background {
    fn phrase(self, draw: &mut Draw) -> String {
        match self {
            Self::Plain(colour) => {
                let (article, colour) = (colour.article(), colour.word());
                match draw.chance(0.5) {
                    true => format!("on {article} {colour} background"),
                    false => format!("in front of {article} {colour} wall"),
                }
            }
            Self::Night => "at night".into(),
            Self::Grass => "on grass".into(),
            Self::Sky => "in the sky".into(),
            Self::Sand => "on sand".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;

    #[test]
    fn a_prompt_says_all_that_its_scene_shows() {
        for i in 0..500 {
            let Prompt { text, scene, style, light } = Prompt::draw(&mut Draw::new(7, Purpose::Prompt, i));
            for group in &scene.groups {
                let words = format!("{} {}", group.colour.word(), group.kind.noun(group.count));
                assert!(text.contains(&words), "{text}: {words}");
            }
            if let Background::Plain(colour) = scene.background {
                assert!(text.contains(&format!(" {} {} ", colour.article(), colour.word())), "{text}");
            }
            assert!(!text.contains(" a orange") && !text.starts_with("a orange"), "{text}");
            assert!(text.contains(style.word()) && text.contains(light.words()), "{text}");
        }
    }
}
