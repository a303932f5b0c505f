//! Surfaces: noise of all scales, as natural images have, and patterns that it bends.

use crate::canvas::SIDE;
use crate::draw::Draw;

/// Side of the coarsest grid of random values, in cells.
const COARSEST: usize = 4;

/// What is left of the octaves of 1 and 2 pixels, of the softest and of the sharpest pictures. With these,
/// differences of brightness at 1, 2, 4 and 8 pixels grow as in photographs and in generated images (between
/// 1 : 1.8 : 2.6 : 3.6 and 1 : 1.4 : 1.7 : 2.0); with all of the octaves, as 1 : 1.3 : 1.6 : 1.9 and less.
const FINEST: [[f32; 2]; 2] = [[0.2, 0.55], [0.5, 0.85]];

/// A periodic square of [`SIDE`] pixels with mean 0 and deviation 1.
pub struct Field(Vec<f32>);

/// What a surface is made of.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// Noise alone.
    Plain,
    /// Stretched noise, as wood and brush strokes have; the direction as a unit vector.
    Streaks([f32; 2]),
    /// Light and dark stripes across this direction, with this period in pixels.
    Stripes([f32; 2], f32),
    /// Round spots in a grid of this period.
    Spots(f32),
    /// Threads over and under each other, of this width.
    Weave(f32),
    /// Rows of bricks, of this height.
    Bricks(f32),
}

/// A pattern with how strongly it shows.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// What it is made of.
    pub pattern: Pattern,
    /// Depth of the pattern, as a share of the brightness.
    pub depth: f32,
    /// Depth of the noise, as a share of the brightness.
    pub roughness: f32,
}

/// The noise of one picture; its objects look at different places of it.
pub struct Noise {
    /// Equal strength in every octave: the 1/f spectrum of natural images.
    pub rough: Field,
    /// Weaker towards fine scales: clouds.
    pub smooth: Field,
}

impl Field {
    /// Sums grids of random values, each twice as fine as the last and `gain` times as strong.
    ///
    /// `sharpness` in [0, 1] says how much of the finest is left.
    pub fn draw(draw: &mut Draw, gain: f32, sharpness: f32) -> Self {
        let finest = [0, 1].map(|octave| FINEST[0][octave] + (FINEST[1][octave] - FINEST[0][octave]) * sharpness);
        let mut side = COARSEST;
        let mut values: Vec<f32> = (0..side * side).map(|_| draw.normal()).collect();
        let mut strength = 1.0;
        while side < SIDE {
            values = enlarge(&values, side);
            side *= 2;
            strength *= gain;
            let kept = finest.get((SIDE / side).ilog2() as usize).unwrap_or(&1.0);
            for value in &mut values {
                *value += strength * kept * draw.normal();
            }
        }
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
        let scale = 1.0 / variance.sqrt();
        for value in &mut values {
            *value = (*value - mean) * scale;
        }
        Self(values)
    }

    /// The value at a pixel.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.0[(y % SIDE) * SIDE + x % SIDE]
    }

    /// The value at any point, between pixels too.
    pub fn between(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        // In two's complement the remainder of a power of two is right for negative numbers as well.
        let (left, top) = (left as i32 as usize, top as i32 as usize);
        let row = |y: usize| {
            let (a, b) = (self.at(left, y), self.at(left.wrapping_add(1), y));
            a + (b - a) * across
        };
        let (a, b) = (row(top), row(top.wrapping_add(1)));
        a + (b - a) * down
    }
}

impl Noise {
    /// Draws both fields.
    pub fn draw(draw: &mut Draw) -> Self {
        let sharpness = draw.unit();
        Self { rough: Field::draw(draw, 1.0, sharpness), smooth: Field::draw(draw, 0.6, sharpness) }
    }
}

impl Surface {
    /// Any pattern.
    pub fn draw(draw: &mut Draw) -> Self {
        let direction = direction(draw);
        let pattern = match draw.below(7) {
            0 | 1 => Pattern::Plain,
            2 => Pattern::Streaks(direction),
            3 => Pattern::Stripes(direction, draw.range(9.0, 26.0)),
            4 => Pattern::Spots(draw.range(12.0, 26.0)),
            5 => Pattern::Weave(draw.range(4.0, 9.0)),
            _ => Pattern::Bricks(draw.range(10.0, 20.0)),
        };
        Self { pattern, depth: draw.range(0.03, 0.1), roughness: 0.02 + 0.05 * draw.unit().powi(2) }
    }

    /// Brush strokes.
    pub fn strokes(draw: &mut Draw) -> Self {
        let pattern = Pattern::Streaks(direction(draw));
        Self { pattern, depth: draw.range(0.08, 0.14), roughness: draw.range(0.02, 0.05) }
    }

