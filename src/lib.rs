//! DualProp trains image classifiers with AdvProp, MixProp and their relatives on any GPU that WebGPU
//! reaches.
//!
//! The modules in the order in which one may depend on another (`tests/architecture.rs` holds them to it):
//! `words`, `config` and `gpu` know nobody; then `kernels`, `graph`, `models`, `data`, `interop`, `fetch`,
//! `training`, `evaluation`, `session`, `report`, `export`, `guide`; at the end the two front ends `app` and
//! `cli` (which starts it), which meet a run only as commands in and events out.

#[cfg(feature = "gui")]
pub mod app;
pub mod cli;
pub mod config;
pub mod data;
pub mod evaluation;
pub mod export;
pub mod fetch;
pub mod gpu;
pub mod graph;
pub mod guide;
pub mod interop;
pub mod kernels;
pub mod models;
pub mod report;
pub mod session;
pub mod training;
pub mod words;
