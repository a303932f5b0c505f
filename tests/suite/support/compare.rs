//! Comparison of computed numbers with expected ones.

/// Fails on the worst element that is further than `tolerance` from what was expected, and on NaN.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of elements");
    let off = |i: usize| {
        let difference = (found[i] - expected[i]).abs();
        if difference.is_nan() { f32::INFINITY } else { difference }
    };
    let Some(worst) = (0..found.len()).max_by(|&a, &b| off(a).total_cmp(&off(b))) else { return };
    assert!(
        off(worst) <= tolerance,
        "{what}: element {worst} is {}, expected {} within {tolerance}",
        found[worst],
        expected[worst]
    );
}

/// Largest magnitude: what a relative tolerance refers to.
pub fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}
