//! Training: branches, attack, mixup, optimizer, schedule, and the step that the engine replays on the GPU;
//! the checkpoints and the run folder. Threads and front ends are the session's business.

#![warn(missing_docs)]

pub mod attack_plans;
pub mod bn_distance;
pub mod bn_health;
pub mod bn_values;
mod branch_buffers;
pub mod buffers;
pub mod checkpoint;
pub mod draws;
pub mod engine;
pub mod events;
pub mod method;
pub mod optimizer;
mod parts;
pub mod pictures;
pub mod plans;
pub mod precision;
pub mod run_folder;
pub mod schedule;
pub mod settling;
pub mod state_dict_model;
pub mod step_cost;
pub mod step_layout;
