//! `dualprop train`: a run without a window.

use super::common::{DeviceOption, UsageError, note, print_line};
use super::run_view::{Later, Rescue, View};
use crate::config::{Config, ConfigError, Place, presets, schema};
use crate::session::{RunOptions, spawn};
use crate::training::events::{Command, Event, Finish};
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const EXAMPLE: &str = "Example: dualprop train shapes-advprop --set run.steps=100 --out runs/first";

/// Trains a network and writes a run folder.
///
/// Ctrl-C once saves and stops; the run can be continued with --resume. Twice leaves at once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE, after_long_help = long_help())]
pub(super) struct Train {
    /// Configuration: a TOML file, or the name of a preset such as shapes-advprop
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,
    /// Override one key of the configuration, such as optimizer.lr=0.1; may be repeated
    #[arg(long, value_name = "key=value")]
    set: Vec<String>,
    /// Run folder; by default runs/NAME with the configuration's run.name
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run in the folder from its last checkpoint
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    device: DeviceOption,
}

fn long_help() -> String {
    format!("{EXAMPLE}\n\nKeys of the configuration, with their defaults:\n\n{}", schema::reference())
}

/// Reads the file, or where there is none the preset of that name.
fn configuration(path: &Path, sets: &[String]) -> Result<(Config, Vec<String>), ConfigError> {
    let name = path.to_str().filter(|_| !path.exists());
    match name.and_then(presets::find) {
        Some(preset) => Config::parse_warning(preset.text, &format!("the preset {}", preset.name), sets),
        None => Config::load_warning(path, sets).map_err(|mut error| {
            // A word without a folder or an ending may have been meant as a preset's name.
            if let Some(name) = name.filter(|name| !name.contains(['/', '\\', '.'])) {
                error
                    .message
                    .push_str(&format!("; of the presets the nearest is {}", presets::nearest(name)));
            }
            error
        }),
    }
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (config, warnings) = configuration(&self.config, &self.set).map_err(as_usage)?;
        for sentence in warnings {
            note(&format!("warning: {sentence}"));
        }
        let out = self.out.unwrap_or_else(|| PathBuf::from("runs").join(&config.run.name));
        let mut view = View::new(config.run.batch_size, Later::Nothing);
        let handle = spawn(RunOptions {
            config,
            out,
            resume: self.resume,
            device: self.device.device,
            pictures: false,
        });
        let commands = handle.commands.clone();
        let stopping = AtomicBool::new(false);
        ctrlc::set_handler(move || {
            // A trainer that is gone or busy with a full queue cannot save either.
            if stopping.swap(true, Ordering::SeqCst) || commands.try_send(Command::StopAndSave).is_err() {
                std::process::exit(1);
            }
            note("\nsaving and stopping after this step; press Ctrl-C again to leave at once");
        })
        .context("cannot listen for Ctrl-C")?;
        let (mut finish, mut rescue) = (None, Rescue::default());
        for event in &handle.events {
            if let Event::Finished(how) = event {
                finish = Some(how);
                break;
            }
            rescue.show(&mut view, event, Some(&handle.commands));
        }
        view.close();
        handle.join();
        match finish {
            Some(Finish::Completed) => print_line("training is complete"),
            Some(Finish::StoppedAndSaved) => print_line("stopped and saved; --resume continues the run"),
            Some(Finish::Discarded) => print_line("stopped without saving"),
            Some(Finish::Failed(sentence)) => Err(anyhow!(sentence)),
            None => Err(anyhow!("training ended without a word; the log in the run folder may say why")),
        }
    }
}

/// A fault of a `--set` argument is one of the command line.
fn as_usage(error: ConfigError) -> anyhow::Error {
    match error.place {
        Place::Argument(_) => UsageError(error.to_string()).into(),
        _ => error.into(),
    }
}
