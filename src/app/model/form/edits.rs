//! What the set-up was filled from and what it was before: what was changed can be told, set back and undone.

use crate::config::Config;
use crate::config::presets::PRESETS;
use std::path::PathBuf;

/// Set-ups kept for undoing.
const KEPT: usize = 100;

/// A whole set-up and what it was filled from.
#[derive(Clone, Debug, Default)]
pub struct SetUp {
    pub config: Config,
    /// What it was filled with before the user changed it.
    pub origin: Config,
    /// The preset that it was filled from.
    pub preset: Option<&'static str>,
    /// The file that it was filled from or written to.
    pub file: Option<PathBuf>,
}

/// The set-ups before the present one, oldest first.
#[derive(Debug, Default)]
pub struct Past(Vec<SetUp>);

impl Past {
    /// Keeps a set-up that another takes the place of.
    pub fn keep(&mut self, before: SetUp) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(before);
    }

    /// The set-up before the last change.
    pub fn take(&mut self) -> Option<SetUp> {
        self.0.pop()
    }
}

/// A set-up as it is kept between two starts of the program.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    config: String,
    origin: String,
    preset: Option<String>,
    file: Option<PathBuf>,
    pub run_dir: String,
}

impl Kept {
    /// Of a set-up and the typed run folder.
    pub fn of(set_up: &SetUp, run_dir: &str) -> Self {
        Self {
            config: set_up.config.resolved_toml(),
            origin: set_up.origin.resolved_toml(),
            preset: set_up.preset.map(str::to_owned),
            file: set_up.file.clone(),
            run_dir: run_dir.to_owned(),
        }
    }

    /// The set-up; `None` where this version cannot read it.
    pub fn set_up(&self) -> Option<SetUp> {
        let read = |text: &str| Config::parse(text, "the kept set-up", &[]).ok();
        let named = self.preset.as_ref().and_then(|name| PRESETS.iter().find(|known| known.name == name));
        let preset = named.map(|preset| preset.name);
        Some(SetUp {
            config: read(&self.config)?,
            origin: read(&self.origin)?,
            preset,
            file: self.file.clone(),
        })
    }
}
