//! The set-up as a command for a shell.

use super::SetUpForm;
use super::entry::table_value;
use crate::config::{Config, schema};
use crate::gpu::DeviceChoice;
use std::path::Path;

impl SetUpForm {
    /// The command that trains the same without a window, from the configuration `file` that holds `base`.
    pub fn command_line(&self, file: &Path, base: &Config) -> String {
        let base = base.to_table();
        let mut words = vec!["dualprop".into(), "train".into(), quoted(&file.display().to_string())];
        for field in schema::fields() {
            let now = self.value(field.path);
            if let Some(value) = now.filter(|value| table_value(&base, field.path) != Some(*value)) {
                words.push("--set".into());
                words.push(quoted(&format!("{}={value}", field.path)));
            }
        }
        words.push("--out".into());
        words.push(quoted(&self.out_dir().display().to_string()));
        if self.device != DeviceChoice::Auto {
            words.push("--device".into());
            words.push(quoted(&self.device.to_string()));
        }
        words.join(" ")
    }
}

/// A word of a POSIX shell command.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_are_quoted_where_needed() {
        assert_eq!(quoted("run.seed=1"), "run.seed=1");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
