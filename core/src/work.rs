//! What GPUs were given to do.

use std::fmt;

/// Kernels and dispatches, ours and burn's, on all GPUs of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Kernels that ran.
    pub kernels: usize,
    /// Those of them that had to be compiled, as none of them ran before in this count.
    pub new_kernels: usize,
    /// How often one was queued.
    pub dispatches: usize,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernels, new_kernels, dispatches } = self;
        write!(f, "{dispatches} dispatches of {kernels} kernels, {new_kernels} of them new")
    }
}

/// Counts from its start on. A process has one at a time. A build without GPUs has nothing to count.
#[derive(Default)]
pub struct Counter {
    #[cfg(feature = "gpu")]
    launches: launches::Launches,
}

impl Counter {
    /// Starts to count.
    pub fn start() -> Self {
        Self::default()
    }

    /// What was queued since this was last asked.
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

    /// What cubecl tells of launches.
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
