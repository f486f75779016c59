//! From a TOML text and `--set` arguments to a checked configuration. Every fault names the key, the file and
//! line, what was expected, and the nearest valid spelling.

use super::access::{from_partial, insert};
use super::cautions;
use super::error::Place;
use super::path_faults::unreadable_file;
use super::reading;
use super::schema::{self, Field, Kind};
use super::{Config, ConfigError};
use std::collections::BTreeMap;
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// Largest configuration file that is read; a checkpoint given by mistake fails here with a clear sentence.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads and checks a file. `sets` are `key=value` overrides as `--set` takes them. Keys of earlier
    /// versions are passed over in silence; see [`Config::load_warning`].
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, ConfigError> {
        Ok(Self::load_warning(path, sets)?.0)
    }

    /// As [`Config::load`], with a sentence for each key of an earlier version that was passed over.
    pub fn load_warning(path: &Path, sets: &[String]) -> Result<(Self, Vec<String>), ConfigError> {
        Self::parse_warning(&read_text(path)?, &path.display().to_string(), sets)
    }

    /// Reads and checks a text; `file_name` is only for messages. Keys of earlier versions are passed over in
    /// silence.
    pub fn parse(text: &str, file_name: &str, sets: &[String]) -> Result<Self, ConfigError> {
        Ok(Self::parse_warning(text, file_name, sets)?.0)
    }

    /// As [`Config::parse`], with a sentence for each key of an earlier version that was passed over, each
    /// that another key takes the place of, and what is seldom meant.
    pub fn parse_warning(
        text: &str,
        file_name: &str,
        sets: &[String],
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut places = BTreeMap::new();
        let mut table = Table::new();
        let mut warnings = Vec::new();
        let document = document(text, file_name)?;
        let mut reader =
            Reader { text, file_name, places: &mut places, table: &mut table, warnings: &mut warnings };
        reader.section("", document.get_ref())?;
        for argument in sets {
            let place = Place::Argument(argument.clone());
            let path = argument.split_once('=').map_or("", |(path, _)| path.trim());
            if let Some(reason) = schema::retired(path) {
                warnings.push(passed_over(path, reason, place));
                continue;
            }
            let (field, value) = parse_set(argument).map_err(|e| e.at(place.clone()))?;
            cautions::make_way_for(field.path, &mut table);
            insert(&mut table, field.path, value);
            places.insert(field.path.to_string(), place);
        }
        warnings.extend(cautions::sentences(&table, &places));
        let config = from_partial(table)?;
        config.validate().map_err(|e| {
            let place = places.get(&e.key).cloned().unwrap_or_else(|| Place::File(file_name.into()));
            e.at(place)
        })?;
        warnings.extend(config.cautions());
        Ok((config, warnings))
    }
}

/// The text of a TOML file.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let fault = |message: String| ConfigError::new("", message).at(Place::File(path.display().to_string()));
    // Names the file itself.
    let unreadable = |error| ConfigError::new("", unreadable_file(path, &error));
    let size = std::fs::metadata(path).map_err(unreadable)?;
    if size.is_dir() {
        return Err(fault("this is a folder; expected a TOML file".into()));
    }
    if size.len() > MAX_FILE_BYTES {
        return Err(fault(format!("{} bytes are no configuration; expected a TOML file", size.len())));
    }
    let bytes = reading::read(path, MAX_FILE_BYTES).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| fault("not UTF-8 text; expected a TOML file".into()))
}

/// The text as TOML with the places of its parts.
pub(super) fn document<'a>(text: &'a str, file_name: &str) -> Result<Spanned<DeTable<'a>>, ConfigError> {
    DeTable::parse(text).map_err(|e| {
        let place = match e.span() {
            Some(span) => Place::Line { file: file_name.into(), line: line_of(text, span.start) },
            None => Place::File(file_name.into()),
        };
        let line = e.span().and_then(|span| text.lines().nth(line_of(text, span.start) - 1));
        // A drive's letter, or two backslashes of a server's name.
        let windows = line.is_some_and(|line| line.contains(":\\") || line.contains("\"\\"));
        let hint = if windows { WINDOWS_PATHS } else { "" };
        let message = e.message().replace('\n', ", ");
        ConfigError::new("", format!("not valid TOML: {message}{hint}")).at(place)
    })
}

/// Behind a fault that a Windows path has probably caused.
const WINDOWS_PATHS: &str =
    "; in double quotes \\ begins an escape, so write a Windows path as \"C:/photos\" or 'C:\\photos'";

/// The sentence on a key of an earlier version.
fn passed_over(path: &str, reason: &str, place: Place) -> String {
    let message = format!("`{path}` is no longer a key and can be deleted: {reason}");
    ConfigError::new(path, message).at(place).to_string()
}

