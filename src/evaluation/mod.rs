//! A trained network at work: accuracy by domain and attack, predictions, attacks, class activation maps, and
//! the distance between its BN domains.

#![warn(missing_docs)]

#[cfg_attr(api, doc(hidden))]
pub mod accuracy;
pub mod activation_map;
pub mod auto_domain;
pub mod cam;
#[cfg_attr(api, doc(hidden))]
pub mod cam_tile;
#[cfg_attr(api, doc(hidden))]
pub mod confusion;
pub mod feature_grid;
#[cfg_attr(api, doc(hidden))]
pub mod hidden_gradients;
#[cfg_attr(api, doc(hidden))]
pub mod inference;
#[cfg_attr(api, doc(hidden))]
pub mod interval;
pub mod localisation;
mod model;
pub mod perturbation;
pub mod robustness;
#[cfg_attr(api, doc(hidden))]
pub mod sheet;
#[cfg_attr(api, doc(hidden))]
pub mod snapshot;
pub mod softmax;

pub use inference::{Outcome, Strongest};
pub use model::{Model, Seen, Weights, bn_layers_of, network_of};
