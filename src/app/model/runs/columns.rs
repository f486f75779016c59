//! The columns of the table of runs: what each is called in the table and in a filter, and its value of a
//! run.

use super::ListedRun;
use super::accuracy_line::{AccuracyLine, lines_of};
use super::values::{Kind, Value, number_text};
use crate::app::format;
use crate::app::model::kinds::MAIN_SPLIT;
use crate::app::model::series::Series;
use crate::config::{Domain, schema};
use crate::training::run_folder::utc;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;

/// A column. It is kept by its [`key`](Self::key).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(into = "String")]
pub enum Column {
    Name,
    State,
    Method,
    Seed,
    Accuracy(AccuracyLine),
    CorruptionError,
    Steps,
    Duration,
    Data,
    Network,
    Attack,
    Epsilon,
    Rate,
    Date,
    Starred,
    Notes,
    /// A key of the configuration, by its path.
    Key(&'static str),
}

/// The columns that are always there but for [`Column::Name`], those of figures in between left out.
const FIXED: [Column; 14] = [
    Column::State,
    Column::Method,
    Column::Seed,
    Column::CorruptionError,
    Column::Steps,
    Column::Duration,
    Column::Data,
    Column::Network,
    Column::Attack,
    Column::Epsilon,
    Column::Rate,
    Column::Date,
    Column::Starred,
    Column::Notes,
];

impl Column {
    /// The word in a filter and in what is kept.
    pub fn key(&self) -> String {
        let word = match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Method => "method",
            Self::Seed => "seed",
            Self::CorruptionError => "mce",
            Self::Steps => "steps",
            Self::Duration => "duration",
            Self::Data => "data",
            Self::Network => "network",
            Self::Attack => ATTACK,
            Self::Epsilon => "epsilon",
            Self::Rate => "lr",
            Self::Date => "date",
            Self::Starred => "starred",
            Self::Notes => "notes",
            Self::Key(path) => path,
            Self::Accuracy(line) => return line.key(),
        };
        word.to_owned()
    }

    /// The head of the column.
    pub fn title(&self) -> String {
        let words = match self {
            Self::Name => "Run",
            Self::State => "State",
            Self::Method => "Method",
            Self::Seed => "Seed",
            Self::CorruptionError => "Corruption error",
            Self::Steps => "Steps",
            Self::Duration => "Duration",
            Self::Data => "Data",
            Self::Network => "Network",
            Self::Attack => "Trained by",
            Self::Epsilon => "ε",
            Self::Rate => "Rate",
            Self::Date => "Written (UTC)",
            Self::Starred => "Starred",
            Self::Notes => "Notes",
            Self::Key(path) => path,
            Self::Accuracy(line) => return line.title(),
        };
        words.to_owned()
    }

