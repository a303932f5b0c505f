use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;
use tsp_mgs_trainer::data::parallel::in_parallel;
use tsp_mgs_trainer::data::prefetch::Prefetch;

#[test]
fn a_job_that_panics_is_an_error_and_the_others_are_done() {
    let results = in_parallel(NonZeroUsize::new(3).expect("not zero"), (0..20).collect(), |i: usize| match i {
        7 => panic!("job {i}"),
        8 => bail!("no eight"),
        _ => Ok(i * i),
    });
    for (i, result) in results.iter().enumerate() {
        let found = result.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        let expected = match i {
            7 => "internal error: job 7".to_owned(),
            8 => "no eight".to_owned(),
            _ => (i * i).to_string(),
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn work_ahead_waits_for_its_user_and_ends_with_it() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let mut ahead = Prefetch::steps(0..10_000, move |step| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(step)
    });
    for taken in 0..1000 {
        // One item waits, one is in work, and one more can be started when an item is taken.
        let made = made.load(Ordering::SeqCst);
        assert!(made <= taken + 2, "{made} made, {taken} taken");
        assert_eq!(ahead.next().expect("more").expect("no error"), taken);
    }
    drop(ahead);
    assert_eq!(Arc::strong_count(&made), 1, "the thread is gone, and what it held");
}

#[test]
fn the_first_error_ends_work_ahead() {
    let mut ahead = Prefetch::steps(0..5, |step| if step == 2 { panic!("step {step}") } else { Ok(step) });
    assert_eq!(ahead.next().expect("more").expect("no error"), 0);
    assert_eq!(ahead.next().expect("more").expect("no error"), 1);
    assert_eq!(ahead.next().expect("more").expect_err("a panic").to_string(), "internal error: step 2");
    assert!(ahead.next().is_none());
}
