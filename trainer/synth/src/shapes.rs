//! Outlines of objects, in a box from −1 to 1 with y pointing down.

use resvg::tiny_skia::{Path, PathBuilder, Rect};

use crate::scene::Kind;

/// The colour of a part of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Paint {
    /// The colour of the object, multiplied by this factor.
    Own(f32),
    /// A colour that does not depend on the object's.
    Fixed([f32; 3]),
}

/// A part of an object. It is drawn over the parts before it.
pub struct Part {
    /// Outline of the part.
    pub path: Path,
    /// Colour of the part.
    pub paint: Paint,
}

const BARK: Paint = Paint::Fixed([98.0, 66.0, 42.0]);
const GLASS: Paint = Paint::Fixed([232.0, 226.0, 190.0]);
const DOOR: Paint = Paint::Fixed([72.0, 50.0, 38.0]);
const PUPIL: Paint = Paint::Fixed([18.0, 18.0, 20.0]);
const EYE: Paint = Paint::Fixed([236.0, 236.0, 232.0]);

/// The parts of an object, from back to front.
pub fn parts(kind: Kind) -> Vec<Part> {
    match kind {
        Kind::Circle => vec![own(1.0, circle(0.0, 0.0, 0.97))],
        Kind::Square => vec![own(1.0, rect(-0.85, -0.85, 0.85, 0.85))],
        Kind::Triangle => vec![own(1.0, polygon(&[(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)]))],
        Kind::Star => vec![own(1.0, star())],
        Kind::Heart => vec![own(1.0, heart())],
        Kind::House => vec![
            own(0.8, rect(0.38, -0.9, 0.62, -0.3)),
            own(1.0, rect(-0.75, -0.15, 0.75, 0.95)),
            own(0.72, polygon(&[(0.0, -1.0), (1.0, -0.08), (-1.0, -0.08)])),
            part(DOOR, rect(-0.2, 0.35, 0.2, 0.95)),
            part(GLASS, rect(-0.6, 0.1, -0.32, 0.42)),
            part(GLASS, rect(0.32, 0.1, 0.6, 0.42)),
        ],
        Kind::Tree => vec![
            part(BARK, rect(-0.13, 0.3, 0.13, 1.0)),
            own(0.86, circle(-0.42, 0.08, 0.46)),
            own(0.93, circle(0.42, 0.08, 0.46)),
            own(1.0, circle(0.0, -0.42, 0.56)),
        ],
        Kind::Fish => vec![
            own(0.8, polygon(&[(0.45, 0.0), (1.0, -0.5), (0.86, 0.0), (1.0, 0.5)])),
            own(0.8, polygon(&[(-0.25, -0.4), (0.25, -0.72), (0.3, -0.3)])),
            own(1.0, oval(-1.0, -0.52, 0.65, 0.52)),
            part(EYE, circle(-0.62, -0.12, 0.12)),
            part(PUPIL, circle(-0.64, -0.12, 0.065)),
        ],
    }
}

fn own(shade: f32, path: Option<Path>) -> Part {
    part(Paint::Own(shade), path)
}

fn part(paint: Paint, path: Option<Path>) -> Part {
    Part { path: path.expect("the outlines are constants"), paint }
}

fn circle(x: f32, y: f32, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius)
}

fn oval(left: f32, top: f32, right: f32, bottom: f32) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_ltrb(left, top, right, bottom)?)
}

fn rect(left: f32, top: f32, right: f32, bottom: f32) -> Option<Path> {
    Some(PathBuilder::from_rect(Rect::from_ltrb(left, top, right, bottom)?))
}

fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    path.close();
    path.finish()
}

/// A star with five points on the unit circle and five at 0.42 of its radius.
fn star() -> Option<Path> {
    // Cosine and sine of 18°, 36°, 54° and 72°.
    const C18: f32 = 0.951_056_5;
    const S18: f32 = 0.309_017;
    const C36: f32 = 0.809_017;
    const S36: f32 = 0.587_785_25;
    const INNER: f32 = 0.42;
    polygon(&[
        (0.0, -1.0),
        (INNER * S36, -INNER * C36),
        (C18, -S18),
        (INNER * C18, INNER * S18),
        (S36, C36),
        (0.0, INNER),
        (-S36, C36),
        (-INNER * C18, INNER * S18),
        (-C18, -S18),
        (-INNER * S36, -INNER * C36),
    ])
}

fn heart() -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(0.0, 0.95);
    path.cubic_to(-0.55, 0.5, -1.0, 0.1, -1.0, -0.35);
    path.cubic_to(-1.0, -0.95, -0.2, -1.05, 0.0, -0.42);
    path.cubic_to(0.2, -1.05, 1.0, -0.95, 1.0, -0.35);
    path.cubic_to(1.0, 0.1, 0.55, 0.5, 0.0, 0.95);
    path.close();
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_fills_its_box_and_stays_inside() {
        for kind in Kind::ALL {
            let parts = parts(kind);
            let bounds = parts.iter().map(|part| part.path.compute_tight_bounds().unwrap());
            let (mut width, mut height) = (0.0_f32, 0.0_f32);
            for bounds in bounds {
                assert!(bounds.left() >= -1.001 && bounds.right() <= 1.001, "{kind:?} {bounds:?}");
                assert!(bounds.top() >= -1.001 && bounds.bottom() <= 1.001, "{kind:?} {bounds:?}");
                width = width.max(bounds.right() - bounds.left());
                height = height.max(bounds.bottom() - bounds.top());
            }
            assert!(width > 0.9 && height > 0.9, "{kind:?} {width} {height}");
        }
    }

    #[test]
    fn every_kind_shows_its_own_colour() {
        for kind in Kind::ALL {
            assert!(parts(kind).iter().any(|part| part.paint == Paint::Own(1.0)), "{kind:?}");
        }
    }
}
