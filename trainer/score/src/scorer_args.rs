//! Flags for the device and its settings, which `score` and `serve` share.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tsp_mgs_core::error::Error;
use tsp_mgs_core::options::Options;
use tsp_mgs_core::result::Run;
use tsp_mgs_core::scorer::{self, ImageTower, Scorer, TOWER_BATCH};
use tsp_mgs_data::flags::{UsageError, positive};
use tsp_mgs_kernels::Isa;

use crate::device::{self, DeviceChoice};
use crate::model::Model;

/// Flags for the device and its settings.
#[derive(Clone, Copy, Debug, Args)]
pub struct ScorerArgs {
    /// Device: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    ///
    /// auto selects the first that is available: CUDA (if this program is built with it), a GPU through wgpu, the CPU.
    /// wgpu:software selects a driver that emulates a GPU, such as lavapipe. No other value selects such a driver.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Number of views in a batch of the image tower; the views of an image stay together
    ///
    /// More views may be faster on a GPU, or on a CPU with more cores than views. They need more memory. Another number
    /// may change the last digits of scores.
    #[arg(long, value_name = "VIEWS", default_value_t = TOWER_BATCH, value_parser = positive::<NonZeroUsize>)]
    pub batch: NonZeroUsize,

    /// Number type of the image tower's matrix products
    ///
    /// int8 and bf16 are available on a CPU only, for weights of any type, and are less accurate. int8 is faster on all
    /// CPUs, bf16 only on CPUs with AMX.
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = TowerPrecision::F32)]
    pub precision: TowerPrecision,

    /// CPU instruction set: portable, avx2, avxvnni, avx512, vnni or amx; portable, neon or dotprod on ARM
    ///
    /// Default: the best one of this CPU. Another one shows how fast and how accurate other CPUs are.
    #[arg(long, value_name = "SET")]
    pub isa: Option<Isa>,
}

/// The number type of the image tower's matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TowerPrecision {
    /// 32-bit floating point
    F32,
    /// bfloat16 with 32-bit sums
    Bf16,
    /// 8-bit integers
    Int8,
}

impl TowerPrecision {
    /// Returns the name of the type in results.
    pub fn name(self) -> &'static str {
        self.for_tower().name()
    }

    fn for_tower(self) -> scorer::Precision {
        match self {
            Self::F32 => scorer::Precision::Float32,
            Self::Bf16 => scorer::Precision::BFloat16,
            Self::Int8 => scorer::Precision::Int8,
        }
    }
}

impl ScorerArgs {
    /// Creates a scorer on the device, and the part of the results that is equal for all images.
    ///
    /// # Errors
    /// Returns an error if the device does not exist or does not support the flags, or if the model does not support
    /// the options.
    pub fn scorer(&self, model: Model, tasks: Vec<Options>) -> Result<(Scorer, Run)> {
        if let Some(isa) = self.isa {
            isa.limit().map_err(|error| UsageError::new(format!("--isa {isa}: {error}")))?;
        }
        let device = device::select(self.device)?;
        let (label, warning) = (model.label(), model.warning.clone());
        let tower = ImageTower { batch: self.batch, precision: self.precision.for_tower() };
        let mut scorer = model.into_scorer(tasks, tower, &device.device).map_err(|error| match error {
            Error::Precision { .. } => UsageError::new(format!("{error}; omit --precision")).into(),
            error => anyhow::Error::from(error),
        })?;
        // A thread of the device compiles the kernels while the first images are read.
        scorer.prepare()?;
        let mut name = device.name;
        if let Some(isa) = self.isa {
            name.push_str(&format!(", {isa}"));
        }
        if self.precision != TowerPrecision::F32 {
            name.push_str(&format!(", {}", self.precision.name()));
        }
        let run = scorer.run(name, label, warning);
        Ok((scorer, run))
    }
}
