//! Which class of a model a label of a data set means. Labels are numbers in the order of their own set, so
//! wherever a model meets a data set its classes are matched by name first.
//!
//! Names are compared as people see them: composed and decomposed letters are the same, and spaces around a
//! name do not count. ImageNet's classes are known by their words and by WordNet's numbers.

use super::{Dataset, imagenet, subset};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::words::counted;
use anyhow::{Context as _, anyhow, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization as _;

/// Longest file of class names that is read, bytes.
const MAX_FILE: u64 = 16 << 20;

/// How the classes of a data set are matched with those of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClassesBy {
    /// Both must have the same names; their order may differ.
    #[default]
    SameNames,
    /// By name; images of classes that the model lacks are left out.
    CommonNames,
    /// The data set's first class is the model's first, and so on; both must have the same number.
    Number,
    /// A text file names the data set's class of each output of the model, one a line, or has lines of a data
    /// set's class and the model's, with a tab or an equals sign between them.
    File(PathBuf),
}

impl ClassesBy {
    /// `name`, `number`, or the path of the file: the word that reports carry.
    pub fn word(&self) -> String {
        match self {
            Self::SameNames | Self::CommonNames => "name".into(),
            Self::Number => "number".into(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// A data set whose labels are the model's.
#[derive(Clone)]
pub struct Matched {
    /// Its class names are the model's.
    pub set: Arc<dyn Dataset>,
    /// A sentence on what was mapped or left out; none where both had the same classes in the same order.
    pub note: Option<String>,
    /// Images that were left out, being of classes that the model lacks.
    pub left_out: usize,
}

/// What the output `class` of a model is called that has more outputs than its data had classes.
pub fn unused_class(class: usize) -> String {
    format!("unused {class}")
}

/// Whether classes are called by their numbers alone, as those of a network are whose file names none.
pub fn are_numbers(classes: &[String]) -> bool {
    classes.iter().enumerate().all(|(number, name)| *name == number.to_string())
}

/// A class name in the form in which names are compared.
pub fn comparable(name: &str) -> String {
    name.trim().nfc().collect()
}

/// Numbers the labels of `set` by the classes of `model`. Fails where `by` cannot tell which is which, with
/// the names that only one side has.
pub fn match_classes(set: Arc<dyn Dataset>, model: &[String], by: &ClassesBy) -> anyhow::Result<Matched> {
    if set.class_names() == model && !matches!(by, ClassesBy::File(_)) {
        return Ok(Matched { set, note: None, left_out: 0 });
    }
    let data = set.class_names();
    let places = match by {
        ClassesBy::SameNames => same_classes(data, model)?,
        ClassesBy::CommonNames => common_names(data, model)?,
        ClassesBy::Number => {
            ensure!(
                data.len() == used(model).len() || data.len() == model.len(),
                "the checkpoint has {} classes and the data set {}; matched by number, both must have the same",
                model.len(),
                data.len()
            );
            (0..data.len()).map(Some).collect()
        }
        ClassesBy::File(file) => places_of_file(&read_lines(file)?, data, model)
            .with_context(|| format!("the file of classes {}", file.display()))?,
    };
    let moved = places.iter().enumerate().any(|(here, there)| there.is_some_and(|there| there != here));
    let absent: Vec<String> =
        data.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(name, _)| name.clone()).collect();
    let by_list = matches!(by, ClassesBy::SameNames | ClassesBy::CommonNames)
        && imagenet::in_the_words_of(model, data).is_some();
    let all = set.len();
    let matched = subset::mapped(set, model, places)?;
    let left_out = all - matched.len();
    let note = if !absent.is_empty() {
        let classes = subset::some(&absent);
        let images = counted(all, "image");
        Some(format!("left out {left_out} of {images}: the checkpoint has no class {classes}"))
    } else if by_list {
        Some("classes are matched by ImageNet's list of WordNet's numbers and the words for them".into())
    } else if moved && *by != ClassesBy::Number {
        Some(
            "the data set has its classes in another order than the checkpoint; they are matched by name"
                .into(),
        )
    } else {
        None
    };
    Ok(Matched { set: matched, note, left_out })
}

/// The classes of a model without the [`unused_class`]es at their end.
fn used(model: &[String]) -> &[String] {
    let end = (0..model.len()).rev().find(|&class| model[class] != unused_class(class));
    &model[..end.map_or(0, |last| last + 1)]
}

/// The place among `model` of each class of `data`, `None` for an [`unused_class`]. Fails, with the names
/// that only one side has, unless both have the same names.
pub fn same_classes(data: &[String], model: &[String]) -> anyhow::Result<Vec<Option<usize>>> {
    let (in_use, used) = (used(data), used(model));
    let mut places = by_name(in_use, used)?;
    let only_in_data = missing(in_use, &places);
    let taken: Vec<usize> = places.iter().flatten().copied().collect();
    let only_in_model: Vec<String> =
        used.iter().enumerate().filter(|(at, _)| !taken.contains(at)).map(|(_, name)| name.clone()).collect();
    if only_in_data.is_empty() && only_in_model.is_empty() {
        places.resize(data.len(), None);
        return Ok(places);
    }
    let side = |names: &[String], whose: &str| {
        (!names.is_empty()).then(|| format!("only {whose} has {}", subset::some(names)))
    };
    let sides = [side(&only_in_model, "the checkpoint"), side(&only_in_data, "the data set")];
    let sides: Vec<String> = sides.into_iter().flatten().collect();
    let hint =
        if are_numbers(used) { " (the checkpoint knows its classes by their numbers alone)" } else { "" };
    bail!("the data set's classes are not the checkpoint's: {}{hint}", sides.join("; "))
}

/// The place among `model` of each class of `data` that has one.
fn common_names(data: &[String], model: &[String]) -> anyhow::Result<Vec<Option<usize>>> {
    let places = by_name(data, model)?;
    ensure!(
        places.iter().any(Option::is_some),
        "the data set and the checkpoint have no class in common: the one has {}, the other {}",
        subset::some(data),
        subset::some(model)
    );
    Ok(places)
}

/// The place of each of `data` among `model`, by [`comparable`] names and ImageNet's list; fails where that
/// is no single one.
fn by_name(data: &[String], model: &[String]) -> anyhow::Result<Vec<Option<usize>>> {
    let words = imagenet::in_the_words_of(model, data);
    let data = words.as_deref().unwrap_or(data);
    let names = Names::new(model);
    let mut taken = BTreeMap::new();
    let mut places = Vec::with_capacity(data.len());
    for name in data {
        let place = names.place(name)?;
        if let Some(before) = place.and_then(|place| taken.insert(place, name)) {
            bail!(
                "the data set's classes \"{before}\" and \"{name}\" are one and the same in the checkpoint"
            );
        }
        places.push(place);
    }
    Ok(places)
}

fn missing(data: &[String], places: &[Option<usize>]) -> Vec<String> {
    data.iter().zip(places).filter(|(_, place)| place.is_none()).map(|(name, _)| name.clone()).collect()
}

/// A model's classes, to be found by name.
struct Names(BTreeMap<String, Vec<usize>>);

impl Names {
    fn new(model: &[String]) -> Self {
        let mut places = BTreeMap::<String, Vec<usize>>::new();
        for (place, name) in model.iter().enumerate() {
            places.entry(comparable(name)).or_default().push(place);
        }
        Self(places)
    }

    /// Fails for a name that several classes have.
    fn place(&self, name: &str) -> anyhow::Result<Option<usize>> {
        match self.0.get(&comparable(name)).map(Vec::as_slice) {
            None => Ok(None),
            Some([place]) => Ok(Some(*place)),
            Some(places) => {
                bail!(
                    "{} classes of the checkpoint are called \"{name}\"; match by number or by a file",
                    places.len()
                )
            }
        }
    }
}

fn read_lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let fault = |error| anyhow!("the file of classes: {}", unreadable_file(file, &error));
    let text = reading::read_text(file, MAX_FILE).map_err(fault)?;
    let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(String::from).collect())
}

/// The places that the lines of a file give.
fn places_of_file(lines: &[String], data: &[String], model: &[String]) -> anyhow::Result<Vec<Option<usize>>> {
    let pairs: Vec<(&str, &str)> =
        lines.iter().filter_map(|line| line.split_once('\t').or_else(|| line.split_once('='))).collect();
    if pairs.is_empty() {
        ensure!(
            lines.len() == model.len(),
            "it has {} lines; expected one for each of the checkpoint's {} classes, in their order",
            lines.len(),
            model.len()
        );
        return common_names(data, lines);
    }
    if let Some(line) = lines.iter().find(|line| !line.contains(['\t', '='])) {
        bail!(
            "the line \"{line}\" has no tab and no equals sign; expected the data set's class and the checkpoint's"
        );
    }
    let names = Names::new(model);
    let mut places = BTreeMap::new();
    for (from, to) in pairs {
        let known = names.place(to)?;
        let number = || to.trim().parse::<usize>().ok().filter(|number| *number < model.len());
        let Some(place) = known.or_else(number) else {
            bail!("the checkpoint has no class \"{}\"; expected one of {}", to.trim(), subset::some(model));
        };
        ensure!(places.insert(comparable(from), place).is_none(), "it names \"{}\" twice", from.trim());
    }
    let found: Vec<Option<usize>> = data.iter().map(|name| places.get(&comparable(name)).copied()).collect();
    ensure!(
        found.iter().any(Option::is_some),
        "it names no class of the data set, which has {}",
        subset::some(data)
    );
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn the_same_names_are_matched_in_any_order_and_spelling() {
        let places = same_classes(&names("0 1 10 11 2"), &names("0 1 2 10 11")).expect("the same names");
        assert_eq!(places, [Some(0), Some(1), Some(3), Some(4), Some(2)]);
        // e with an acute accent: one letter, and two.
        let composed = vec!["caf\u{e9}".to_owned(), "tea ".to_owned()];
        let decomposed = vec!["tea".to_owned(), "cafe\u{301}".to_owned()];
        assert_eq!(same_classes(&decomposed, &composed).expect("look equal"), [Some(1), Some(0)]);
        let words = same_classes(&names("n01443537 n01440764"), &names("tench goldfish"));
        assert_eq!(words.expect("WordNet's numbers"), [Some(1), Some(0)]);
        let padded = vec!["a".to_owned(), "b".to_owned(), unused_class(2)];
        assert_eq!(same_classes(&names("a b"), &padded).expect("unused outputs"), [Some(0), Some(1)]);
    }

    #[test]
    fn other_names_are_refused_with_those_of_each_side() {
        let message = same_classes(&names("b c d"), &names("a b c")).expect_err("other sets").to_string();
        assert!(message.contains("only the checkpoint has a; only the data set has d"), "{message}");
        let message = same_classes(&names("b c"), &names("a b c")).expect_err("a part").to_string();
        assert!(message.contains("only the checkpoint has a"), "{message}");
        let message = same_classes(&names("a b"), &names("0 1")).expect_err("numbers").to_string();
        assert!(message.contains("by their numbers alone"), "{message}");
        let twice = same_classes(&names("a b"), &names("a a b")).expect_err("ambiguous").to_string();
        assert!(twice.contains("2 classes of the checkpoint are called \"a\""), "{twice}");
    }

    #[test]
    fn files_list_the_outputs_or_pair_the_names() {
        let (data, model) = (names("cat dog"), names("0 1 2"));
        let listed = places_of_file(&names("dog bird cat"), &data, &model).expect("a list");
        assert_eq!(listed, [Some(2), Some(0)]);
        let paired = places_of_file(&names("cat=1 dog=1"), &data, &model).expect("pairs");
        assert_eq!(paired, [Some(1), Some(1)]);
        let part = places_of_file(&["dog\t2".to_owned()], &data, &model).expect("a part");
        assert_eq!(part, [None, Some(2)]);
        for (lines, part) in [
            (names("dog cat"), "2 lines"),
            (names("dog=7"), "no class \"7\""),
            (names("dog=1 dog=2"), "\"dog\" twice"),
            (names("dog=1 cat"), "\"cat\" has no tab"),
            (names("cow=1"), "no class of the data set"),
        ] {
            let message = places_of_file(&lines, &data, &model).expect_err("faulty").to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
