//! The filter of the table of runs: words that a run must have somewhere, and comparisons such as
//! `method = advprop` and `val > 80`, of which all must hold.

use super::ListedRun;
use super::columns::Column;
use super::values::{Kind, Value};
use crate::config::schema;
use std::cmp::Ordering;

/// What a run must fulfil.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(Vec<Condition>);

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    /// A lower-case text that stands somewhere in the run.
    Contains(String),
    Compare {
        column: Column,
        comparison: Comparison,
        /// As it was typed.
        words: String,
        /// What it is as a number: of percent without its sign, of times in seconds.
        number: Option<f64>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Is,
    IsNot,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// The comparisons as they are typed; those of two signs first.
const SIGNS: [(&str, Comparison); 8] = [
    ("!=", Comparison::IsNot),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Is),
    ("≠", Comparison::IsNot),
    ("=", Comparison::Is),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Is => order == Ordering::Equal,
            Self::IsNot => order != Ordering::Equal,
            Self::Below => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::Above => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
        }
    }

    fn is_of_equality(self) -> bool {
        matches!(self, Self::Is | Self::IsNot)
    }
}

/// A part of a filter's text.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(Comparison, &'static str),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some((sign, comparison)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            tokens.push(Token::Sign(*comparison, sign));
            rest = &rest[sign.len()..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let end =
                quoted.find('"').ok_or("a quote \" is not closed; expected a second one behind the words")?;
            tokens.push(Token::Word(quoted[..end].to_owned()));
            rest = &quoted[end + 1..];
        } else {
            let ends = |(at, c): (usize, char)| {
                c.is_whitespace() || c == '"' || SIGNS.iter().any(|(sign, _)| rest[at..].starts_with(sign))
            };
            let end = rest.char_indices().find(|&at| ends(at)).map_or(rest.len(), |(at, _)| at);
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

impl Filter {
    /// Reads a filter for runs with these columns. The error is one sentence.
    pub fn parse(text: &str, columns: &[Column]) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut conditions = Vec::new();
        let mut rest = &tokens[..];
        while let Some((first, after)) = rest.split_first() {
            let word = match first {
                Token::Word(word) => word,
                Token::Sign(_, sign) => {
                    return Err(format!("a key is missing before {sign}; expected val > 80"));
                }
            };
            rest = after;
            let Some((Token::Sign(comparison, sign), after)) = after.split_first() else {
                conditions.push(Condition::Contains(word.to_lowercase()));
                continue;
            };
            let column = column_of(word, columns)?;
            let Some((Token::Word(value), after)) = after.split_first() else {
                return Err(format!("a value is missing behind {word} {sign}"));
            };
            rest = after;
            conditions.push(compare(column, *comparison, sign, value)?);
        }
        Ok(Self(conditions))
    }

    /// Whether a run fulfils all of it.
    pub fn takes(&self, run: &ListedRun) -> bool {
        self.0.iter().all(|condition| condition.holds(run))
    }
}

/// The column that a filter calls `word`: by its key, by its head, or by a key of the configuration, whole or
/// its last part where only one ends so.
fn column_of(word: &str, columns: &[Column]) -> Result<Column, String> {
    let is_called = |column: &&Column| {
        column.key().eq_ignore_ascii_case(word) || column.title().eq_ignore_ascii_case(word)
    };
    let all = || std::iter::once(&Column::Name).chain(columns);
    if let Some(column) = all().find(is_called) {
        return Ok(column.clone());
    }
    let mut ending = schema::fields().iter().filter(|field| field.path == word || field.key() == word);
    match (ending.next(), ending.next()) {
        (Some(field), None) => return Ok(Column::Key(field.path)),
        (Some(one), Some(other)) => {
            return Err(format!("{word} may be {} or {}; expected the whole key", one.path, other.path));
        }
        _ => {}
    }
    let keys: Vec<String> =
        all().filter(|column| !matches!(column, Column::Key(_))).map(Column::key).collect();
    Err(format!("there is no key {word}; expected {} or a key of the configuration", keys.join(", ")))
}

fn compare(column: Column, comparison: Comparison, sign: &str, value: &str) -> Result<Condition, String> {
    let number = match column.kind() {
        Kind::Seconds => seconds(value),
        Kind::Percent => value.strip_suffix('%').unwrap_or(value).parse().ok(),
        _ => value.parse().ok(),
    };
    let expected = match column.kind() {
        Kind::Number | Kind::Percent => Some("a number"),
        Kind::Seconds => Some("a time such as 90s, 45m or 2h"),
        Kind::Words | Kind::Date => None,
    };
    let key = column.key();
    if let Some(expected) = expected.filter(|_| number.is_none()) {
        return Err(format!("{key} {sign} {value} cannot be read; expected {expected}"));
    }
    // A key of the configuration may be a number or a word.
    let has_order =
        !matches!(column.kind(), Kind::Words) || (matches!(column, Column::Key(_)) && number.is_some());
    if !has_order && !comparison.is_of_equality() {
        return Err(format!("{key} holds words, which {sign} does not compare; expected = or !="));
    }
    Ok(Condition::Compare { column, comparison, words: value.to_lowercase(), number })
}

