//! Training: branches, attack, mixup, optimizer, schedule, and the step that the engine replays on the GPU. Files,
//! threads and front ends are the session's business.

pub mod buffers;
pub mod draws;
pub mod engine;
pub mod events;
pub mod method;
pub mod optimizer;
pub mod plans;
pub mod schedule;