    /// How much lighter the surface is here than its base colour, as a share.
    pub fn shade(&self, noise: &Noise, x: usize, y: usize) -> f32 {
        let rough = noise.rough.at(x, y);
        let smooth = noise.smooth.at(x, y);
        // Rough in places and smooth in others, as most things are.
        let rough = rough * (1.0 + 0.6 * smooth).clamp(0.25, 1.75);
        let bend = 3.0 * smooth;
        let (x, y) = (x as f32, y as f32);
        let pattern = match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Streaks([ux, uy]) => {
                let (along, across) = (x * ux + y * uy, y * ux - x * uy);
                noise.rough.between(0.08 * along, across + bend)
            }
            Pattern::Stripes([ux, uy], period) => triangle((x * ux + y * uy + bend) / period, 2.5),
            Pattern::Spots(period) => {
                let across = triangle((x + bend) / period, 1.0);
                let down = triangle((y + bend) / period, 1.0);
                ((across + down) * 2.0).clamp(-1.0, 1.0)
            }
            Pattern::Weave(width) => {
                let (column, row) = ((x + bend) / width, (y - bend) / width);
                let over = (column.floor() as i32 + row.floor() as i32) & 1 == 0;
                // Round threads: brightest along their middle.
                let within = if over { column - column.floor() } else { row - row.floor() };
                1.0 - 8.0 * (within - 0.5) * (within - 0.5)
            }
            Pattern::Bricks(height) => {
                let row = (y + 0.4 * bend) / height;
                let shift = 0.5 * (row.floor() as i32 & 1) as f32;
                let column = (x + 0.4 * bend) / (2.2 * height) + shift;
                let joint = |place: f32, size: f32| {
                    let within = place - place.floor();
                    within.min(1.0 - within) * size < 1.2
                };
                if joint(row, height) || joint(column, 2.2 * height) { -1.6 } else { 0.2 }
            }
        };
        self.roughness * rough + self.depth * pattern
    }
}

/// A unit vector, from the rational parametrisation of the circle, so that no system's sine matters.
fn direction(draw: &mut Draw) -> [f32; 2] {
    let t = draw.range(-1.0, 1.0);
    let length = 1.0 + t * t;
    let [x, y] = [(1.0 - t * t) / length, 2.0 * t / length];
    if draw.chance(0.5) { [x, y] } else { [-y, x] }
}

/// A wave of period 1 between −1 and 1, with flanks this much steeper than a triangle's.
fn triangle(phase: f32, steepness: f32) -> f32 {
    let within = phase - phase.floor();
    (steepness * (1.0 - 4.0 * (within - 0.5).abs())).clamp(-1.0, 1.0)
}

/// Twice the side; each new value lies a quarter of a cell from its nearest old one.
fn enlarge(values: &[f32], side: usize) -> Vec<f32> {
    let double = 2 * side;
    let mut wide = vec![0.0; side * double];
    for (row, new) in values.chunks_exact(side).zip(wide.chunks_exact_mut(double)) {
        for (x, pair) in new.chunks_exact_mut(2).enumerate() {
            let (left, right) = (row[(x + side - 1) % side], row[(x + 1) % side]);
            pair[0] = 0.75 * row[x] + 0.25 * left;
            pair[1] = 0.75 * row[x] + 0.25 * right;
        }
    }
    let mut large = vec![0.0; double * double];
    for (y, new) in large.chunks_exact_mut(double).enumerate() {
        let nearest = y / 2;
        let other = if y % 2 == 0 { nearest + side - 1 } else { nearest + 1 } % side;
        let (near, far) = (&wide[nearest * double..][..double], &wide[other * double..][..double]);
        for ((new, near), far) in new.iter_mut().zip(near).zip(far) {
            *new = 0.75 * near + 0.25 * far;
        }
    }
    large
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;

    /// Mean squared difference of points `distance` apart, which grows with coarse detail alone.
    fn difference(field: &Field, distance: usize) -> f32 {
        let squares =
            (0..SIDE * SIDE).map(|i| (field.at(i % SIDE, i / SIDE) - field.at(i % SIDE + distance, i / SIDE)).powi(2));
        squares.sum::<f32>() / (SIDE * SIDE) as f32
    }

    #[test]
    fn rough_noise_has_detail_at_every_scale() {
        let field = Field::draw(&mut Draw::new(1, Purpose::Pixels, 0), 1.0, 0.5);
        let steps = [1, 4, 16, 64].map(|distance| difference(&field, distance));
        assert!(steps[0] > 0.1, "{steps:?}");
        assert!(steps.windows(2).all(|pair| pair[1] > 1.15 * pair[0]), "{steps:?}");
    }

    #[test]
    fn fields_repeat_and_are_read_between_pixels() {
        let field = Field::draw(&mut Draw::new(1, Purpose::Pixels, 1), 0.6, 0.5);
        assert_eq!(field.at(3, 5), field.at(3 + SIDE, 5 + SIDE));
        assert_eq!(field.between(-1.0, 7.0), field.at(SIDE - 1, 7));
        let middle = 0.5 * (field.at(10, 20) + field.at(11, 20));
        assert!((field.between(10.5, 20.0) - middle).abs() < 1e-6);
    }
}
