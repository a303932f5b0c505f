//! The content of an image.

use crate::random::RandomStream;

/// The kinds of objects. They are easy to tell apart.
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

/// The colours of objects and plain backgrounds. They stay distinct under any light.
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

/// The position of the first group relative to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    LeftOf,
    RightOf,
    Above,
    Below,
}

/// The background of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// A wall of this colour.
    Plain(Colour),
    /// A dark sky with stars.
    Night,
    /// A green meadow.
    Grass,
    /// A blue sky with clouds.
    Sky,
    /// Pale sand with ripples.
    Sand,
}

/// A group of equal objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The kind of the objects.
    pub kind: Kind,
    /// The colour of the objects.
    pub colour: Colour,
    /// The number of objects, from 1 to [`MAX_COUNT`].
    pub count: usize,
}

/// One or two groups of objects in front of a background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The groups: one or two.
    pub groups: Vec<Group>,
    /// The relation of the first group to the second; `None` if there is one group.
    pub relation: Option<Relation>,
    /// The background.
    pub background: Background,
}

/// Largest number of objects in a group. More are hard to count at a glance, and would be small.
pub const MAX_COUNT: usize = 3;

/// Share of prompts with two groups. Prompts with one group are easier.
const TWO_GROUPS: f32 = 0.4;

impl Kind {
    pub const ALL: [Self; 8] =
        [Self::Circle, Self::Square, Self::Triangle, Self::Star, Self::Heart, Self::House, Self::Tree, Self::Fish];
}

impl Colour {
    pub const ALL: [Self; 8] =
        [Self::Red, Self::Orange, Self::Yellow, Self::Green, Self::Blue, Self::Pink, Self::Black, Self::White];

    /// Red, green and blue in [0, 255], before light and texture. The colours are saturated, so that light does not
    /// change their names.
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
    pub const ALL: [Self; 4] = [Self::LeftOf, Self::RightOf, Self::Above, Self::Below];
}

impl Background {
    /// Backgrounds that are not a plain colour.
    const PLACES: [Self; 4] = [Self::Night, Self::Grass, Self::Sky, Self::Sand];

    /// Whether an object of this colour is hard to see on the background.
    pub fn hides(self, colour: Colour) -> bool {
        match self {
            Self::Plain(own) => own == colour,
            Self::Night => colour == Colour::Black,
            Self::Grass => colour == Colour::Green,
            Self::Sky => matches!(colour, Colour::Blue | Colour::White),
            Self::Sand => matches!(colour, Colour::Yellow | Colour::White),
        }
    }

    /// A random background that differs from `excluded` and hides none of the colours.
    pub fn sample(random: &mut RandomStream, colours: &[Colour], excluded: Option<Self>) -> Self {
        loop {
            let background = match random.chance(0.5) {
                true => random.pick(&Self::PLACES),
                false => Self::Plain(random.pick(&Colour::ALL)),
            };
            if Some(background) != excluded && !colours.iter().any(|&colour| background.hides(colour)) {
                return background;
            }
        }
    }
}

impl Scene {
    /// A random scene for a prompt.
    pub fn sample(random: &mut RandomStream) -> Self {
        let (mut kinds, mut colours) = (Kind::ALL, Colour::ALL);
        random.shuffle(&mut kinds);
        random.shuffle(&mut colours);
        let count = if random.chance(TWO_GROUPS) { 2 } else { 1 };
        let group = |i: usize| Group { kind: kinds[i], colour: colours[i], count: 1 + random.below(MAX_COUNT) };
        let groups: Vec<Group> = (0..count).map(group).collect();
        let relation = (count == 2).then(|| random.pick(&Relation::ALL));
        let background = Background::sample(random, &colours[..count], None);
        Self { groups, relation, background }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn no_object_hides_and_no_two_groups_look_alike() {
        for i in 0..500 {
            let scene = Scene::sample(&mut RandomStream::new(7, Purpose::Prompt, i));
            assert!(!scene.groups.iter().any(|group| scene.background.hides(group.colour)), "{scene:?}");
            assert_eq!(scene.groups.len() == 2, scene.relation.is_some());
            if let [a, b] = scene.groups[..] {
                assert!(a.kind != b.kind && a.colour != b.colour, "{scene:?}");
            }
        }
    }
}
