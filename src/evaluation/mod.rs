//! A loaded model at work: accuracy by domain and attack, predictions, attacks, class activation maps.

pub mod cam;
