//! The values of the table's columns, their order, and numbers as short as they were typed.

use std::cmp::Ordering;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Words,
    Number,
    /// Percent, whose share of 100 is drawn behind it.
    Percent,
    Seconds,
    /// UTC, as `2026-11-21 07:30`.
    Date,
}

/// The value of a column of one run.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known, or not measured.
    Absent,
    Words(String),
    Number(f64),
}

impl Value {
    /// Words; none are absent.
    pub(super) fn of_words(words: &str) -> Self {
        if words.is_empty() { Self::Absent } else { Self::Words(words.to_owned()) }
    }

    /// A number; one that is not finite is absent.
    pub(super) fn of_number(number: Option<f64>) -> Self {
        number.filter(|number| number.is_finite()).map_or(Self::Absent, Self::Number)
    }
}

/// The order of two values, rising or falling; runs without one come last either way.
pub fn order(a: &Value, b: &Value, falling: bool) -> Ordering {
    let order = match (a, b) {
        (Value::Absent, Value::Absent) => return Ordering::Equal,
        (Value::Absent, _) => return Ordering::Greater,
        (_, Value::Absent) => return Ordering::Less,
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::Words(a), Value::Words(b)) => natural(a, b),
        (Value::Number(_), Value::Words(_)) => Ordering::Less,
        (Value::Words(_), Value::Number(_)) => Ordering::Greater,
    };
    if falling { order.reverse() } else { order }
}

/// As short as it reads back to the same f32: 0.1 and not 0.10000000149.
pub(super) fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let short = (number as f32).to_string();
    if short.parse::<f64>().is_ok_and(|read| (read - number).abs() <= 1e-7 * number.abs()) {
        short
    } else {
        number.to_string()
    }
}

/// The order of words in which `seed9` comes before `seed10`, and case says nothing.
fn natural(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| {
        let mut parts: Vec<(bool, String)> = Vec::new();
        for c in text.to_lowercase().chars() {
            let digit = c.is_ascii_digit();
            match parts.last_mut() {
                Some((of_digits, part)) if *of_digits == digit => part.push(c),
                _ => parts.push((digit, c.to_string())),
            }
        }
        parts
    };
    let mut order = Ordering::Equal;
    for ((digits, a), (_, b)) in parts(a).into_iter().zip(parts(b)).filter(|(a, b)| a != b) {
        order = match (digits, a.parse::<u64>(), b.parse::<u64>()) {
            (true, Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(&b),
        };
        if order != Ordering::Equal {
            break;
        }
    }
    order.then_with(|| a.len().cmp(&b.len())).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ordered_as_people_count() {
        let mut names = ["run-10", "Run-9", "run-9b", "a", "run-010"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "Run-9", "run-9b", "run-10", "run-010"]);
    }

    #[test]
    fn numbers_are_as_short_as_they_were_typed() {
        let texts = [f64::from(0.1f32), 0.016, 1e-5, 3.0].map(number_text);
        assert_eq!(texts, ["0.1", "0.016", "0.00001", "3"]);
    }
}
