//! The configuration by dotted path, and as the text of a whole file.

use super::schema::{self, Field};
use super::{Config, ConfigError, OptimizerConfig, OptimizerKind, ScheduleConfig, ScheduleKind};
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use toml::{Table, Value};

impl Config {
    /// All present keys as nested tables.
    pub fn to_table(&self) -> Table {
        // By way of text: the text form of an f32 is its shortest decimal, so 0.1 stays 0.1 and does not
        // become 0.10000000149011612.
        let text =
            toml::to_string(self).expect("the configuration holds only tables, numbers, strings and lists");
        text.parse().expect("the serialiser writes valid TOML")
    }

    /// The value at a dotted path; `None` for an optional key that is absent, and for unknown paths.
    pub fn get(&self, path: &str) -> Option<Value> {
        value_at(&self.to_table(), path).cloned()
    }

    /// Sets one key after checking its type and range; what several keys must fulfil together is
    /// [`Config::validate`]'s.
    ///
    /// A change of `optimizer.kind` or `schedule.kind` takes those keys along that still have the old kind's
    /// defaults.
    pub fn set(&mut self, path: &str, value: Value) -> Result<(), ConfigError> {
        let field = schema::field(path).ok_or_else(|| super::parse::unknown_key(path))?;
        let value = super::parse::checked(field, value)?;
        let mut table = self.to_table();
        for (dependent, old) in kind_defaults(&table).filter(|(p, _)| path == kind_key(p)) {
            if value_at(&table, dependent).is_some_and(|v| *v == old) {
                remove(&mut table, dependent);
            }
        }
        insert(&mut table, path, value);
        *self = from_partial(table)?;
        Ok(())
    }

    /// Makes an optional key absent.
    pub fn clear(&mut self, path: &str) -> Result<(), ConfigError> {
        let field = schema::field(path).ok_or_else(|| super::parse::unknown_key(path))?;
        if !field.optional {
            return Err(ConfigError::new(
                path,
                format!("`{path}` cannot be left empty; expected {}", field.kind),
            ));
        }
        let mut table = self.to_table();
        remove(&mut table, path);
        *self = from_partial(table)?;
        Ok(())
    }

    /// The text of a file that holds every key and gives this configuration back when it is read. Absent keys
    /// stand in it as comments.
    pub fn resolved_toml(&self) -> String {
        let table = self.to_table();
        let mut text = String::new();
        for section in schema::sections() {
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(text, "[{section}]");
            for field in schema::fields().iter().filter(|f| f.section() == section) {
                match value_at(&table, field.path) {
                    Some(value) => {
                        let _ = writeln!(text, "{} = {value}", field.key());
                    }
                    None => {
                        let _ = writeln!(text, "# {} is absent", field.key());
                    }
                }
            }
        }
        text
    }

    /// The first key whose value differs from `other`'s, in the order of the file, among those that `counts`.
    pub fn first_difference(
        &self,
        other: &Config,
        counts: impl Fn(&Field) -> bool,
    ) -> Option<&'static Field> {
        let (a, b) = (self.to_table(), other.to_table());
        schema::fields().iter().find(|f| counts(f) && value_at(&a, f.path) != value_at(&b, f.path))
    }
}

/// A configuration from checked keys; absent ones get the defaults of the kinds that the table names.
pub(super) fn from_partial(mut table: Table) -> Result<Config, ConfigError> {
    let defaults: Vec<_> = kind_defaults(&table).collect();
    for (path, value) in defaults {
        if value_at(&table, path).is_none() {
            insert(&mut table, path, value);
        }
    }
    Config::deserialize_table(table)
}

/// The keys whose default depends on a kind, with that default under the kinds of `table`.
fn kind_defaults(table: &Table) -> impl Iterator<Item = (&'static str, Value)> + use<> {
    let optimizer =
        OptimizerConfig::of_kind(kind_at(table, "optimizer.kind").unwrap_or(OptimizerKind::Rmsprop));
    let schedule =
        ScheduleConfig::of_kind(kind_at(table, "schedule.kind").unwrap_or(ScheduleKind::Exponential));
    [
        ("optimizer.momentum", optimizer.momentum),
        ("optimizer.decay", optimizer.decay),
        ("optimizer.eps", optimizer.eps),
        ("optimizer.weight_decay", optimizer.weight_decay),
        ("schedule.decay_rate", schedule.decay_rate),
    ]
    .into_iter()
    .map(|(path, value)| (path, Value::Float(value)))
}

/// The kind that the table names at `path`; `None` where it names none.
fn kind_at<T: DeserializeOwned>(table: &Table, path: &str) -> Option<T> {
    value_at(table, path)?.clone().try_into().ok()
}

/// The key that decides the default of `dependent`.
fn kind_key(dependent: &str) -> &'static str {
    if dependent.starts_with("optimizer.") { "optimizer.kind" } else { "schedule.kind" }
}

impl Config {
    fn deserialize_table(table: Table) -> Result<Self, ConfigError> {
        // Types were checked key by key; this can only fail where the schema and `types.rs` disagree.
        table.try_into().map_err(|e: toml::de::Error| ConfigError::new("", e.message().to_string()))
    }
}

pub(super) fn value_at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((head, rest)) => value_at(table.get(head)?.as_table()?, rest),
    }
}

/// Puts a value at a dotted path and makes the tables on the way.
pub(super) fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_string(), value);
        }
        Some((head, rest)) => {
            let inner = table.entry(head).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Takes away what is at a dotted path, if anything is.
pub(super) fn remove(table: &mut Table, path: &str) {
    match path.split_once('.') {
        None => {
            table.remove(path);
        }
        Some((head, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(head) {
                remove(inner, rest);
            }
        }
    }
}
