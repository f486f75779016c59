//! Training: branches, attack, mixup, optimizer, schedule, and the step that the engine replays on the GPU;
//! the checkpoints and the run folder. Threads and front ends are the session's business.

#![warn(missing_docs)]

#[cfg_attr(api, doc(hidden))]
pub mod attack_plans;
#[cfg_attr(api, doc(hidden))]
pub mod bn_distance;
#[cfg_attr(api, doc(hidden))]
pub mod bn_health;
#[cfg_attr(api, doc(hidden))]
pub mod bn_values;
mod branch_buffers;
#[cfg_attr(api, doc(hidden))]
pub mod buffers;
pub mod checkpoint;
#[cfg_attr(api, doc(hidden))]
pub mod draws;
#[cfg_attr(api, doc(hidden))]
pub mod engine;
pub mod events;
pub mod method;
#[cfg_attr(api, doc(hidden))]
pub mod optimizer;
mod parts;
#[cfg_attr(api, doc(hidden))]
pub mod pictures;
#[cfg_attr(api, doc(hidden))]
pub mod plans;
#[cfg_attr(api, doc(hidden))]
pub mod precision;
pub mod run_folder;
#[cfg_attr(api, doc(hidden))]
pub mod schedule;
#[cfg_attr(api, doc(hidden))]
pub mod settling;
#[cfg_attr(api, doc(hidden))]
pub mod state_dict_model;
#[cfg_attr(api, doc(hidden))]
pub mod step_cost;
#[cfg_attr(api, doc(hidden))]
pub mod step_layout;
