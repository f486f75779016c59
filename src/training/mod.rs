//! Training: branches, attack, mixup, optimizer, schedule, the step and the loop around it, checkpoints.

pub mod checkpoint;
pub mod events;
pub mod run_folder;
