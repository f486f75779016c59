//! `dualprop guide`: the guide as a page of its own.

use super::common::print_line;
use crate::guide;
use crate::interop::atomic::write_atomic;
use std::path::PathBuf;

/// Writes the guide as one HTML page, which needs no other file, no network and no script.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop guide --out guide.html")]
pub(super) struct Guide {
    /// Page to write
    #[arg(long, value_name = "FILE.html", default_value = "dualprop-guide.html")]
    out: PathBuf,
}

impl Guide {
    pub(super) fn run(self) -> anyhow::Result<()> {
        write_atomic(&self.out, |out| out.write_all(guide::page().as_bytes()))?;
        print_line(&format!("{}: open it in a browser", self.out.display()))
    }
}