/// Walks the document and collects checked values.
struct Reader<'a> {
    text: &'a str,
    file_name: &'a str,
    places: &'a mut BTreeMap<String, Place>,
    table: &'a mut Table,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn section(&mut self, section: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        // toml's table is sorted by name; the file's own order makes the first fault the topmost one.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let path = if section.is_empty() { name.to_string() } else { format!("{section}.{name}") };
            let place =
                Place::Line { file: self.file_name.into(), line: line_of(self.text, key.span().start) };
            self.entry(&path, value, &place).map_err(|e| match e.place {
                Place::Unknown => e.at(place),
                _ => e,
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, value: &Spanned<DeValue<'_>>, place: &Place) -> Result<(), ConfigError> {
        if let Some(reason) = schema::retired(path) {
            self.warnings.push(passed_over(path, reason, place.clone()));
            return Ok(());
        }
        let is_section = is_section(path);
        match value.get_ref() {
            DeValue::Table(inner) if is_section => self.section(path, inner),
            DeValue::Table(_) | DeValue::Array(_) if !is_section && schema::field(path).is_none() => {
                Err(unknown_table_or_key(path, value.get_ref()))
            }
            _ if is_section => Err(ConfigError::new(
                path,
                format!("`{path}` is a table; expected [{path}] with keys below it"),
            )),
            other => {
                let field = schema::field(path).ok_or_else(|| unknown_key(path))?;
                if let (Kind::Branches, DeValue::Array(items)) = (field.kind, other) {
                    self.check_branches(field, items)?;
                }
                let plain = plain(other).ok_or_else(|| mismatch(field, "a number out of range"))?;
                insert(self.table, path, checked(field, plain)?);
                self.places.insert(path.to_string(), place.clone());
                Ok(())
            }
        }
    }
}

impl Reader<'_> {
    /// Checks every key of the branches on its own, to name its line.
    fn check_branches(&self, field: &Field, items: &[Spanned<DeValue<'_>>]) -> Result<(), ConfigError> {
        for table in items.iter().filter_map(|item| item.get_ref().as_table()) {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            for (key, value) in entries {
                let line = line_of(self.text, key.span().start);
                let value = plain(value.get_ref()).ok_or_else(|| mismatch(field, "a number out of range"))?;
                let place = Place::Line { file: self.file_name.into(), line };
                branch_key(key.get_ref(), value).map_err(|e| e.at(place))?;
            }
        }
        Ok(())
    }
}

/// One key of a branch, checked.
fn branch_key(key: &str, value: Value) -> Result<Value, ConfigError> {
    let Some(field) = schema::branch_fields().iter().find(|f| f.key() == key) else {
        let names: Vec<&str> = schema::branch_fields().iter().map(Field::key).collect();
        return Err(ConfigError::new(
            "method.branch",
            format!("unknown key `method.branch.{key}`; expected one of {}", names.join(", ")),
        ));
    };
    checked(field, value).map_err(|e| ConfigError::new("method.branch", e.message))
}

/// Whether keys may stand below this path.
pub(super) fn is_section(path: &str) -> bool {
    let prefix = format!("{path}.");
    schema::fields().iter().any(|f| f.path.starts_with(&prefix))
}

/// The line of a byte offset, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.get(..offset).unwrap_or(text).matches('\n').count()
}

/// The value without spans; `None` for a number that does not fit 64 bits.
pub(super) fn plain(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(s) => Value::String(s.to_string()),
        DeValue::Integer(i) => Value::Integer(i64::from_str_radix(i.as_str(), i.radix()).ok()?),
        DeValue::Float(f) => Value::Float(f.as_str().parse().ok()?),
        DeValue::Boolean(b) => Value::Boolean(*b),
        DeValue::Datetime(d) => Value::Datetime(*d),
        DeValue::Array(a) => Value::Array(a.iter().map(|v| plain(v.get_ref())).collect::<Option<_>>()?),
        DeValue::Table(t) => Value::Table(
            t.iter()
                .map(|(k, v)| Some((k.get_ref().to_string(), plain(v.get_ref())?)))
                .collect::<Option<_>>()?,
        ),
    })
}

/// Splits `a.b=c`; a value that is no TOML is a bare word and taken as a string.
fn parse_set(argument: &str) -> Result<(&'static Field, Value), ConfigError> {
    let (path, text) = argument
        .split_once('=')
        .ok_or_else(|| ConfigError::new("", "expected key=value, such as optimizer.lr=0.1"))?;
    let (path, text) = (path.trim(), text.trim());
    let field = schema::field(path).ok_or_else(|| {
        if is_section(path) {
            ConfigError::new(
                path,
                format!("`{path}` is a table; expected one of its keys, such as {path}.KEY=VALUE"),
            )
        } else {
            unknown_key(path)
        }
    })?;
    let word = || Value::String(text.to_string());
    let value = match field.kind {
        Kind::Text | Kind::Path | Kind::AttackSpec | Kind::Choice(_) if !text.starts_with(['"', '\'']) => {
            word()
        }
        _ => match DeValue::parse(text).ok().and_then(|v| plain(v.get_ref())) {
            Some(value) => value,
            None => bare_list(&field.kind, text).unwrap_or_else(word),
        },
    };
    Ok((field, checked(field, value)?))
}

