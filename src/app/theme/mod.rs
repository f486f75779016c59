//! How the window looks: its colours, sizes and distances, and its icons.

pub mod icons;
pub mod tokens;
