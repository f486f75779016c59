//! A trained network at work: accuracy by domain and attack, predictions, attacks, class activation maps, and the
//! distance between its BN domains.

pub mod accuracy;
pub mod activation_map;
pub mod cam;
pub mod inference;
mod model;
pub mod snapshot;

pub use model::{Model, Weights, network_of};
