//! What is wrong with a configuration, in one sentence.

use std::fmt;

/// A fault of one key, with the place it was written at.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    /// Dotted path such as `optimizer.lr`; empty where the fault is no single key's.
    pub key: String,
    /// What is wrong and what was expected, without place.
    pub message: String,
    /// Where the value was written.
    pub place: Place,
}

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Place {
    /// A default, or a value set by a program.
    #[default]
    Unknown,
    /// A line of a file.
    Line {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// The file as a whole.
    File(String),
    /// A `--set` argument, as it was given.
    Argument(String),
}

impl ConfigError {
    pub(super) fn new(key: &str, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), place: Place::Unknown }
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unknown => write!(f, "{}", self.message),
            Place::Line { file, line } => write!(f, "{file}, line {line}: {}", self.message),
            Place::File(file) => write!(f, "{file}: {}", self.message),
            Place::Argument(text) => write!(f, "--set {text}: {}", self.message),
        }
    }
}

impl std::error::Error for ConfigError {}
