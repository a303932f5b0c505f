use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use tsp_mgs_trainer::data::metrics::{Interval, Metrics, krcc, plcc, plcc_fitted, rmse, srcc};

use crate::support::fixtures::json;

/// Both implementations compute in float64, on values up to 10⁶. Only the order of sums differs.
const EXACT: f64 = 1e-9;
/// Two fits stop at different points near the same minimum, where the correlation hardly changes.
const FITTED: f64 = 1e-6;
/// SciPy stops early if the minimum is at infinity: an exponential curve is a logistic one whose
/// b2 is infinite.
const FITTED_BETTER: f64 = 1e-5;

/// SciPy's values, NaN as null.
#[derive(Deserialize)]
struct Case {
    case: String,
    predicted: Vec<f64>,
    mos: Vec<f64>,
    srcc: Option<f64>,
    plcc: Option<f64>,
    krcc: Option<f64>,
    rmse: Option<f64>,
    plcc_fitted: Option<f64>,
    srcc_interval: Option<Interval>,
    plcc_interval: Option<Interval>,
}

impl Case {
    fn all() -> Vec<Self> {
        serde_json::from_value(json("metrics.json")).expect("metrics.json")
    }
}

#[track_caller]
fn assert_same(found: Option<f64>, expected: Option<f64>, tolerance: f64, what: &str) {
    let is_same = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= tolerance,
        (found, expected) => found == expected,
    };
    assert!(is_same, "{what} is {found:?}, expected {expected:?} within {tolerance}");
}

#[test]
fn metrics_are_those_of_scipy() {
    for case in Case::all() {
        let found = Metrics::of(&case.predicted, &case.mos);
        let name = &case.case;
        assert_eq!(found.n, case.mos.len(), "{name}");
        assert_same(found.srcc, case.srcc, EXACT, &format!("{name}: srcc"));
        assert_same(found.plcc, case.plcc, EXACT, &format!("{name}: plcc"));
        assert_same(found.krcc, case.krcc, EXACT, &format!("{name}: krcc"));
        assert_same(found.rmse, case.rmse, EXACT, &format!("{name}: rmse"));
    }
}

#[test]
fn the_logistic_fit_is_that_of_scipy() {
    for case in Case::all() {
        let found = plcc_fitted(&case.predicted, &case.mos);
        let is_better = found > case.plcc_fitted;
        assert_same(found, case.plcc_fitted, if is_better { FITTED_BETTER } else { FITTED }, &case.case);
    }
}

#[test]
fn intervals_are_those_of_scipy_on_the_same_resamples() {
    for case in Case::all() {
        let found = Metrics::of(&case.predicted, &case.mos);
        for (found, expected, metric) in
            [(found.srcc_interval, case.srcc_interval, "srcc"), (found.plcc_interval, case.plcc_interval, "plcc")]
        {
            for bound in 0..2 {
                let what = format!("{}: {metric}, bound {bound}", case.case);
                assert_same(found.map(|i| i[bound]), expected.map(|i| i[bound]), EXACT, &what);
            }
        }
    }
}

/// Metrics that all are absent except `n`.
fn nothing(n: usize) -> Metrics {
    Metrics {
        n,
        srcc: None,
        srcc_interval: None,
        plcc: None,
        plcc_interval: None,
        plcc_fitted: None,
        krcc: None,
        rmse: None,
    }
}

#[test]
fn nothing_is_computed_from_unequal_lengths_no_pairs_or_what_is_not_finite() {
    assert_eq!(Metrics::of(&[], &[]), nothing(0));
    assert_eq!(Metrics::of(&[1.0, 2.0, 3.0], &[1.0, 2.0]), nothing(3));
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (side, other) = ([1.0, 2.0, wrong, 4.0, 5.0, 6.0], [2.0, 1.0, 3.0, 4.0, 6.0, 5.0]);
        assert_eq!(Metrics::of(&side, &other), nothing(6));
        assert_eq!(Metrics::of(&other, &side), nothing(6));
    }
}

