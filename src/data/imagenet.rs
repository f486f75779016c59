//! The classes of ImageNet's challenge, which go by two kinds of names: folders are called after WordNet's
//! numbers, and networks' files name their outputs in words.

use super::class_match::comparable;
use std::collections::BTreeMap;

/// The 1,000 classes in the order of networks' outputs, a name a line: WordNet's first word for each synset.
const NAMES: &str = include_str!("../../assets/classes/imagenet1k.txt");
/// WordNet's numbers of the same classes in the same order, which is that of the numbers.
const NUMBERS: &str = include_str!("../../assets/classes/imagenet1k_wordnet.txt");

/// The names of the classes in words, in the order of networks' outputs.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

/// `classes` in the kind of name that the classes of `model` have, where the ones are WordNet's numbers of
/// ImageNet's classes (all of them or some) and the others are words of ImageNet's classes, or the other way
/// round. `None` where they are not: names of anything else are compared as they are.
pub(super) fn in_the_words_of(model: &[String], classes: &[String]) -> Option<Vec<String>> {
    let (numbers, words): (Vec<&str>, Vec<&str>) = (NUMBERS.lines().collect(), NAMES.lines().collect());
    translated(&numbers, &words, model, classes).or_else(|| translated(&words, &numbers, model, classes))
}

/// `classes` from one vocabulary into the other, which all of `model` must be in.
fn translated(from: &[&str], to: &[&str], model: &[String], classes: &[String]) -> Option<Vec<String>> {
    let known = |words: &[&str]| -> BTreeMap<String, usize> {
        words.iter().enumerate().map(|(place, word)| (comparable(word), place)).collect()
    };
    let (from, targets) = (known(from), known(to));
    let speaks = |names: &[String], words: &BTreeMap<String, usize>| {
        !names.is_empty() && names.iter().all(|name| words.contains_key(&comparable(name)))
    };
    if !speaks(classes, &from) || !speaks(model, &targets) {
        return None;
    }
    Some(classes.iter().map(|name| to[from[&comparable(name)]].to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn both_lists_name_a_thousand_different_classes() {
        for list in [NAMES, NUMBERS] {
            let lines: Vec<&str> = list.lines().collect();
            let different: std::collections::BTreeSet<String> =
                lines.iter().map(|line| comparable(line)).collect();
            assert_eq!((lines.len(), different.len()), (1000, 1000));
        }
        assert!(NUMBERS.lines().is_sorted(), "outputs are in the order of WordNet's numbers");
    }

    #[test]
    fn numbers_and_words_are_translated_both_ways_and_nothing_else_is() {
        let (numbers, words) = (owned(&["n01443537", "n01440764"]), owned(&["goldfish", "tench"]));
        let all: Vec<String> = names().map(str::to_owned).collect();
        assert_eq!(in_the_words_of(&all, &numbers), Some(words.clone()));
        assert_eq!(in_the_words_of(&numbers, &words), Some(numbers.clone()));
        assert_eq!(in_the_words_of(&words, &words), None);
        assert_eq!(in_the_words_of(&owned(&["tench", "my cat"]), &numbers), None);
        assert_eq!(in_the_words_of(&all, &owned(&["n01440764", "n00000001"])), None);
        assert_eq!(in_the_words_of(&all, &[]), None);
    }
}
