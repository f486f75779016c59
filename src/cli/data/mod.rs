//! `dualprop data`: data sets as files.

mod check;
mod export;
mod fetch;

use super::common::note;
use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Works with data sets.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop data check photos")]
pub(super) struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Check),
    Export(export::Export),
    Fetch(fetch::Fetch),
}

impl Data {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Check(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Fetch(command) => command.run(),
        }
    }
}

/// A flag that the first Ctrl-C sets; the second one ends the program at once.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if stopping.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
        note("\nstopping; press Ctrl-C again to leave at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
