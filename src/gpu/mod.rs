//! The GPU runtime: adapters, shader registry, buffers, replay of static plans, readbacks, errors. It knows
//! nothing of networks.

pub mod launch;

pub use launch::{BufferId, Caps, Cost, Form, Kernel, Launch, View, linear_grid};
