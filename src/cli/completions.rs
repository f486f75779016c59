//! `dualprop completions`: what a shell needs to complete commands, options and their values.

use super::command;
use super::common::print_line;
use clap_complete::Shell;

/// Prints the completion script of a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop completions bash > ~/.local/share/bash-completion/completions/dualprop"
)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "dualprop", &mut script);
        print_line(String::from_utf8(script)?.trim_end())
    }
}
