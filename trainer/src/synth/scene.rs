//! What a picture shows, and the prompt that asks for it.

use crate::synth::draw::Draw;

/// The kinds of objects, chosen to be told apart at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Circle,
    Square,
    Triangle,
    Star,
    Heart,
    House,
    Tree,
    Fish,
}

/// The colours of objects and plain backgrounds, chosen to stay apart under any light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Pink,
    Black,
    White,
}

/// Where the first group is, seen from the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    LeftOf,
    RightOf,
    Above,
    Below,
}

/// What is behind the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// A wall of this colour.
    Plain(Colour),
    /// A dark sky with stars.
    Night,
    /// A meadow.
    Grass,
    /// Blue with clouds.
    Sky,
    /// Pale, with ripples.
    Sand,
}

/// Equal objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they are.
    pub kind: Kind,
    /// Their colour.
    pub colour: Colour,
    /// How many: 1 to [`MAX_COUNT`].
    pub count: usize,
}

/// One or two groups in front of a background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// One or two.
    pub groups: Vec<Group>,
    /// Of the first group to the second; `None` when there is one group.
    pub relation: Option<Relation>,
    /// Behind all.
    pub background: Background,
}

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

/// More than three are hard to count at a glance, and would be small.
pub const MAX_COUNT: usize = 3;

/// Share of prompts with two groups; the others are easier.
const TWO_GROUPS: f32 = 0.6;

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::Circle, Self::Square, Self::Triangle, Self::Star, Self::Heart, Self::House, Self::Tree, Self::Fish];

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
    /// All colours.
    pub const ALL: [Self; 8] =
        [Self::Red, Self::Orange, Self::Yellow, Self::Green, Self::Blue, Self::Pink, Self::Black, Self::White];

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

    /// Red, green and blue in [0, 255], before light and texture; saturated, so that light does not change the word.
    pub fn rgb(self) -> [f32; 3] {
        match self {
            Self::Red => [205.0, 25.0, 30.0],
            Self::Orange => [238.0, 120.0, 15.0],
            Self::Yellow => [240.0, 208.0, 30.0],
            Self::Green => [35.0, 145.0, 50.0],
            Self::Blue => [30.0, 75.0, 205.0],
            Self::Pink => [243.0, 125.0, 185.0],
            Self::Black => [26.0, 26.0, 29.0],
            Self::White => [226.0, 226.0, 224.0],
        }
    }
}

impl Relation {
    /// All relations.
    pub const ALL: [Self; 4] = [Self::LeftOf, Self::RightOf, Self::Above, Self::Below];

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
    /// Backgrounds that are no plain colour.
    const PLACES: [Self; 4] = [Self::Night, Self::Grass, Self::Sky, Self::Sand];

    /// Whether an object of this colour would be hard to see before it.
    pub fn hides(self, colour: Colour) -> bool {
        match self {
            Self::Plain(own) => own == colour,
            Self::Night => colour == Colour::Black,
            Self::Grass => colour == Colour::Green,
            Self::Sky => matches!(colour, Colour::Blue | Colour::White),
            Self::Sand => matches!(colour, Colour::Yellow | Colour::White),
        }
    }

    /// A background other than `not` that hides none of the colours.
    pub fn draw(draw: &mut Draw, colours: &[Colour], not: Option<Self>) -> Self {
        loop {
            let background = match draw.chance(0.5) {
                true => draw.pick(&Self::PLACES),
                false => Self::Plain(draw.pick(&Colour::ALL)),
            };
            if Some(background) != not && !colours.iter().any(|&colour| background.hides(colour)) {
                return background;
            }
        }
    }

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

impl Scene {
    fn draw(draw: &mut Draw) -> Self {
        let (mut kinds, mut colours) = (Kind::ALL, Colour::ALL);
        draw.shuffle(&mut kinds);
        draw.shuffle(&mut colours);
        let count = if draw.chance(TWO_GROUPS) { 2 } else { 1 };
        let group = |i: usize| Group { kind: kinds[i], colour: colours[i], count: 1 + draw.below(MAX_COUNT) };
        let groups: Vec<Group> = (0..count).map(group).collect();
        let relation = (count == 2).then(|| draw.pick(&Relation::ALL));
        let background = Background::draw(draw, &colours[..count], None);
        Self { groups, relation, background }
    }

    fn phrase(&self, draw: &mut Draw) -> String {
        let groups: Vec<String> = self.groups.iter().map(|group| group.phrase(draw)).collect();
        let objects = match self.relation {
            Some(relation) => groups.join(&format!(" {} ", relation.phrase(draw))),
            None => groups.join(""),
        };
        format!("{objects} {}", self.background.phrase(draw))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::draw::Purpose;

    fn prompts() -> impl Iterator<Item = Prompt> {
        (0..500).map(|i| Prompt::draw(&mut Draw::new(7, Purpose::Prompt, i)))
    }

    #[test]
    fn a_prompt_says_all_that_its_scene_shows() {
        for Prompt { text, scene, style, light } in prompts() {
            for group in &scene.groups {
                let words = format!("{} {}", group.colour.word(), group.kind.noun(group.count));
                assert!(text.contains(&words), "{text}: {words}");
            }
            if let Background::Plain(colour) = scene.background {
                assert!(text.contains(&format!(" {} {} ", colour.article(), colour.word())), "{text}");
            }
            assert!(!text.contains(" a orange") && !text.starts_with("a orange"), "{text}");
            assert!(text.contains(style.word()) && text.contains(light.words()), "{text}");
            assert_eq!(scene.groups.len() == 2, scene.relation.is_some());
        }
    }

    #[test]
    fn no_object_hides_and_no_two_groups_look_alike() {
        for Prompt { scene, .. } in prompts() {
            assert!(!scene.groups.iter().any(|group| scene.background.hides(group.colour)), "{scene:?}");
            if let [a, b] = scene.groups[..] {
                assert!(a.kind != b.kind && a.colour != b.colour, "{scene:?}");
            }
        }
    }
}
