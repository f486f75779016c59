//! Opens the real window on a scripted run, for a look at it without a GPU to train on:
//! `cargo run --example window_demo`. The first argument may be a run folder to open.

#[path = "../tests/window/demo.rs"]
mod demo;

fn main() -> anyhow::Result<()> {
    let run = std::env::args_os().nth(1).map(Into::into);
    let options = dualprop::app::AppOptions { config: None, run, paths: Vec::new() };
    dualprop::app::run_with(options, Box::new(demo::RealTime))
}
