//! A sweep file as it is written: its tables with checked values and the lines that they stand on.

use super::{Combination, Evaluate, Setting};
use crate::config::parse::{checked, document, is_section, line_of, plain, read_text, unknown_key};
use crate::config::presets;
use crate::config::{ConfigError, Place, schema};
use std::borrow::Cow;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of a sweep file.
const KEYS: [&str; 5] = ["base", "seeds", "set", "vary", "evaluate"];

/// The content of a sweep file.
#[derive(Debug)]
pub(super) struct File {
    base: String,
    base_place: Place,
    /// `None`: that of the base alone.
    pub(super) seeds: Option<Vec<u64>>,
    pub(super) set: Vec<Setting>,
    /// For each table its keys, for each key its values.
    pub(super) vary: Vec<Vec<Vec<Setting>>>,
    pub(super) evaluate: Vec<Evaluate>,
}

/// A text and its name, to say on which line something stands.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    text: &'a str,
    file_name: &'a str,
}

impl Lines<'_> {
    /// The place of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        Place::Line { file: self.file_name.to_owned(), line: line_of(self.text, offset) }
    }

    /// A fault at a part of the text.
    pub(super) fn fault<T>(&self, part: &Spanned<T>, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::new(key, message).at(self.place(part.span().start))
    }
}

/// A table's entries in the order of the file.
pub(super) fn entries<'t, 'a>(
    table: &'t DeTable<'a>,
) -> Vec<(&'t Spanned<Cow<'a, str>>, &'t Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

impl File {
    pub(super) fn read(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        let document = document(text, file_name)?;
        let lines = Lines { text, file_name };
        let mut base = None;
        let (mut seeds, mut set, mut vary, mut evaluate) = (None, Vec::new(), Vec::new(), Vec::new());
        for (key, value) in entries(document.get_ref()) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("base", DeValue::String(name)) => {
                    base = Some((name.to_string(), lines.place(key.span().start)))
                }
                ("base", _) => {
                    return Err(lines.fault(
                        key,
                        "base",
                        "`base` must be a string: the name of a preset, or a file",
                    ));
                }
                ("seeds", value) => seeds = Some(read_seeds(lines, key, value)?),
                ("set", DeValue::Table(table)) => settings(lines, "", table, &mut set)?,
                ("set", _) => {
                    return Err(lines.fault(
                        key,
                        "set",
                        "`set` must be a table such as { \"run.steps\" = 400 }",
                    ));
                }
                ("vary", DeValue::Array(tables)) => {
                    for table in tables.iter() {
                        let Some(inner) = table.get_ref().as_table() else {
                            return Err(lines.fault(table, "vary", "`vary` must be tables [[vary]]"));
                        };
                        let mut axes = Vec::new();
                        read_axes(lines, "", inner, &mut axes)?;
                        vary.push(axes);
                    }
                }
                ("vary", _) => {
                    return Err(lines.fault(
                        key,
                        "vary",
                        "`vary` must be tables [[vary]], with two brackets",
                    ));
                }
                ("evaluate", DeValue::Table(table)) => evaluate.push(Evaluate::read(lines, table)?),
                ("evaluate", value) => {
                    let wrong = || {
                        let what = "`evaluate` must be a table [evaluate], or several [[evaluate]]";
                        lines.fault(key, "evaluate", what)
                    };
                    for table in value.as_array().ok_or_else(wrong)?.iter() {
                        let table = table.get_ref().as_table().ok_or_else(wrong)?;
                        evaluate.push(Evaluate::read(lines, table)?);
                    }
                }
                (section, DeValue::Table(_)) if is_section(section) => {
                    let message = format!(
                        "[{section}] is a table of a run's configuration; a sweep file names that file as `base`, and \
                         sets keys such as {section}.… in the table [set]"
                    );
                    return Err(lines.fault(key, section, message));
                }
                (other, _) => {
                    let nearest = schema::nearest_choice(other, &KEYS);
                    let message = format!(
                        "unknown key `{other}` of a sweep file; the nearest valid key is `{nearest}`"
                    );
                    return Err(lines.fault(key, other, message));
                }
            }
        }
        let (base, base_place) = base.ok_or_else(|| {
            let message =
                "`base` is missing; expected the name of a preset such as \"shapes-advprop\", or a file";
            ConfigError::new("base", message).at(Place::File(file_name.to_owned()))
        })?;
        Ok(Self { base, base_place, seeds, set, vary, evaluate })
    }

    /// The text of the base and its name.
    pub(super) fn base_text(&self, folder: &Path) -> Result<(String, String), ConfigError> {
        if let Some(preset) = presets::find(&self.base) {
            return Ok((preset.text.to_owned(), format!("the preset {}", preset.name)));
        }
        let path = folder.join(&self.base);
        if !path.exists() {
            let message = format!(
                "`base` is \"{}\", which is neither a preset nor a file beside this one; the nearest is {}",
                self.base,
                presets::nearest(&self.base)
            );
            return Err(ConfigError::new("base", message).at(self.base_place.clone()));
        }
        Ok((read_text(&path)?, path.display().to_string()))
    }

    /// Every combination of each `[[vary]]` table, the last key changing first; one without keys where there
    /// is no table.
    pub(super) fn combinations(&self) -> Vec<Combination> {
        if self.vary.is_empty() {
            return vec![Vec::new()];
        }
        let multiplied = |axes: &Vec<Vec<Setting>>| {
            axes.iter().fold(vec![Vec::new()], |made: Vec<Combination>, axis| {
                let longer = |begun: &Combination| -> Vec<Combination> {
                    axis.iter().map(|value| begun.iter().chain([value]).cloned().collect()).collect()
                };
                made.iter().flat_map(longer).collect()
            })
        };
        self.vary.iter().flat_map(multiplied).collect()
    }
}

