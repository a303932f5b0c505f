//! Random numbers that depend on nothing but the seed and what they are for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What numbers are drawn for; each purpose has its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A prompt, by its number.
    Prompt,
    /// What an image shows and how it is degraded, by the image's index.
    Plan,
    /// The pixels of an image, by the image's index.
    Pixels,
}

/// Random draws of one stream.
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of one purpose and index, the same on every thread.
    pub fn new(seed: u64, purpose: Purpose, index: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = purpose as u8;
        key[16..24].copy_from_slice(&(index as u64).to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        // 24 bits: every value is a float exactly.
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `count`, which is positive and small.
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of the items, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Puts the items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Close to a standard normal number: the sum of four bytes, one call instead of a logarithm.
    pub fn normal(&mut self) -> f32 {
        let sum: i32 = self.0.next_u32().to_le_bytes().map(i32::from).iter().sum();
        // Four bytes have mean 510 and deviation 2 √((256² − 1) / 12) = 147.8.
        (sum - 510) as f32 / 147.8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose, index| Draw::new(seed, purpose, index).unit();
        let base = first(1, Purpose::Plan, 5);
        assert_eq!(base, first(1, Purpose::Plan, 5));
        for other in [first(2, Purpose::Plan, 5), first(1, Purpose::Pixels, 5), first(1, Purpose::Plan, 6)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut draw = Draw::new(1, Purpose::Pixels, 0);
        let values: Vec<f32> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
        // Three standard errors of 20,000 draws: 0.021 for the mean, 0.03 for the variance.
        assert!(mean.abs() < 0.021 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut draw = Draw::new(3, Purpose::Plan, 0);
        let mut seen = [0; 5];
        for _ in 0..500 {
            seen[draw.below(5)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
    }
}
