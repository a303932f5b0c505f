//! Prompts: the words for a scene, with style and light.

use crate::random::RandomStream;
use crate::scene::{Background, Colour, Group, Kind, Relation, Scene};

/// The style of an image. Every generator follows the prompt's style, so that no score depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The prompt names no style.
    Any,
    /// Objects have dark outlines.
    Drawing,
    /// Surfaces have brush strokes.
    Painting,
}

/// The light of an image. As for [`Style`], no score depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// The prompt names no light.
    Any,
    /// Shadows are wide and pale.
    Soft,
    /// Shadows are sharp and dark.
    Hard,
}

/// A prompt with its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text of the prompt.
    pub text: String,
    /// The scene that it describes.
    pub scene: Scene,
    /// The style that it names.
    pub style: Style,
    /// The light that it names.
    pub light: Light,
}

impl Prompt {
    /// A random scene and a text for it.
    pub fn sample(random: &mut RandomStream) -> Self {
        let scene = Scene::sample(random);
        // Most of AGIQA-3K's prompts name neither style nor light.
        let style = random.pick(&[Style::Any, Style::Any, Style::Any, Style::Drawing, Style::Painting]);
        let light = random.pick(&[Light::Any, Light::Any, Light::Any, Light::Any, Light::Soft, Light::Hard]);
        let mut text = scene.phrase(random);
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
    /// The word in the prompt and the table; empty for [`Style::Any`].
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Drawing => "drawing",
            Self::Painting => "painting",
        }
    }
}

impl Light {
    /// The words in the prompt and the table; empty for [`Light::Any`].
    pub fn words(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Soft => "soft light",
            Self::Hard => "hard light",
        }
    }
}

impl Scene {
    fn phrase(&self, random: &mut RandomStream) -> String {
        let groups: Vec<String> = self.groups.iter().map(|group| group.phrase(random)).collect();
        let objects = match self.relation {
            Some(relation) => groups.join(&format!(" {} ", relation.phrase(random))),
            None => groups.join(""),
        };
        format!("{objects} {}", self.background.phrase(random))
    }
}

impl Group {
    fn phrase(self, random: &mut RandomStream) -> String {
        let Self { kind, colour, count } = self;
        let (article, colour, noun) = (colour.article(), colour.word(), kind.noun(count));
        let number = match count {
            1 => random.pick(&[article, article, "one"]),
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
    fn phrase(self, random: &mut RandomStream) -> &'static str {
        match self {
            Self::LeftOf => random.pick(&["left of", "to the left of"]),
            Self::RightOf => random.pick(&["right of", "to the right of"]),
            Self::Above => "above",
            Self::Below => random.pick(&["below", "under"]),
        }
    }
}

impl Background {
    fn phrase(self, random: &mut RandomStream) -> String {
        match self {
            Self::Plain(colour) => {
                let (article, colour) = (colour.article(), colour.word());
                match random.chance(0.5) {
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
    use crate::random::Purpose;

    #[test]
    fn a_prompt_says_all_that_its_scene_shows() {
        for i in 0..500 {
            let Prompt { text, scene, style, light } = Prompt::sample(&mut RandomStream::new(7, Purpose::Prompt, i));
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
