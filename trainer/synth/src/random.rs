//! Random numbers that depend only on the seed and their purpose.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of random numbers. Each purpose has streams of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A prompt; the index is its number.
    Prompt,
    /// The content and the degradations of an image; the index is the image's.
    Plan,
    /// The pixels of an image; the index is the image's.
    Pixels,
}

/// A stream of random numbers.
pub struct RandomStream(ChaCha8Rng);

impl RandomStream {
    /// The stream of a purpose and an index. It is the same on every thread.
    pub fn new(seed: u64, purpose: Purpose, index: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = purpose as u8;
        key[16..24].copy_from_slice(&(index as u64).to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A uniform number in [0, 1).
    pub fn unit(&mut self) -> f32 {
        // Every number of 24 bits is a float exactly.
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// A uniform number in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A uniform integer in `0..count`. `count` must be positive and below 2³².
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }

    /// `true` with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A random item. `items` must not be empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Shuffles the items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// An approximately normal number of mean 0 and standard deviation 1: the sum of four random bytes, which needs no
    /// logarithm.
    pub fn normal(&mut self) -> f32 {
        let sum: i32 = self.0.next_u32().to_le_bytes().map(i32::from).iter().sum();
        // The sum of four bytes has mean 510 and standard deviation 2 √((256² − 1) / 12) = 147.8.
        (sum - 510) as f32 / 147.8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose, index| RandomStream::new(seed, purpose, index).unit();
        let base = first(1, Purpose::Plan, 5);
        assert_eq!(base, first(1, Purpose::Plan, 5));
        for other in [first(2, Purpose::Plan, 5), first(1, Purpose::Pixels, 5), first(1, Purpose::Plan, 6)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut random = RandomStream::new(1, Purpose::Pixels, 0);
        let values: Vec<f32> = (0..20_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
        // Three standard errors of 20,000 numbers: 0.021 for the mean, 0.03 for the variance.
        assert!(mean.abs() < 0.021 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut random = RandomStream::new(3, Purpose::Plan, 0);
        let mut seen = [0; 5];
        for _ in 0..500 {
            seen[random.below(5)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
    }
}