    /// One sentence on what the column holds.
    pub fn help(&self) -> String {
        let words = match self {
            Self::Name => "Name of the run: its folder's, or one of yours",
            Self::State => "At work, completed, stopped, failed, or cut off by a kill or a crash",
            Self::Method => "Training method",
            Self::Seed => "Seed of weights, order and augmentation",
            Self::CorruptionError => {
                "Mean top-1 error of main over the 15 main corruptions at five severities, percent, from the run \
                 folder's evaluation; in brackets over those that were measured"
            }
            Self::Steps => "Finished optimizer steps",
            Self::Duration => "Time of training, pauses and validation left out",
            Self::Data => "Data set",
            Self::Network => "Architecture",
            Self::Attack => "Attack of the training",
            Self::Epsilon => "Radius of the training's attack, 1/255",
            Self::Rate => "Learning rate before the schedule",
            Self::Date => "When figures were written last, UTC",
            Self::Starred => "Marked with a star",
            Self::Notes => "What you wrote about the run",
            Self::Key(path) => return schema::field(path).map_or_else(String::new, |f| f.help.to_owned()),
            Self::Accuracy(line) => return line.help(),
        };
        words.to_owned()
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Seed | Self::Steps | Self::Epsilon | Self::Rate => Kind::Number,
            Self::Accuracy(_) | Self::CorruptionError => Kind::Percent,
            Self::Duration => Kind::Seconds,
            Self::Date => Kind::Date,
            _ => Kind::Words,
        }
    }

    /// Width, points.
    pub fn width(&self) -> f32 {
        match self {
            Self::Name => 226.0,
            Self::Accuracy(line) if line.attacked => 132.0,
            Self::Seed | Self::Epsilon => 48.0,
            Self::Steps | Self::Rate => 72.0,
            Self::State => 84.0,
            Self::Attack | Self::Notes => 170.0,
            Self::Key(_) | Self::Network | Self::Date => 124.0,
            _ => 104.0,
        }
    }

    /// Whether it is shown before the user chooses.
    pub fn is_shown_at_first(&self) -> bool {
        match self {
            Self::Accuracy(line) => line.split == MAIN_SPLIT && line.domain == Domain::Main.name(),
            Self::State | Self::Method | Self::Seed | Self::Steps | Self::Date => true,
            _ => false,
        }
    }

    /// Its value of a run.
    pub fn value(&self, run: &ListedRun) -> Value {
        match self {
            Self::Name => Value::of_words(&run.name),
            Self::State => Value::of_words(run.state()),
            Self::Method => Value::of_words(&run.method),
            Self::Seed => Value::of_number(run.seed.map(|seed| seed as f64)),
            Self::CorruptionError => {
                Value::of_number(run.corruption_error.as_ref().map(|error| error.percent))
            }
            Self::Steps => Value::of_number(run.run.last_step.as_ref().map(|step| step.step as f64)),
            Self::Duration => Value::of_number(run.run.last_step.as_ref().map(|step| step.elapsed_s)),
            Self::Data => Value::of_words(&run.data),
            Self::Network => Value::of_words(&run.arch),
            Self::Attack => Value::of_words(run.trained_by.as_deref().unwrap_or_default()),
            Self::Epsilon => Value::of_number(run.epsilon),
            Self::Rate => Value::of_number(run.lr),
            Self::Date => run.written.map_or(Value::Absent, |seconds| Value::Words(date(seconds))),
            Self::Starred => Value::of_words(if run.notes.starred { "yes" } else { "" }),
            // One line of a table.
            Self::Notes => Value::of_words(&run.notes.notes.replace(['\r', '\n'], " ")),
            Self::Key(path) => run.key(path).map_or(Value::Absent, |value| {
                value.parse().map_or_else(|_| Value::of_words(value.trim_matches('"')), Value::Number)
            }),
            Self::Accuracy(line) => Value::of_number(line.series(run).and_then(Series::last)),
        }
    }

    /// The value as it is shown; a dash where there is none.
    pub fn text(&self, run: &ListedRun) -> String {
        match (self.value(run), self) {
            (_, Self::Name) => run.label(),
            (Value::Absent, _) => "–".to_owned(),
            (Value::Words(words), _) => words,
            (Value::Number(number), Self::CorruptionError) => {
                let is_whole = run.corruption_error.as_ref().is_some_and(|error| error.is_whole);
                let text = format::percent(number);
                if is_whole { text } else { format!("({text})") }
            }
            (Value::Number(number), Self::Accuracy(line)) => {
                let attack = line.attack(run).map(format::attack);
                format!("{} {}", format::percent(number), attack.unwrap_or_default()).trim_end().to_owned()
            }
            (Value::Number(number), Self::Steps) => format::count(number as u64),
            (Value::Number(number), Self::Duration) => format::duration(number),
            (Value::Number(number), _) => number_text(number),
        }
    }

    /// The value for a file: figures without unit, and to all digits.
    pub fn plain_text(&self, run: &ListedRun) -> String {
        match self.value(run) {
            _ if *self == Self::Name => run.label(),
            Value::Absent => String::new(),
            Value::Words(words) => words,
            Value::Number(number) => number_text(number),
        }
    }

    /// The head for a file, with the unit.
    pub fn plain_title(&self) -> String {
        let unit = match self.kind() {
            Kind::Percent => " (%)",
            Kind::Seconds => " (s)",
            _ => "",
        };
        self.title() + unit
    }

    /// SPEC of the attack behind the value.
    pub fn attack<'a>(&self, run: &'a ListedRun) -> Option<&'a str> {
        if let Self::Accuracy(line) = self { line.attack(run) } else { None }
    }

    /// What the pointer is told over a value beside it; empty where the value says all.
    pub fn about(&self, run: &ListedRun) -> String {
        match self {
            Self::State => run.failure().unwrap_or_default().to_owned(),
            Self::Notes => run.notes.notes.clone(),
            Self::CorruptionError => {
                run.corruption_error.as_ref().map_or_else(String::new, |e| e.about.clone())
            }
            Self::Accuracy(line) => {
                let best = line.series(run).and_then(Series::highest).map(|(step, best)| {
                    format!("Best {} at step {}", format::percent(best), format::count(step))
                });
                let by = line.attack(run).map(|spec| format!("\nAttacked by {spec}"));
                best.unwrap_or_default() + &by.unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    /// Whether the first click on its head puts the largest first: the best figure, the newest run.
    pub fn falls_first(&self) -> bool {
        matches!(self, Self::Accuracy(_) | Self::Date | Self::Steps | Self::Duration)
    }

    /// The columns of these runs but [`Column::Name`], in the order of the table: those of every run, the
    /// lines that were measured, and the keys of the configuration that differ.
    pub fn of_runs(runs: &[Arc<ListedRun>]) -> Vec<Self> {
        let mut columns = FIXED.to_vec();
        columns.splice(3..3, lines_of(runs).into_iter().map(Self::Accuracy));
        columns.extend(differing(runs).into_iter().map(Self::Key));
        columns
    }
}

/// The filter's word for the attack of the training.
const ATTACK: &str = "attack";

impl From<Column> for String {
    fn from(column: Column) -> Self {
        column.key()
    }
}

impl From<String> for Column {
    fn from(key: String) -> Self {
        let fixed = FIXED.into_iter().chain([Self::Name]).find(|column| column.key() == key);
        let of_config = || schema::field(&key).map(|field| Self::Key(field.path));
        fixed.or_else(of_config).unwrap_or_else(|| Self::Accuracy(AccuracyLine::parse(&key)))
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// `2026-11-21 07:30`.
fn date(seconds: u64) -> String {
    utc(seconds).chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// The keys of the configuration that not all runs have the same value of, in the order of a file.
pub fn differing<'a>(runs: impl IntoIterator<Item = &'a Arc<ListedRun>>) -> Vec<&'static str> {
    let runs: Vec<&Arc<ListedRun>> = runs.into_iter().collect();
    // Of a run without a readable configuration, nothing is known that could differ.
    let differs = |index: usize| {
        let mut values = runs.iter().filter_map(|run| run.keys.get(index));
        values.next().is_some_and(|first| values.any(|value| value != first))
    };
    let fields = schema::fields().iter().enumerate();
    fields.filter(|(index, _)| differs(*index)).map(|(_, field)| field.path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_kept_by_their_keys() {
        let line = |split: &str, domain: &str, attacked| {
            Column::Accuracy(AccuracyLine { split: split.into(), domain: domain.into(), attacked })
        };
        let mut columns = FIXED.to_vec();
        columns.extend([
            Column::Name,
            Column::Key("optimizer.weight_decay"),
            line("val", "main", false),
            line("val", "aux", false),
            line("val-stylized", "main", true),
            line("val-stylized", "aux2", true),
        ]);
        for column in columns {
            assert_eq!(Column::from(column.key()), column, "{}", column.key());
        }
        assert_eq!(line("val", "aux", true).key(), "val.aux.attacked");
    }
}
