//! Names of a sweep's runs: readable, unique on every file system, no longer than needed to tell the runs
//! apart.

use super::{Combination, Setting};
use crate::config::Place;
use crate::config::schema::Kind;
use std::collections::BTreeSet;
use toml::Value;

/// A name for each combination, without the seed; `base` where nothing varies. `Err` is the place of a
/// combination that stands there twice.
pub(super) fn of(combinations: &[Combination], base: &str) -> Result<Vec<String>, Place> {
    let mut keys: Vec<&'static str> = Vec::new();
    for setting in combinations.iter().flatten() {
        if !keys.contains(&setting.field.path) {
            keys.push(setting.field.path);
        }
    }
    let mut parts = vec![Vec::new(); combinations.len()];
    split(combinations, (0..combinations.len()).collect(), &keys, &mut parts)?;
    let mut taken = BTreeSet::new();
    let names = parts.into_iter().map(|parts| {
        let name = if parts.is_empty() { base.to_owned() } else { parts.join("-") };
        // Different values may be spelt alike once only a file name's letters are left.
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|n| taken.insert(n.to_lowercase()));
        free.unwrap_or(name)
    });
    Ok(names.collect())
}

/// Gives the runs of `group` a part of a name for the first of `keys` by which they differ, and goes on with
/// those that are still alike.
fn split(
    combinations: &[Combination],
    group: Vec<usize>,
    keys: &[&'static str],
    parts: &mut [Vec<String>],
) -> Result<(), Place> {
    let Some((key, rest)) = keys.split_first() else {
        // Nothing tells them apart.
        let twice = group.get(1).map(|index| &combinations[*index]);
        return twice.map_or(Ok(()), |twice| Err(twice.first().map_or(Place::Unknown, |s| s.place.clone())));
    };
    if group.len() < 2 {
        return Ok(());
    }
    let setting = |index: usize| combinations[index].iter().find(|s| s.field.path == *key);
    let mut alike: Vec<(Option<&Value>, Vec<usize>)> = Vec::new();
    for index in group {
        let value = setting(index).map(|s| &s.value);
        match alike.iter_mut().find(|(other, _)| *other == value) {
            Some((_, indices)) => indices.push(index),
            None => alike.push((value, vec![index])),
        }
    }
    let differs = alike.len() > 1;
    for (_, indices) in alike {
        if differs {
            for index in &indices {
                parts[*index].extend(setting(*index).map(part));
            }
        }
        split(combinations, indices, rest, parts)?;
    }
    Ok(())
}

/// The part of a name that says a value: words speak for themselves, the rest goes behind its key.
fn part(setting: &Setting) -> String {
    let text = match &setting.value {
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let word = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            items.iter().map(word).collect::<Vec<_>>().join("+")
        }
        Value::Float(number) => number.to_string(),
        other => other.to_string(),
    };
    let is_word = matches!(setting.field.kind, Kind::Choice(_));
    let text = if is_word { text } else { format!("{}{text}", setting.field.key()) };
    let kept = |c: char| c.is_alphanumeric() || "._+=,".contains(c);
    let text: String = text.chars().map(|c| if kept(c) { c } else { '_' }).take(40).collect();
    text.trim_start_matches('.').to_owned()
}
