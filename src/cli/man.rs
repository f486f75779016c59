//! `dualprop man`: the manual pages, one for the program and one a command, of the same text as `--help`.

use super::command;
use super::common::print_line;
use crate::interop::atomic::{create_folder, sentence};
use anyhow::anyhow;
use std::path::PathBuf;

/// Writes the manual pages (dualprop.1, dualprop-train.1 and so on) into a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop man ~/.local/share/man/man1")]
pub(super) struct Man {
    /// Folder, made where it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let shown = self.dir.display();
        create_folder(&self.dir)?;
        clap_mangen::generate_to(command(), &self.dir)
            .map_err(|error| anyhow!(sentence(&self.dir, &error)))?;
        print_line(&format!("{shown}/dualprop.1 and a page for each command"))
    }
}
