//! The learning rate of each step (Xia et al., §4.2).

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Cosine annealing in steps of an epoch, after a linear warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Peak rate.
    pub peak: f64,
    /// Epochs from the peak down to 0. After as many epochs the rate is at its peak again. This is `T_max` of PyTorch's
    /// `CosineAnnealingLR`.
    pub period: usize,
    /// Steps of the linear warm-up at the start of training.
    pub warm_up: usize,
}

impl Schedule {
    /// The rate of an epoch, counted from 0.
    ///
    /// ```text
    /// peak · (1 + cos(π · position / period)) / 2
    /// ```
    ///
    /// The position is the epoch, but positions of rate 0 are skipped, so that no epoch trains at rate 0. The
    /// schedulers of LIQE and IPCE skip them too: they take one more step there, and stay one step ahead afterwards.
    pub fn epoch_rate(&self, epoch: usize) -> f64 {
        // The rate is 0 at each odd multiple of the period.
        let mut position = 0;
        for _ in 0..epoch {
            position += 1;
            if self.is_zero(position) {
                position += 1;
            }
        }
        self.rate_at(position)
    }

    /// The rate of a step; `epoch` and `step` count from the start of training.
    pub fn step_rate(&self, epoch: usize, step: usize) -> f64 {
        let share = if step < self.warm_up { (step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        share * self.epoch_rate(epoch)
    }

    fn is_zero(&self, position: usize) -> bool {
        position % (2 * self.period) == self.period
    }

    fn rate_at(&self, position: usize) -> f64 {
        self.peak * (1.0 + (PI * position as f64 / self.period as f64).cos()) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_rises_to_the_peak_in_equal_steps() {
        let schedule = Schedule { peak: 1.0, period: 5, warm_up: 4 };
        let rates: Vec<f64> = (0..6).map(|step| schedule.step_rate(0, step)).collect();
        assert_eq!(rates, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
    }
}
