//! DualProp trains image classifiers with AdvProp, MixProp and their relatives on any GPU that WebGPU
//! reaches.
//!
//! What the command line and the window do, a program can do too:
//!
//! | to | begin at | example |
//! | --- | --- | --- |
//! | describe a run | [`config::Config`], [`config::presets`] | `examples/own_method.rs` |
//! | open images | [`data::open`], [`data::open_part`] | |
//! | build a network | [`models::build`], [`models::registry`] | |
//! | train, with events | [`session::spawn`] | `examples/train_from_code.rs` |
//! | classify and attack | [`evaluation::Model`] | `examples/attack_a_picture.rs` |
//! | evaluate | [`evaluation::robustness`] | `examples/evaluate_and_explain.rs` |
//! | explain | [`evaluation::Model::maps`], [`evaluation::cam`] | the same |
//! | hand a model on | [`export::export`] | |
//!
//! ```
//! use dualprop::config::{Config, presets};
//! use dualprop::models::{ModelOptions, build};
//!
//! // AdvProp as a preset describes it, with another seed.
//! let preset = presets::find("shapes-advprop").expect("a preset");
//! let config = Config::parse(preset.text, preset.name, &["run.seed=7".to_owned()])?;
//! // The network that it trains: ten classes, and a batch norm for clean and for attacked images.
//! let options = ModelOptions::from_config(&config.model, config.data.image_size, 10, 2);
//! let network = build(&config.model.arch, &options)?;
//! println!("{} operations, {} values", network.nodes.len(), network.layout.param_len);
//! # assert_eq!(network.layout.domains, 2);
//! # assert_eq!(config.run.seed, 7);
//! # anyhow::Ok(())
//! ```
//!
//! # What versions promise
//!
//! A version with the same first number that is not 0 (before 1.0: the same second one) compiles with what
//! was written for an earlier one, as far as items are concerned that `RUSTDOCFLAGS="--cfg api" cargo doc`
//! shows.
//! Everything else is public to be tested and to be read, and may change at any time: kernels, plans, the
//! window's parts.
//!
//! # Modules
//!
//! The modules in the order in which one may depend on another (`tests/architecture.rs` holds them to it):
//! `words`, `config` and `gpu` know nobody; then `kernels`, `graph`, `models`, `data`, `interop`, `fetch`,
//! `training`, `evaluation`, `session`, `report`, `export`, `guide`; at the end the two front ends `app` and
//! `cli` (which starts it), which meet a run only as commands in and events out.

#[cfg(feature = "gui")]
#[cfg_attr(api, doc(hidden))]
pub mod app;
#[cfg_attr(api, doc(hidden))]
pub mod cli;
pub mod config;
pub mod data;
pub mod evaluation;
pub mod export;
#[cfg_attr(api, doc(hidden))]
pub mod fetch;
pub mod gpu;
pub mod graph;
#[cfg_attr(api, doc(hidden))]
pub mod guide;
#[cfg_attr(api, doc(hidden))]
pub mod interop;
#[cfg_attr(api, doc(hidden))]
pub mod kernels;
pub mod models;
#[cfg_attr(api, doc(hidden))]
pub mod report;
pub mod session;
pub mod training;
#[cfg_attr(api, doc(hidden))]
pub mod words;
