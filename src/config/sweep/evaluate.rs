//! The tables `[evaluate]` of a sweep file: what is measured on the best checkpoint of each finished run.

use super::read::{Lines, entries};
use crate::config::parse::plain;
use crate::config::{AUTO, ConfigError, Domain, EvaluationAttack, schema};
use std::fmt::Write as _;
use toml::Value;
use toml::de::DeTable;

const KEYS: [&str; 7] = ["data", "attacks", "corruptions", "severity", "domains", "localise", "limit"];

/// The words of `localise`.
const LOCALISE: [&str; 2] = ["cam", "gradcam"];

/// What is measured on each finished run: every part of the data clean, under every attack and with every
/// corruption, through every domain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluate {
    /// Data parts as `eval --data` takes them, such as `shapes:val-stylized`; none: the validation set of
    /// the run.
    pub data: Vec<String>,
    /// Attack SPECs as `eval --attack` takes them.
    pub attacks: Vec<String>,
    /// Corruptions, if any.
    pub corruptions: Option<Corrupted>,
    /// The severities of the corruptions, each 1..=5; none: all five.
    pub severity: Vec<u8>,
    /// The BN domains, of which [`AUTO`] is the choice by image; none: all that the run has, and that choice.
    pub domains: Vec<String>,
    /// How the class activation maps are made that are held against the drawn objects, `cam` or `gradcam`;
    /// none: they are not.
    pub localise: Option<String>,
    /// Images used, evenly spread over the set; 0: all.
    pub limit: usize,
}

/// Which corruptions are measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Corrupted {
    /// The fifteen of the benchmark's mean corruption error.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

impl Evaluate {
    pub(super) fn read(lines: Lines<'_>, table: &DeTable<'_>) -> Result<Self, ConfigError> {
        let mut made = Self::default();
        for (key, value) in entries(table) {
            let name = key.get_ref().as_ref();
            let found = plain(value.get_ref());
            let expected = |what: &str| {
                let found = found.as_ref().map_or_else(String::new, ToString::to_string);
                lines.fault(key, name, format!("`evaluate.{name}` is {found}; expected {what}"))
            };
            let words = |what: &str| -> Result<Vec<String>, ConfigError> {
                let items = found.as_ref().and_then(Value::as_array).ok_or_else(|| expected(what))?;
                let word = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| expected(what));
                items.iter().map(word).collect()
            };
            match name {
                "data" => made.data = words("a list such as [\"shapes:val\", \"shapes:val-stylized\"]")?,
                "attacks" => {
                    made.attacks = words("a list such as [\"pgd:eps=4,step=1,iters=5\"]")?;
                    for spec in &made.attacks {
                        EvaluationAttack::parse_spec(spec).map_err(|fault| {
                            lines.fault(key, name, format!("`evaluate.attacks` names \"{spec}\": {fault}"))
                        })?;
                    }
                }
                "corruptions" if found.as_ref().and_then(Value::as_str) == Some("all") => {
                    made.corruptions = Some(Corrupted::All);
                }
                "corruptions" => {
                    made.corruptions = Some(Corrupted::Named(words("\"all\" or a list of names")?))
                }
                "severity" => {
                    let what = "a list of whole numbers from 1 to 5";
                    let items = found.as_ref().and_then(Value::as_array).ok_or_else(|| expected(what))?;
                    let severity = |item: &Value| {
                        let number = item.as_integer().and_then(|n| u8::try_from(n).ok());
                        number.filter(|n| (1..=5).contains(n)).ok_or_else(|| expected(what))
                    };
                    made.severity = items.iter().map(severity).collect::<Result<_, _>>()?;
                }
                "domains" => {
                    made.domains = words("a list of BN domains such as [\"main\", \"auto\"]")?;
                    let known: Vec<&str> = Domain::NAMES.into_iter().chain([AUTO]).collect();
                    if let Some(other) = made.domains.iter().find(|name| !known.contains(&name.as_str())) {
                        return Err(expected(&format!("names of {}; \"{other}\" is none", known.join(", "))));
                    }
                }
                "localise" => {
                    let word = found.as_ref().and_then(Value::as_str);
                    let word = word.filter(|word| LOCALISE.contains(word));
                    made.localise = Some(word.ok_or_else(|| expected("\"cam\" or \"gradcam\""))?.to_owned());
                }
                "limit" => {
                    let number = found.as_ref().and_then(Value::as_integer);
                    let number = number.and_then(|n| usize::try_from(n).ok());
                    made.limit = number.ok_or_else(|| expected("a whole number of images; 0: all"))?;
                }
                other => {
                    let nearest = schema::nearest_choice(other, &KEYS);
                    let message =
                        format!("unknown key `evaluate.{other}`; the nearest valid key is `{nearest}`");
                    return Err(lines.fault(key, other, message));
                }
            }
        }
        Ok(made)
    }

    /// The keys of the table as TOML.
    pub(super) fn toml(&self) -> String {
        let list = |words: &[String]| Value::from(words.to_vec());
        let mut text = String::new();
        let mut key = |name: &str, value: Value, given: bool| {
            if given {
                let _ = writeln!(text, "{name} = {value}");
            }
        };
        key("data", list(&self.data), !self.data.is_empty());
        key("attacks", list(&self.attacks), !self.attacks.is_empty());
        match &self.corruptions {
            None => {}
            Some(Corrupted::All) => key("corruptions", "all".into(), true),
            Some(Corrupted::Named(names)) => key("corruptions", list(names), true),
        }
        let severity: Vec<i64> = self.severity.iter().copied().map(i64::from).collect();
        key("severity", severity.into(), !self.severity.is_empty());
        key("domains", list(&self.domains), !self.domains.is_empty());
        if let Some(method) = &self.localise {
            key("localise", method.as_str().into(), true);
        }
        key("limit", (self.limit as i64).into(), self.limit > 0);
        text
    }
}
