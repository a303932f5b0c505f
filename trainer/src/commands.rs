//! The subcommands that the features of this crate turn on and off: for each a module with its flags, `Args`, and its
//! function `run`. A subcommand that is off takes all flags, and returns an error that says how to build it.

#[cfg(not(all(feature = "serve", feature = "train")))]
use std::ffi::OsString;

/// Defines a module for each subcommand that is off.
#[cfg(not(all(feature = "serve", feature = "train")))]
macro_rules! left_out {
    ($($name:ident),+) => {
        $(pub mod $name {
            pub use super::LeftOutArgs as Args;

            pub fn run<T>(_: &Args) -> anyhow::Result<T> {
                let text = concat!(
                    "this program was built without `trainer ", stringify!($name),
                    "`; build it with `cargo build --release --locked`"
                );
                Err(tsp_mgs_data::flags::UsageError::new(text).into())
            }
        })+
    };
}

#[cfg(feature = "serve")]
pub mod serve {
    pub use tsp_mgs_serve::args::ServeArgs as Args;
    pub use tsp_mgs_serve::server::run;
}

#[cfg(feature = "train")]
pub mod splits {
    pub use tsp_mgs_data::splits::{SplitsArgs as Args, run};
}

#[cfg(feature = "train")]
pub mod train {
    pub use tsp_mgs_train::args::TrainArgs as Args;
    pub use tsp_mgs_train::run::run;
}

#[cfg(feature = "train")]
pub mod evaluate {
    pub use tsp_mgs_evaluate::args::EvaluateArgs as Args;
    pub use tsp_mgs_evaluate::run::run;
}

#[cfg(feature = "train")]
pub mod reproduce {
    pub use tsp_mgs_reproduce::args::ReproduceArgs as Args;
    pub use tsp_mgs_reproduce::run::run;
}

#[cfg(feature = "train")]
pub mod synth {
    pub use tsp_mgs_synth::data_set::{SynthArgs as Args, run};
}

#[cfg(not(feature = "serve"))]
left_out!(serve);

#[cfg(not(feature = "train"))]
left_out!(splits, train, evaluate, reproduce, synth);

/// The flags of a subcommand that is off.
#[cfg(not(all(feature = "serve", feature = "train")))]
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    before_help = "This program was built without this subcommand. Build it with `cargo build --release --locked`."
)]
pub struct LeftOutArgs {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}