#[test]
fn a_single_pair_has_an_error_and_no_correlation() {
    assert_eq!(Metrics::of(&[3.0], &[1.0]), Metrics { rmse: Some(2.0), ..nothing(1) });
}

#[test]
fn metrics_are_written_with_null_where_there_is_none() {
    let written = serde_json::to_string(&Metrics::of(&[1.0, 2.0], &[4.0, 2.0])).expect("numbers");
    let expected = concat!(
        r#"{"n":2,"srcc":-1.0,"srcc_interval":null,"plcc":-1.0,"plcc_interval":null,"#,
        r#""plcc_fitted":null,"krcc":-1.0,"rmse":2.1213203435596424}"#
    );
    assert_eq!(written, expected);
}

/// `n` correlated pairs on a coarse grid, so that some values are tied.
fn random_pairs(n: usize, random: &mut ChaCha8Rng) -> (Vec<f64>, Vec<f64>) {
    let mut draw = || f64::from(random.next_u32() % 64) / 16.0;
    (0..n).map(|_| (draw(), draw())).map(|(a, b)| (a, a + b)).unzip()
}

fn map(values: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
    values.iter().map(|&value| f(value)).collect()
}

#[test]
fn metrics_survive_what_they_should_and_change_with_the_rest() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for n in [5, 8, 21, 100, 301] {
        for _ in 0..20 {
            let (a, b) = random_pairs(n, &mut random);
            let monotone = map(&a, |x| (x / 2.0).exp() - 7.0);
            assert_eq!(srcc(&monotone, &b), srcc(&a, &b), "rank metrics survive monotone maps");
            assert_eq!(krcc(&monotone, &b), krcc(&a, &b));
            let falling = map(&monotone, |x| -x);
            assert_same(srcc(&falling, &b), srcc(&a, &b).map(|value| -value), 1e-12, "falling srcc");
            assert_same(krcc(&falling, &b), krcc(&a, &b).map(|value| -value), 1e-12, "falling krcc");

            let affine = map(&a, |x| 2.5 * x - 40.0);
            assert_same(plcc(&affine, &b), plcc(&a, &b), 1e-12, "plcc of an affine map");
            // With four parameters and a few random pairs, rounding can decide which minimum the fit reaches.
            if n >= 100 {
                assert_same(plcc_fitted(&affine, &b), plcc_fitted(&a, &b), FITTED, "plcc_fitted of an affine map");
            }
            assert_same(rmse(&map(&b, |x| x + 0.25), &b), Some(0.25), 1e-12, "rmse of a shift");
            assert_same(plcc(&b, &a), plcc(&a, &b), 1e-12, "plcc with sides exchanged");
            assert!((plcc(&monotone, &b).unwrap() - plcc(&a, &b).unwrap()).abs() > 1e-6);
        }
    }
}

#[test]
fn krcc_counts_each_pair_once() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for n in [2, 3, 4, 7, 40] {
        for _ in 0..20 {
            let (a, b) = random_pairs(n, &mut random);
            let (mut difference, mut differ_a, mut differ_b) = (0.0, 0.0, 0.0);
            for i in 0..n {
                for j in 0..i {
                    let sign =
                        |values: &[f64]| if values[i] == values[j] { 0.0 } else { (values[i] - values[j]).signum() };
                    difference += sign(&a) * sign(&b);
                    differ_a += sign(&a).abs();
                    differ_b += sign(&b).abs();
                }
            }
            let expected = (differ_a * differ_b > 0.0).then(|| difference / (differ_a * differ_b).sqrt());
            assert_same(krcc(&a, &b), expected, 1e-12, "krcc");
        }
    }
}

#[test]
fn plcc_of_tiny_and_huge_deviations_is_a_number() {
    for scale in [1e-200, 1e200] {
        let values = map(&[1.0, 2.0, 4.0], |x| x * scale);
        assert_same(plcc(&values, &[1.0, 2.0, 4.0]), Some(1.0), 1e-12, "plcc");
    }
}
