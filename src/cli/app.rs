//! `dualprop app`, and plain `dualprop`: the window.

use anyhow::bail;
use std::path::PathBuf;

/// Opens the window.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Example: dualprop app --config assets/presets/shapes-advprop.toml
Example: dualprop app resnet50.safetensors photo.jpg")]
pub(super) struct App {
    /// Configuration to set up a run with
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run folder to open
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// What to open as if dropped on the window: checkpoints and other weights, images, run folders, data
    /// folders, configurations
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl App {
    #[cfg(feature = "gui")]
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { config, run, paths } = self;
        if let Some(path) = paths.iter().find(|path| !path.exists()) {
            bail!("{}: there is no such file or folder", path.display());
        }
        if !has_display() {
            bail!(
                "there is no display to open the window on (DISPLAY and WAYLAND_DISPLAY are not set); train without one: dualprop train CONFIG.toml"
            );
        }
        crate::app::run(crate::app::AppOptions { config, run, paths })
    }

    #[cfg(not(feature = "gui"))]
    pub(super) fn run(self) -> anyhow::Result<()> {
        bail!(
            "this build has no window (feature `gui` is off); train without one: dualprop train CONFIG.toml"
        )
    }
}

/// Windows and macOS always have one; elsewhere the session says so.
#[cfg(feature = "gui")]
fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
