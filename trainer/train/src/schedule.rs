//! The learning rate of each step (SPEC §6).

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Cosine annealing that is stepped once an epoch, after a linear warm-up by steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Highest rate.
    pub peak: f64,
    /// Epochs from the peak down to 0, and up again: PyTorch's `CosineAnnealingLR(T_max)`.
    pub period: usize,
    /// Steps at the very start over which the rate rises from 0.
    pub warm_up: usize,
}

impl Schedule {
    /// The rate of an epoch, counted from 0: `peak · (1 + cos(π · epoch / period)) / 2`.
    ///
    /// An epoch that would run at rate 0 takes the next one's (D9), as LIQE and IPCE do: their scheduler
    /// is stepped once more, and stays a step ahead from then on.
    pub fn epoch_rate(&self, epoch: usize) -> f64 {
        // The rate is 0 at every odd multiple of the period, and each one is stepped over.
        let mut place = 0;
        for _ in 0..epoch {
            place += 1;
            if self.is_zero(place) {
                place += 1;
            }
        }
        self.rate_at(place)
    }

    /// The rate of one step; `step` counts from the start of training.
    pub fn step_rate(&self, epoch: usize, step: usize) -> f64 {
        let share = if step < self.warm_up { (step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        share * self.epoch_rate(epoch)
    }

    fn is_zero(&self, place: usize) -> bool {
        place % (2 * self.period) == self.period
    }

    fn rate_at(&self, place: usize) -> f64 {
        self.peak * (1.0 + (PI * place as f64 / self.period as f64).cos()) / 2.0
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
