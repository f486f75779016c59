//! One schema for a run: it drives the command line, the window's form, the TOML file and the documentation.

#![warn(missing_docs)]

mod access;
mod attack_spec;
mod cautions;
mod corruption;
mod domain;
mod error;
mod evaluation_attack;
mod method;
mod parse;
#[cfg_attr(api, doc(hidden))]
pub mod path_faults;
pub mod presets;
#[cfg_attr(api, doc(hidden))]
pub mod reading;
#[cfg_attr(api, doc(hidden))]
pub mod schema;
#[cfg_attr(api, doc(hidden))]
pub mod sweep;
mod types;
mod validate;
mod validate_method;

pub use corruption::{CIFAR_C_MAX_SIZE, Corruption, ParameterSet};
pub use domain::{AUTO, Domain};
pub use error::{ConfigError, Place};
pub use evaluation_attack::{Apgd, ApgdLoss, Attacker, EvaluationAttack, Square};
pub use method::*;
pub use types::*;
