//! Training: branches, attack, mixup, optimizer, schedule, the step and the loop around it, checkpoints.

pub mod events;