/// Collects the keys of a table with their values; tables in it stand for the first part of a dotted path.
fn settings(
    lines: Lines<'_>,
    above: &str,
    table: &DeTable<'_>,
    made: &mut Vec<Setting>,
) -> Result<(), ConfigError> {
    for (key, value) in entries(table) {
        let path = dotted(above, key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if is_section(&path) => settings(lines, &path, inner, made)?,
            _ if made.iter().any(|known| known.field.path == path) => return Err(twice(lines, key, &path)),
            inner => made.push(setting(&path, inner, lines.place(key.span().start))?),
        }
    }
    Ok(())
}

/// Collects the keys of a table with their lists of values.
fn read_axes(
    lines: Lines<'_>,
    above: &str,
    table: &DeTable<'_>,
    axes: &mut Vec<Vec<Setting>>,
) -> Result<(), ConfigError> {
    for (key, value) in entries(table) {
        let path = dotted(above, key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if is_section(&path) => read_axes(lines, &path, inner, axes)?,
            _ if axes.iter().flatten().any(|known| known.field.path == path) => {
                return Err(twice(lines, key, &path));
            }
            DeValue::Array(values) if !values.is_empty() => {
                let values = values
                    .iter()
                    .map(|value| setting(&path, value.get_ref(), lines.place(value.span().start)));
                axes.push(values.collect::<Result<_, _>>()?);
            }
            DeValue::Array(_) => {
                let message = format!("`{path}` has an empty list; expected at least one value");
                return Err(lines.fault(key, &path, message));
            }
            other => {
                // A misspelt key is told before its value.
                schema::field(&path).ok_or_else(|| unknown_key(&path).at(lines.place(key.span().start)))?;
                let value = plain(other).map_or_else(String::new, |value| value.to_string());
                let message = format!("`{path}` varies over a list of values; expected such as [{value}]");
                return Err(lines.fault(key, &path, message));
            }
        }
    }
    Ok(())
}

/// The fault of a key that stands in one table as `"a.b"` and as `a.b`, which TOML takes for two.
fn twice<T>(lines: Lines<'_>, key: &Spanned<T>, path: &str) -> ConfigError {
    lines.fault(key, path, format!("`{path}` stands twice in one table; delete one"))
}

fn dotted(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") }
}

/// One key with its value, checked.
fn setting(path: &str, value: &DeValue<'_>, place: Place) -> Result<Setting, ConfigError> {
    let given = [("run.seed", "`seeds`"), ("run.name", "the values that set a run apart")];
    if let Some((key, by)) = given.iter().find(|(key, _)| *key == path) {
        let message = format!("`{key}` is given by {by} in a sweep; delete it here");
        return Err(ConfigError::new(key, message).at(place));
    }
    let field = schema::field(path).ok_or_else(|| unknown_key(path).at(place.clone()))?;
    let value = plain(value).ok_or_else(|| {
        ConfigError::new(path, format!("`{path}` is a number out of range; expected {}", field.kind))
            .at(place.clone())
    })?;
    let value = checked(field, value).map_err(|error| error.at(place.clone()))?;
    Ok(Setting { field, value, place })
}

fn read_seeds(
    lines: Lines<'_>,
    key: &Spanned<Cow<'_, str>>,
    value: &DeValue<'_>,
) -> Result<Vec<u64>, ConfigError> {
    let found = plain(value);
    let items = found.as_ref().and_then(|value| value.as_array()).filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| {
        lines.fault(key, "seeds", "`seeds` must be a list of at least one whole number, such as [0, 1, 2]")
    })?;
    let mut seeds = Vec::new();
    for item in items {
        let seed = item.as_integer().filter(|seed| *seed >= 0).ok_or_else(|| {
            lines.fault(key, "seeds", format!("`seeds` names {item}; expected whole numbers of at least 0"))
        })?;
        if seeds.contains(&(seed as u64)) {
            return Err(lines.fault(key, "seeds", format!("`seeds` names {seed} twice")));
        }
        seeds.push(seed as u64);
    }
    Ok(seeds)
}