/// `[crop, flip]` or `crop,flip` without quotes, where a list of words is expected.
fn bare_list(kind: &Kind, text: &str) -> Option<Value> {
    let Kind::ChoiceList(_) = kind else { return None };
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let words = inner.split(',').map(|w| w.trim().trim_matches(['"', '\'']).to_string());
    Some(Value::Array(words.filter(|w| !w.is_empty()).map(Value::String).collect()))
}

pub(super) fn unknown_key(path: &str) -> ConfigError {
    let nearest = schema::nearest_key(path);
    ConfigError::new(path, format!("unknown key `{path}`; the nearest valid key is `{nearest}`"))
}

fn unknown_table_or_key(path: &str, value: &DeValue<'_>) -> ConfigError {
    if value.is_table() {
        let nearest = schema::nearest_section(path);
        ConfigError::new(path, format!("unknown table [{path}]; the nearest valid table is [{nearest}]"))
    } else {
        unknown_key(path)
    }
}

fn mismatch(field: &Field, found: &str) -> ConfigError {
    ConfigError::new(field.path, format!("`{}` is {found}; expected {}", field.path, field.kind))
}

/// The value in the key's own type (whole numbers become floats where a float is kept), or the fault.
pub(super) fn checked(field: &Field, value: Value) -> Result<Value, ConfigError> {
    let found = || mismatch(field, &describe(&value));
    match (field.kind, &value) {
        (Kind::Path, Value::String(path)) if path.contains(char::is_control) => Err(ConfigError::new(
            field.path,
            format!("`{}` is {path:?}, with a control character in it{WINDOWS_PATHS}", field.path),
        )),
        (Kind::Flag, Value::Boolean(_)) | (Kind::Text | Kind::Path, Value::String(_)) => Ok(value),
        (Kind::AttackSpec, Value::String(spec)) => {
            if !spec.is_empty() {
                super::AttackConfig::parse_spec(spec)
                    .map_err(|e| ConfigError::new(field.path, format!("`{}` is {value}: {e}", field.path)))?;
            }
            Ok(value)
        }
        (Kind::Integer { min, max }, Value::Integer(i)) => {
            if (min..=max).contains(i) {
                Ok(value)
            } else {
                Err(found())
            }
        }
        (Kind::Number(range), _) => {
            number(&value).filter(|n| range.contains(*n)).map(Value::Float).ok_or_else(found)
        }
        (Kind::Choice(choices), Value::String(word)) => {
            check_choice(field, word, choices)?;
            Ok(value)
        }
        (Kind::ChoiceList(choices), Value::Array(items)) => {
            for (i, item) in items.iter().enumerate() {
                let word = item.as_str().ok_or_else(found)?;
                check_choice(field, word, choices)?;
                if items[..i].contains(item) {
                    return Err(ConfigError::new(field.path, format!("`{}` names {item} twice", field.path)));
                }
            }
            Ok(value)
        }
        (Kind::Branches, Value::Array(items)) => {
            let table = |item: &Value| {
                let table = item.as_table().ok_or_else(found)?;
                let entries = table.iter().map(|(k, v)| Ok((k.clone(), branch_key(k, v.clone())?)));
                Ok(Value::Table(entries.collect::<Result<_, ConfigError>>()?))
            };
            Ok(Value::Array(items.iter().map(table).collect::<Result<_, ConfigError>>()?))
        }
        (Kind::IntegerList { min, max }, Value::Array(items)) => {
            let fits = |item: &Value| item.as_integer().is_some_and(|i| (min..=max).contains(&i));
            let differ = items.iter().enumerate().all(|(i, item)| !items[..i].contains(item));
            if differ && items.iter().all(fits) { Ok(value) } else { Err(found()) }
        }
        (Kind::NumberList { length, each }, Value::Array(items)) => {
            let numbers: Option<Vec<Value>> =
                items.iter().map(|v| number(v).filter(|n| each.contains(*n)).map(Value::Float)).collect();
            match numbers {
                Some(numbers) if length.is_none_or(|n| n == numbers.len()) => Ok(Value::Array(numbers)),
                _ => Err(found()),
            }
        }
        _ => Err(found()),
    }
}

fn check_choice(field: &Field, word: &str, choices: &[&'static str]) -> Result<(), ConfigError> {
    if choices.contains(&word) {
        return Ok(());
    }
    let nearest = schema::nearest_choice(word, choices);
    let message = format!(
        "`{}` is \"{word}\"; expected {}; the nearest valid value is \"{nearest}\"",
        field.path, field.kind
    );
    Err(ConfigError::new(field.path, message))
}

/// A finite number, whole or not.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(f) => Some(*f).filter(|f| f.is_finite()),
        Value::Integer(i) => Some(*i as f64),
        _ => None,
    }
}

/// A value as part of a sentence.
fn describe(value: &Value) -> String {
    match value {
        Value::String(_) => format!("the string {value}"),
        Value::Table(_) => "a table".into(),
        _ => value.to_string(),
    }
}
