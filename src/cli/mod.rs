//! The command line: one file a subcommand. Every command exits 0 on success, 1 when its work failed, 2 on a
//! wrong command line, and says what is wrong in one sentence on stderr.

mod app;
mod attack;
mod bench;
mod cam;
mod cam_grid;
mod common;
mod compare;
mod completions;
mod data;
mod devices;
mod eval;
mod export;
mod files;
mod guide;
mod import;
mod man;
mod models;
mod predict;
mod progress;
mod run_view;
mod sweep;
mod train;

use crate::config::path_faults::without_code;
use crate::words::one_line;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use common::{UsageError, note};
use std::process::ExitCode;

/// Trains image classifiers with AdvProp, MixProp and their relatives on any GPU.
#[derive(Debug, Parser)]
#[command(name = "dualprop", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(after_help = "Example: dualprop train shapes-advprop --out runs/first")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    App(app::App),
    Train(train::Train),
    Sweep(sweep::Sweep),
    Compare(compare::Compare),
    Eval(eval::Eval),
    Predict(predict::Predict),
    Attack(attack::Attack),
    Cam(cam::Cam),
    CamGrid(cam_grid::CamGrid),
    Export(export::Export),
    Import(import::Import),
    Models(models::Models),
    Devices(devices::Devices),
    Bench(bench::Bench),
    Data(data::Data),
    Guide(guide::Guide),
    Completions(completions::Completions),
    Man(man::Man),
}

/// All commands with their arguments and help: what the guide's reference is made of.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program's command line.
pub fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("dualprop=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli.command.unwrap_or_else(|| Command::App(app::App::default()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("dualprop: {}", without_code(&one_line(&format!("{error:#}")))));
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::App(command) => command.run(),
        Command::Train(command) => command.run(),
        Command::Sweep(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Predict(command) => command.run(),
        Command::Attack(command) => command.run(),
        Command::Cam(command) => command.run(),
        Command::CamGrid(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Models(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Data(command) => command.run(),
        Command::Guide(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}

/// Prints help where that was asked for, else the fault as one sentence.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nothing is left to do where even this cannot be printed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    note(&format!("dualprop: {}", usage_sentence(&error.render().to_string())));
    ExitCode::from(2)
}

/// Makes one sentence of clap's page: its message and tips, and the command whose help says more.
fn usage_sentence(page: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut help = "dualprop --help".to_string();
    for line in page.lines().map(str::trim) {
        if let Some(usage) = line.strip_prefix("Usage: ") {
            let commands: Vec<&str> =
                usage.split(' ').take_while(|w| w.starts_with(|c: char| c.is_ascii_lowercase())).collect();
            help = format!("{} --help", commands.join(" "));
            break;
        }
        let line = line.strip_prefix("error: ").unwrap_or(line);
        match line.strip_prefix("tip: ") {
            Some(tip) => words.push(format!("({tip})")),
            None if line.is_empty() || line.starts_with("For more information") => {}
            None => words.push(line.to_string()),
        }
    }
    format!("{}; see `{help}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed_and_every_help_has_an_example() {
        fn check(command: &clap::Command) {
            let groups = command.has_subcommands() && command.get_name() != "dualprop";
            let help = command.clone().render_long_help().to_string();
            assert!(groups || help.contains("Example"), "{} has no example:\n{help}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        let command = command();
        command.clone().debug_assert();
        check(&command);
    }

    #[test]
    fn claps_pages_become_one_sentence() {
        let page = |words: &[&str]| match Cli::try_parse_from(words) {
            Ok(_) => panic!("{words:?} is wrong"),
            Err(e) => usage_sentence(&e.render().to_string()),
        };
        let sentence = page(&["dualprop", "train", "x.toml", "--resum"]);
        assert_eq!(
            sentence,
            "unexpected argument '--resum' found (a similar argument exists: '--resume'); see `dualprop train --help`"
        );
        let sentence = page(&["dualprop", "predict"]);
        assert!(sentence.contains("<CKPT> <IMAGE>...; see `dualprop predict --help`"), "{sentence}");
    }
}
