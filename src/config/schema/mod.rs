//! Every key of the configuration in one table: type, range, unit, help and origin. Parsing, range checks,
//! the reference in `dualprop train --help` and the window's form all read it.

mod table;
mod words;

use super::Config;
use std::fmt;
use std::fmt::Write as _;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Dotted path, such as `method.attack.epsilon`.
    pub path: &'static str,
    /// What values the key takes.
    pub kind: Kind,
    /// `""` for pure numbers and words.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Paper and section, or the reason for the default.
    pub source: &'static str,
    /// Shown at once; the others are behind "advanced".
    pub basic: bool,
    /// May be absent: the program then decides as the help says.
    pub optional: bool,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// True or false.
    Flag,
    /// Whole number, both ends included.
    Integer {
        /// The lowest value.
        min: i64,
        /// The highest value; `i64::MAX`: none.
        max: i64,
    },
    /// A finite number, whole or not.
    Number(Range),
    /// Any string.
    Text,
    /// Path of a folder or file.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any of these, each at most once.
    ChoiceList(&'static [&'static str]),
    /// A list of numbers.
    NumberList {
        /// How many; `None`: any number of them.
        length: Option<usize>,
        /// What each must lie in.
        each: Range,
    },
    /// A list of whole numbers, both ends included, each at most once.
    IntegerList {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// As on the command line, such as `pgd:eps=4,step=1,iters=5`; may be empty.
    AttackSpec,
    /// Tables with the keys of [`branch_fields`].
    Branches,
}

/// An interval; an open end is excluded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The lower end.
    pub min: f64,
    /// The upper end.
    pub max: f64,
    /// Whether `min` itself is outside.
    pub open_min: bool,
    /// Whether `max` itself is outside.
    pub open_max: bool,
}

impl Range {
    /// Whether the value lies in the interval.
    pub fn contains(&self, value: f64) -> bool {
        let above = if self.open_min { value > self.min } else { value >= self.min };
        let below = if self.open_max { value < self.max } else { value <= self.max };
        above && below
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = if self.open_min { "above" } else { "from" };
        let high = if self.open_max { "below" } else { "to" };
        write!(f, "{low} {} {high} {}", self.min, self.max)
    }
}

/// What was expected, as the end of "expected …".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => write!(f, "true or false"),
            Kind::Integer { min, max } if *max == i64::MAX => write!(f, "a whole number of at least {min}"),
            Kind::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Number(range) => write!(f, "a number {range}"),
            Kind::Text => write!(f, "a string"),
            Kind::Path => write!(f, "a path as a string"),
            Kind::Choice(choices) => write!(f, "one of {}", choices.join(", ")),
            Kind::ChoiceList(choices) => write!(f, "a list of any of {}", choices.join(", ")),
            Kind::NumberList { length: Some(n), each } => write!(f, "a list of {n} numbers {each}"),
            Kind::NumberList { length: None, each } => write!(f, "a list of numbers {each}"),
            Kind::IntegerList { min, max } => {
                write!(f, "a list of different whole numbers from {min} to {max}")
            }
            Kind::AttackSpec => write!(f, "an attack such as \"pgd:eps=4,step=1,iters=5\", or \"\" for none"),
            Kind::Branches => write!(f, "tables [[method.branch]] with source, domain, weight and share"),
        }
    }
}

impl Field {
    /// The table that the key is in: `method.attack` of `method.attack.step`.
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The key's own name: `step` of `method.attack.step`.
    pub fn key(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, key)| key)
    }

    /// The value that holds where the file says nothing and no other key changes it; `None`: absent.
    pub fn default_value(&self) -> Option<toml::Value> {
        Config::default().get(self.path)
    }
}

/// All keys, section by section in the order of the file.
pub fn fields() -> &'static [Field] {
    &table::FIELDS
}

/// The keys of one `[[method.branch]]` table.
pub fn branch_fields() -> &'static [Field] {
    table::BRANCH_FIELDS
}

/// The key of that dotted path.
pub fn field(path: &str) -> Option<&'static Field> {
    fields().iter().find(|f| f.path == path)
}

/// Why a key of an earlier version is no longer one; `None` for every other path.
pub fn retired(path: &str) -> Option<&'static str> {
    words::RETIRED.iter().find(|(key, _)| *key == path).map(|(_, reason)| *reason)
}

/// The dotted paths of all tables, in the order of the file.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = fields().iter().map(Field::section).collect();
    sections.dedup();
    sections
}

/// The configuration reference as text, one key a paragraph.
pub fn reference() -> String {
    let mut text = String::new();
    for section in sections() {
        let _ = writeln!(text, "[{section}]");
        for field in fields().iter().filter(|f| f.section() == section) {
            let default = field.default_value().map_or("absent".to_string(), |v| v.to_string());
            let unit = if field.unit.is_empty() { String::new() } else { format!(", {}", field.unit) };
            let _ = writeln!(text, "  {} = {default}{unit}", field.key());
            let _ = writeln!(text, "      {} ({}.)", field.help, field.kind);
        }
    }
    text
}

/// The valid key nearest to a misspelt one, by the words people use for it first and by edit distance then.
/// A key of the same section wins over an equally similar one elsewhere.
pub fn nearest_key(path: &str) -> &'static str {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let score = |field: &Field| {
        let key_score = strsim::normalized_damerau_levenshtein(key, field.key());
        let synonym = words::SYNONYMS.iter().any(|(word, k)| *word == key && *k == field.key());
        let key_score = if synonym { 1.0 } else { key_score };
        key_score + 0.2 * strsim::normalized_damerau_levenshtein(section, field.section())
    };
    best(fields(), score).map_or("run.name", |f| f.path)
}

/// The valid section nearest to a misspelt one.
pub fn nearest_section(path: &str) -> &'static str {
    let sections = sections();
    best(&sections, |s| strsim::normalized_damerau_levenshtein(path, s)).copied().unwrap_or("run")
}

/// The choice nearest to a misspelt one, or to the beginning of one.
pub fn nearest_choice(value: &str, choices: &[&'static str]) -> &'static str {
    let value = value.to_lowercase();
    let score = |choice: &&'static str| {
        let begins = value.len() >= 3 && choice.starts_with(&value);
        f64::from(u8::from(begins)) + strsim::normalized_damerau_levenshtein(&value, choice)
    };
    best(choices, score).copied().unwrap_or("")
}

/// The item of the highest score; the first of equals.
fn best<T>(items: &[T], score: impl Fn(&T) -> f64) -> Option<&T> {
    let mut found: Option<(&T, f64)> = None;
    for item in items {
        let s = score(item);
        if found.is_none_or(|(_, top)| s > top) {
            found = Some((item, s));
        }
    }
    found.map(|(item, _)| item)
}
