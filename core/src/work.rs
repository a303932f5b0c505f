//! Counts kernels and dispatches of GPUs.

use std::fmt;

/// Kernels and dispatches on all GPUs of the process, both of this crate and of burn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// The number of different kernels that were queued.
    pub kernels: usize,
    /// The number of those that were not queued before in this count, so they had to be compiled.
    pub new_kernels: usize,
    /// The number of dispatches.
    pub dispatches: usize,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernels, new_kernels, dispatches } = self;
        write!(f, "{dispatches} dispatches of {kernels} kernels, {new_kernels} of them new")
    }
}

/// Counts dispatches from its start. A process can have only one counter at a time. In a build without GPU support, all counts are
/// zero.
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::work::{Counter, Work};
///
/// let mut counter = Counter::start();
/// assert_eq!(counter.take(), Work::default());
/// ```
#[derive(Default)]
pub struct Counter {
    #[cfg(feature = "gpu")]
    launches: launches::Launches,
}

impl Counter {
    /// Starts a count.
    pub fn start() -> Self {
        Self::default()
    }

    /// The kernels and dispatches since the last call, or since the start.
    pub fn take(&mut self) -> Work {
        #[cfg(feature = "gpu")]
        return self.launches.take();
        #[cfg(not(feature = "gpu"))]
        Work::default()
    }
}

#[cfg(feature = "gpu")]
mod launches {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cubecl::launched::LaunchedKernels;
    use cubecl::logging::{LaunchObservation, LaunchObserver};

    use super::Work;

    /// The launches that cubecl reports.
    pub(super) struct Launches {
        dispatches: Arc<Dispatches>,
        launched: LaunchedKernels,
        known: HashSet<u128>,
        _observation: LaunchObservation,
    }

    #[derive(Default)]
    struct Dispatches(AtomicUsize);

    impl LaunchObserver for Dispatches {
        fn launched(&self, _: &'static str) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Default for Launches {
        fn default() -> Self {
            let dispatches = Arc::<Dispatches>::default();
            Self {
                _observation: LaunchObservation::new(dispatches.clone()),
                dispatches,
                launched: LaunchedKernels::new(),
                known: HashSet::new(),
            }
        }
    }

    impl Launches {
        pub(super) fn take(&mut self) -> Work {
            let launched = std::mem::replace(&mut self.launched, LaunchedKernels::new()).finish();
            let kernels = launched.len();
            let new_kernels = launched.into_iter().filter(|&kernel| self.known.insert(kernel)).count();
            Work { kernels, new_kernels, dispatches: self.dispatches.0.swap(0, Ordering::Relaxed) }
        }
    }
}
