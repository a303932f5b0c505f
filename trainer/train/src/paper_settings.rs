//! The paper's training settings (Xia et al., §4.2). Where the paper gives no value, they are IPCE's.
//!
//! They are the defaults of `trainer train`. `trainer reproduce` reports each setting that differs from them.

/// Passes over the training images.
pub const EPOCHS: usize = 20;
/// Images of a step.
pub const BATCH: usize = 16;
/// Crops of an image in a step (IPCE).
pub const TRAIN_CROPS: usize = 8;
/// Peak learning rate.
pub const LEARNING_RATE: f64 = 5e-6;
/// [`LEARNING_RATE`] as `--help` prints it.
pub const LEARNING_RATE_TEXT: &str = "5e-6";
/// Number of splits whose mean the paper reports.
pub const REPEATS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_learning_rate_is_the_one_that_is_used() {
        assert_eq!(LEARNING_RATE_TEXT.parse(), Ok(LEARNING_RATE));
    }
}
