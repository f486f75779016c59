//! What an evaluation prints.

use super::table::table;
use crate::cli::common::{print_json, print_line};
use crate::config::EvaluationAttack;
use crate::evaluation::interval;
use crate::evaluation::robustness::mce::Mce;
use crate::evaluation::robustness::row::{Row, RowLocalisation};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Everything that was measured.
pub(super) struct Figures<'a> {
    pub(super) rows: &'a [Row],
    /// How labels were matched with the checkpoint's classes: `name`, `number` or a file.
    pub(super) classes_by: &'a str,
    /// Whether that needs no word.
    pub(super) plain_classes: bool,
    /// The parameter set and the seed of corruptions that were made here.
    pub(super) generator: Option<(&'static str, u64)>,
    /// By domain; empty where no corruption was asked for.
    pub(super) mce: Vec<Mce>,
}

/// What `--json` prints of a single row: the row, and how classes were matched.
#[derive(Serialize)]
struct SingleRow<'a> {
    #[serde(flatten)]
    row: &'a Row,
    classes_by: &'a str,
}

/// What `--json` prints of several rows.
#[derive(Serialize)]
struct SeveralRows<'a> {
    data: &'a str,
    split: &'a str,
    classes_by: &'a str,
    /// `imagenet-c` or `cifar-c`; null where no corruption was made.
    corruption_set: Option<&'a str>,
    /// Seed of the corruptions that were made.
    corruption_seed: Option<u64>,
    rows: &'a [Row],
    /// Of the first domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    mce: Option<&'a Mce>,
    /// Of each domain by its name, where there are several.
    #[serde(skip_serializing_if = "Map::is_empty")]
    mce_by_domain: Map<String, Value>,
}

impl Figures<'_> {
    /// Prints one JSON object: the row where there is one and no corruption, else all rows and the mean
    /// corruption error.
    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        let Some(first) = self.rows.first() else { return print_json(&json!({"rows": []})) };
        if self.rows.len() == 1 && self.mce.is_empty() {
            return print_json(&SingleRow { row: first, classes_by: self.classes_by });
        }
        let mut mce_by_domain = Map::new();
        if self.mce.len() > 1 {
            for mce in &self.mce {
                mce_by_domain.insert(mce.domain.clone(), serde_json::to_value(mce)?);
            }
        }
        print_json(&SeveralRows {
            data: &first.data,
            split: &first.split,
            classes_by: self.classes_by,
            corruption_set: self.generator.map(|(set, _)| set),
            corruption_seed: self.generator.map(|(_, seed)| seed),
            rows: self.rows,
            mce: self.mce.first(),
            mce_by_domain,
        })
    }

    /// Prints a sentence for each row, or a table of corruptions for each domain.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let classes = match self.plain_classes {
            true => String::new(),
            false => format!(", classes by {}", self.classes_by),
        };
        for row in self.rows.iter().filter(|row| row.corruption.is_none()) {
            print_line(&format!("{}{classes}", sentence(row)))?;
        }
        for mce in &self.mce {
            print_line(&table(self.rows, mce, self.generator))?;
        }
        Ok(())
    }
}

/// An attack in words, with its radius where it is a single one.
fn under(spec: &str, statistics: &str) -> String {
    let radius =
        EvaluationAttack::parse_spec(spec).map(|attack| format!("epsilon {}/255, ", attack.epsilon()));
    format!(" under {spec} ({}{statistics} statistics)", radius.unwrap_or_default())
}

/// A row without a corruption in words.
fn sentence(row: &Row) -> String {
    let under = row.attack.as_ref().map(|spec| under(spec, &row.statistics)).unwrap_or_default();
    let found = row.localisation.as_ref().map(localisation).unwrap_or_default();
    format!(
        "{} {}, domain {}{under}: top-1 {:.2}%{}, top-5 {:.2}%{}, loss {:.4} on {} images{found}",
        row.data,
        row.split,
        row.domain,
        100.0 * row.top1,
        interval::words(row.top1, row.images),
        100.0 * row.top5,
        interval::words(row.top5, row.images),
        row.loss,
        row.images
    )
}

/// How well maps find the object, in words.
fn localisation(found: &RowLocalisation) -> String {
    format!(
        ", {} of the {}: {:.1}% of the energy on the object, box IoU {:.3} from {:.0}% of the maximum, pointing \
         {:.1}%",
        found.method,
        found.class,
        100.0 * found.energy,
        found.box_iou,
        100.0 * found.box_threshold,
        100.0 * found.pointing
    )
}