/// Seconds of a time with a unit; without one they are seconds.
fn seconds(text: &str) -> Option<f64> {
    let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).unwrap_or((text, 1.0));
    Some(number.parse::<f64>().ok()? * unit)
}

impl Condition {
    fn holds(&self, run: &ListedRun) -> bool {
        match self {
            Self::Contains(text) => {
                let trained_by = run.trained_by.as_deref().unwrap_or_default();
                let notes = &run.notes.notes;
                let places = [
                    &run.name,
                    &run.folder,
                    &run.place,
                    &run.method,
                    &run.arch,
                    &run.data,
                    notes,
                    trained_by,
                    run.state(),
                ];
                places.iter().any(|place| place.to_lowercase().contains(text))
            }
            Self::Compare { column, comparison, words, number } => match (column.value(run), number) {
                // What is not there is not what was asked for.
                (Value::Absent, _) => *comparison == Comparison::IsNot,
                (Value::Number(value), Some(number)) => comparison.holds(order(value, *number)),
                (Value::Number(_), None) => *comparison == Comparison::IsNot,
                (Value::Words(value), _) if column.kind() == Kind::Date => {
                    // A day is all of its minutes.
                    let shown: String = value.chars().take(words.chars().count()).collect();
                    comparison.holds(shown.as_str().cmp(words))
                }
                (Value::Words(value), _) => comparison.holds(value.to_lowercase().as_str().cmp(words)),
            },
        }
    }
}

/// The order of two figures; those that differ by the rounding of an f32 are equal.
fn order(a: f64, b: f64) -> Ordering {
    if (a - b).abs() <= 1e-6 * a.abs().max(b.abs()) { Ordering::Equal } else { a.total_cmp(&b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::model::runs::tests::run;

    fn taken(filter: &str) -> Vec<String> {
        let runs = [
            run("advprop-a", "advprop", 0, 0.1, &[0.5, 0.6]),
            run("advprop-b", "advprop", 1, 0.1, &[0.7, 0.85]),
            run("plain", "vanilla", 1, 0.016, &[]),
        ];
        let columns = Column::of_runs(&runs);
        let filter = Filter::parse(filter, &columns).expect("a filter");
        runs.iter().filter(|run| filter.takes(run)).map(|run| run.name.clone()).collect()
    }

    #[test]
    fn words_and_comparisons_must_all_hold() {
        for (filter, expected) in [
            ("", &["advprop-a", "advprop-b", "plain"][..]),
            ("AdvProp", &["advprop-a", "advprop-b"]),
            ("vanilla PLAIN", &["plain"]),
            ("method = advprop", &["advprop-a", "advprop-b"]),
            ("method=advprop seed!=1", &["advprop-a"]),
            ("seed = 1 method != advprop", &["plain"]),
            ("val > 80", &["advprop-b"]),
            ("val>=60%", &["advprop-a", "advprop-b"]),
            ("val = 85", &["advprop-b"]),
            ("val < 80", &["advprop-a"]),
            ("lr = 0.016", &["plain"]),
            ("optimizer.lr < 0.05", &["plain"]),
            ("batch_size >= 1 plain", &["plain"]),
            ("steps > 1", &["advprop-a", "advprop-b"]),
            ("duration > 1m", &[]),
            ("duration <= 10s", &["advprop-a", "advprop-b"]),
            ("date = 2026-11-21", &["advprop-a", "advprop-b", "plain"]),
            ("date > 2026-11-21", &[]),
            ("date >= 2026", &["advprop-a", "advprop-b", "plain"]),
            ("name = \"advprop-a\"", &["advprop-a"]),
            ("state = \"cut off\"", &["advprop-a", "advprop-b", "plain"]),
        ] {
            assert_eq!(taken(filter), expected, "{filter}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_sentence() {
        let runs = [run("a", "advprop", 0, 0.1, &[0.5])];
        let columns = Column::of_runs(&runs);
        for (filter, expected) in [
            ("> 80", "a key is missing before >"),
            ("val >", "a value is missing behind val >"),
            ("val > = 3", "a value is missing behind val >"),
            ("val > many", "val > many cannot be read; expected a number"),
            ("duration < long", "expected a time such as 90s"),
            ("method < 3", "method holds words, which < does not compare; expected = or !="),
            ("colour = red", "there is no key colour; expected name, state, method"),
            ("name = \"a", "a quote \" is not closed"),
            ("epsilon = large", "epsilon = large cannot be read"),
        ] {
            let error = Filter::parse(filter, &columns).expect_err(filter);
            assert!(error.contains(expected) && !error.contains('\n'), "{filter}: {error}");
        }
    }
}
