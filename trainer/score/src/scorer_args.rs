//! Where and how a scorer computes: the flags that `score` and `serve` share.

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

/// Device, batch and number type.
#[derive(Clone, Copy, Debug, Args)]
pub struct ScorerArgs {
    /// Where to compute: auto, cpu, wgpu, wgpu:software, cuda or cuda:N
    ///
    /// auto takes CUDA if it is built in and there, then a GPU through wgpu, then the CPU.
    /// wgpu:software takes a driver that emulates a GPU, such as lavapipe; nothing else does.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// Views that go through the image tower at once; an image's are never parted
    ///
    /// A GPU, or a CPU of more cores than views, may gain from more; they cost memory. Scores differ in their last digits.
    #[arg(long, value_name = "VIEWS", default_value_t = TOWER_BATCH, value_parser = positive::<NonZeroUsize>)]
    pub batch: NonZeroUsize,

    /// What the image tower multiplies weights in
    ///
    /// int8 and bf16 are for a CPU, less exact, whatever the weights were stored in. int8 is faster everywhere; bf16 with
    /// AMX alone.
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = TowerPrecision::F32)]
    pub precision: TowerPrecision,

    /// The processor's instruction set: portable, avx2, avxvnni, avx512, vnni or amx; portable, neon or dotprod on ARM
    ///
    /// The best that it has, if not given. For measuring what another processor would do.
    #[arg(long, value_name = "SET")]
    pub isa: Option<Isa>,
}

/// What weights are multiplied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TowerPrecision {
    /// 32-bit floating point
    F32,
    /// bfloat16, with 32-bit sums
    Bf16,
    /// 8-bit integers
    Int8,
}

impl TowerPrecision {
    /// As results call it.
    pub fn name(self) -> &'static str {
        self.of_tower().name()
    }

    fn of_tower(self) -> scorer::Precision {
        match self {
            Self::F32 => scorer::Precision::Float32,
            Self::Bf16 => scorer::Precision::BFloat16,
            Self::Int8 => scorer::Precision::Int8,
        }
    }
}

impl ScorerArgs {
    /// A scorer on the device, and what its results say of the run.
    ///
    /// # Errors
    /// When the device is not there or cannot do this, and for options that the model cannot follow.
    pub fn scorer(&self, model: Model, tasks: Vec<Options>) -> Result<(Scorer, Run)> {
        if let Some(isa) = self.isa {
            isa.limit().map_err(|error| UsageError::new(format!("--isa {isa}: {error}")))?;
        }
        let device = device::select(self.device)?;
        let (label, warning) = (model.label(), model.warning.clone());
        let tower = ImageTower { batch: self.batch, precision: self.precision.of_tower() };
        let mut scorer = model.into_scorer(tasks, tower, &device.device).map_err(|error| match error {
            Error::Precision { .. } => UsageError::new(format!("{error}; leave --precision out")).into(),
            error => anyhow::Error::from(error),
        })?;
        // Compiled on a thread of the device, while the first images are read.
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
