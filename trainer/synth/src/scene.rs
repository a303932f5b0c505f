//! What a picture shows.

use crate::draw::Draw;

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

/// More than three are hard to count at a glance, and would be small.
pub const MAX_COUNT: usize = 3;

/// Share of prompts with two groups; the others are easier.
const TWO_GROUPS: f32 = 0.4;

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::Circle, Self::Square, Self::Triangle, Self::Star, Self::Heart, Self::House, Self::Tree, Self::Fish];
}

impl Colour {
    /// All colours.
    pub const ALL: [Self; 8] =
        [Self::Red, Self::Orange, Self::Yellow, Self::Green, Self::Blue, Self::Pink, Self::Black, Self::White];

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
}

impl Scene {
    /// Draws what a prompt will ask for.
    pub fn draw(draw: &mut Draw) -> Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;

    #[test]
    fn no_object_hides_and_no_two_groups_look_alike() {
        for i in 0..500 {
            let scene = Scene::draw(&mut Draw::new(7, Purpose::Prompt, i));
            assert!(!scene.groups.iter().any(|group| scene.background.hides(group.colour)), "{scene:?}");
            assert_eq!(scene.groups.len() == 2, scene.relation.is_some());
            if let [a, b] = scene.groups[..] {
                assert!(a.kind != b.kind && a.colour != b.colour, "{scene:?}");
            }
        }
    }
}
