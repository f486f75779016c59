//! A trained network at work: accuracy by domain and attack, predictions, attacks, class activation maps, and
//! the distance between its BN domains.

#![warn(missing_docs)]

pub mod accuracy;
pub mod activation_map;
pub mod auto_domain;
pub mod cam;
pub mod cam_tile;
pub mod confusion;
pub mod feature_grid;
pub mod hidden_gradients;
pub mod inference;
pub mod interval;
pub mod localisation;
mod model;
pub mod perturbation;
pub mod robustness;
pub mod sheet;
pub mod snapshot;
pub mod softmax;

pub use model::{Model, Seen, Weights, bn_layers_of, network_of};
