//! Between a value of the configuration and the text that stands in its entry field.

use crate::config::schema::{Field, Kind};
use toml::{Table, Value};

/// The value of a dotted path.
pub(super) fn table_value<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((head, rest)) => table_value(table.get(head)?.as_table()?, rest),
        None => table.get(path),
    }
}

/// A value as it stands in an entry field.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        // TOML writes 1.0 for a whole number that may have a fraction.
        Value::Float(number) => number.to_string(),
        other => other.to_string(),
    }
}

/// The numbers of a list as texts.
fn parts_of(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '[', ']']).filter(|part| !part.is_empty())
}

/// The value that a text stands for; `None` where it cannot be read.
pub(super) fn value_of(field: &Field, text: &str) -> Option<Value> {
    Some(match field.kind {
        Kind::Integer { .. } => Value::Integer(text.parse().ok()?),
        Kind::Number(_) => Value::Float(text.parse().ok()?),
        Kind::NumberList { .. } => {
            let numbers = parts_of(text).map(|part| part.parse().map(Value::Float));
            Value::Array(numbers.collect::<Result<_, _>>().ok()?)
        }
        Kind::IntegerList { .. } => {
            let numbers = parts_of(text).map(|part| part.parse().map(Value::Integer));
            Value::Array(numbers.collect::<Result<_, _>>().ok()?)
        }
        Kind::Flag => Value::Boolean(text.parse().ok()?),
        // Branches have an editor of their own.
        Kind::Branches => return None,
        Kind::ChoiceList(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.into())).collect())
        }
        Kind::Text | Kind::Path | Kind::Choice(_) | Kind::AttackSpec => Value::String(text.into()),
    })
}
