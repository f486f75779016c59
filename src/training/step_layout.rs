//! How a step is cut and what of it is kept: from the fastest layout to the smallest.

use crate::config::Checkpointing;

/// How a step's branches go through the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All branches in one concatenated batch.
    Joint,
    /// One domain after another; gradients add up. Less memory, same numbers.
    Sequential,
}

/// How a step is laid out in memory. All layouts give the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLayout {
    /// How the branches go through the network.
    pub cut: Cut,
    /// Activations inside a block are computed again in the backward pass.
    pub recompute: bool,
}

impl StepLayout {
    /// The fastest layout: one batch of all branches, and every activation kept.
    pub const PLAIN: Self = Self { cut: Cut::Joint, recompute: false };

    /// From the fastest to the smallest.
    pub(super) fn choices(checkpointing: Checkpointing) -> Vec<Self> {
        let layout = |cut, recompute| Self { cut, recompute };
        match checkpointing {
            Checkpointing::Off => vec![Self::PLAIN, layout(Cut::Sequential, false)],
            Checkpointing::On => vec![layout(Cut::Joint, true), layout(Cut::Sequential, true)],
            Checkpointing::Auto => {
                vec![Self::PLAIN, layout(Cut::Sequential, false), layout(Cut::Sequential, true)]
            }
        }
    }
}

impl std::fmt::Display for StepLayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.cut == Cut::Joint { "branches joint" } else { "branches one after another" })?;
        f.write_str(if self.recompute { ", activations recomputed" } else { "" })
    }
}
