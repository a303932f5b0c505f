//! Textures of surfaces: noise at all scales as in natural images, and patterns that the noise bends.

use crate::canvas::SIDE;
use crate::random::RandomStream;

/// Side of the coarsest grid of random values, in cells.
const COARSEST: usize = 4;

/// Factors of the octaves of 1 and 2 pixels, for the softest and the sharpest images.
///
/// With them, differences of brightness at distances of 1, 2, 4 and 8 pixels have the ratios of photographs and
/// generated images, between 1 : 1.8 : 2.6 : 3.6 and 1 : 1.4 : 1.7 : 2.0. With all octaves at full strength the ratios
/// are 1 : 1.3 : 1.6 : 1.9 and less.
const FINEST: [[f32; 2]; 2] = [[0.2, 0.55], [0.5, 0.85]];

/// A periodic noise field of [`SIDE`] × [`SIDE`] pixels with mean 0 and standard deviation 1.
pub struct Field(Vec<f32>);

/// The pattern of a surface.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// No pattern: noise alone.
    Plain,
    /// Noise stretched along a direction, a unit vector, as in wood and brush strokes.
    Streaks([f32; 2]),
    /// Light and dark stripes across a direction, with this period in pixels.
    Stripes([f32; 2], f32),
    /// Round spots in a grid of this period, in pixels.
    Spots(f32),
    /// Woven threads of this width, in pixels.
    Weave(f32),
    /// Bricks of this height, in pixels.
    Bricks(f32),
}

/// A pattern and its strength.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// The pattern.
    pub pattern: Pattern,
    /// Amplitude of the pattern, as a share of the brightness.
    pub depth: f32,
    /// Amplitude of the noise, as a share of the brightness.
    pub roughness: f32,
}

/// The noise of an image. Its objects use different places of it.
pub struct Noise {
    /// Noise with equal strength in every octave: the 1/f spectrum of natural images.
    pub rough: Field,
    /// Noise that is weaker at fine scales, like clouds.
    pub smooth: Field,
}

impl Field {
    /// Sums grids of random values. Each grid is twice as fine as the one before and `gain` times as strong.
    ///
    /// `sharpness` in [0, 1] interpolates between the rows of [`FINEST`].
    pub fn sample(random: &mut RandomStream, gain: f32, sharpness: f32) -> Self {
        let finest = [0, 1].map(|octave| FINEST[0][octave] + (FINEST[1][octave] - FINEST[0][octave]) * sharpness);
        let mut side = COARSEST;
        let mut values: Vec<f32> = (0..side * side).map(|_| random.normal()).collect();
        let mut strength = 1.0;
        while side < SIDE {
            values = enlarge(&values, side);
            side *= 2;
            strength *= gain;
            let kept = finest.get((SIDE / side).ilog2() as usize).unwrap_or(&1.0);
            for value in &mut values {
                *value += strength * kept * random.normal();
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

    /// The value at a point, interpolated bilinearly between pixels.
    pub fn interpolated(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        // In two's complement, the remainder by a power of two is correct for negative numbers too.
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
    /// Two random fields.
    pub fn sample(random: &mut RandomStream) -> Self {
        let sharpness = random.unit();
        Self { rough: Field::sample(random, 1.0, sharpness), smooth: Field::sample(random, 0.6, sharpness) }
    }
}

impl Surface {
    /// A surface with a random pattern.
    pub fn sample(random: &mut RandomStream) -> Self {
        let direction = direction(random);
        let pattern = match random.below(7) {
            0 | 1 => Pattern::Plain,
            2 => Pattern::Streaks(direction),
            3 => Pattern::Stripes(direction, random.range(9.0, 26.0)),
            4 => Pattern::Spots(random.range(12.0, 26.0)),
            5 => Pattern::Weave(random.range(4.0, 9.0)),
            _ => Pattern::Bricks(random.range(10.0, 20.0)),
        };
        Self { pattern, depth: random.range(0.03, 0.1), roughness: 0.02 + 0.05 * random.unit().powi(2) }
    }

    /// A surface of brush strokes.
    pub fn strokes(random: &mut RandomStream) -> Self {
        let pattern = Pattern::Streaks(direction(random));
        Self { pattern, depth: random.range(0.08, 0.14), roughness: random.range(0.02, 0.05) }
    }

    /// Relative brightness of the surface at a pixel: 0 is its base colour, 0.1 is lighter by 10 %.
    pub fn shade(&self, noise: &Noise, x: usize, y: usize) -> f32 {
        let rough = noise.rough.at(x, y);
        let smooth = noise.smooth.at(x, y);
        // The roughness varies over the surface, as on most materials.
        let rough = rough * (1.0 + 0.6 * smooth).clamp(0.25, 1.75);
        let bend = 3.0 * smooth;
        let (x, y) = (x as f32, y as f32);
        let pattern = match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Streaks([ux, uy]) => {
                let (along, across) = (x * ux + y * uy, y * ux - x * uy);
                noise.rough.interpolated(0.08 * along, across + bend)
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
                // Threads are round, and brightest along their middle.
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

/// A random unit vector. It uses the rational parametrisation of the circle, because sine and cosine differ between
/// systems.
fn direction(random: &mut RandomStream) -> [f32; 2] {
    let t = random.range(-1.0, 1.0);
    let length = 1.0 + t * t;
    let [x, y] = [(1.0 - t * t) / length, 2.0 * t / length];
    if random.chance(0.5) { [x, y] } else { [-y, x] }
}

/// A triangle wave of period 1 between −1 and 1, multiplied by `steepness` and clipped.
fn triangle(phase: f32, steepness: f32) -> f32 {
    let within = phase - phase.floor();
    (steepness * (1.0 - 4.0 * (within - 0.5).abs())).clamp(-1.0, 1.0)
}

/// Enlarges a periodic grid to twice its side, bilinearly. Each new value lies a quarter of a cell from its nearest old
/// one.
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
    use crate::random::Purpose;

    /// Mean squared difference of points at a distance. It grows with the distance if there is coarse detail.
    fn difference(field: &Field, distance: usize) -> f32 {
        let squares =
            (0..SIDE * SIDE).map(|i| (field.at(i % SIDE, i / SIDE) - field.at(i % SIDE + distance, i / SIDE)).powi(2));
        squares.sum::<f32>() / (SIDE * SIDE) as f32
    }

    #[test]
    fn rough_noise_has_detail_at_every_scale() {
        let field = Field::sample(&mut RandomStream::new(1, Purpose::Pixels, 0), 1.0, 0.5);
        let steps = [1, 4, 16, 64].map(|distance| difference(&field, distance));
        assert!(steps[0] > 0.1, "{steps:?}");
        assert!(steps.windows(2).all(|pair| pair[1] > 1.15 * pair[0]), "{steps:?}");
    }

    #[test]
    fn fields_repeat_and_are_read_between_pixels() {
        let field = Field::sample(&mut RandomStream::new(1, Purpose::Pixels, 1), 0.6, 0.5);
        assert_eq!(field.at(3, 5), field.at(3 + SIDE, 5 + SIDE));
        assert_eq!(field.interpolated(-1.0, 7.0), field.at(SIDE - 1, 7));
        let middle = 0.5 * (field.at(10, 20) + field.at(11, 20));
        assert!((field.interpolated(10.5, 20.0) - middle).abs() < 1e-6);
    }
}
