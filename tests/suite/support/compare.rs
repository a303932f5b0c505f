//! Comparison of computed numbers with expected ones.

/// Asserts that all elements are within `tolerance` of the expected ones. NaN fails. The message has the worst element.
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

/// The largest magnitude, to which a relative tolerance refers.
pub fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}
