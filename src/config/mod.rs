//! One schema for a run: it drives the command line, the window's form, the TOML file and the documentation.

mod types;

pub use types::*;
