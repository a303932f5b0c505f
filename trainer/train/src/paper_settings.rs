//! The paper's training (Xia et al., §4.1), or IPCE's where the paper is silent: defaults of `trainer train`, and what
//! `trainer reproduce` compares with.

/// Times that every training image is seen.
pub const EPOCHS: usize = 20;
/// Images in a step.
pub const BATCH: usize = 16;
/// Windows of an image in a step (IPCE).
pub const TRAIN_CROPS: usize = 8;
/// Highest learning rate.
pub const LEARNING_RATE: f64 = 5e-6;
/// [`LEARNING_RATE`] as `--help` prints it.
pub const LEARNING_RATE_TEXT: &str = "5e-6";
/// Splits that a table's numbers are the mean of.
pub const REPEATS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_learning_rate_is_the_one_that_is_used() {
        assert_eq!(LEARNING_RATE_TEXT.parse(), Ok(LEARNING_RATE));
    }
}
