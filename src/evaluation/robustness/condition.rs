//! What is done to images before they are measured.

use super::worst_case;
use crate::config::Corruption;
use crate::config::EvaluationAttack;

/// One of the conditions that the images of a set are measured under.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The images as they are.
    Clean,
    /// The images as an attack through the domain that is measured makes them.
    Attacked(EvaluationAttack),
    /// What is worst for each image among these attacks, conditions before this one.
    WorstCase(Vec<EvaluationAttack>),
    /// The images under a corruption of this severity, 1 to 5, made here.
    Corrupted(Corruption, u8),
    /// The images as they are, which the set holds corrupted.
    Stored {
        /// The corruption's name.
        corruption: String,
        /// Its severity, 1 to 5.
        severity: u8,
    },
}

impl Condition {
    /// The attack's SPEC, or the name of a worst case.
    pub fn attack(&self) -> Option<String> {
        match self {
            Self::Attacked(attack) => Some(attack.spec()),
            Self::WorstCase(attacks) => Some(worst_case::name(attacks)),
            _ => None,
        }
    }

    /// The corruption by name with its severity.
    pub fn corruption(&self) -> Option<(&str, u8)> {
        match self {
            Self::Corrupted(corruption, severity) => Some((corruption.name(), *severity)),
            Self::Stored { corruption, severity } => Some((corruption, *severity)),
            Self::Clean | Self::Attacked(_) | Self::WorstCase(_) => None,
        }
    }
}
