//! What an evaluation prints.

use super::table::table;
use crate::cli::common::{print_json, print_line};
use crate::config::EvaluationAttack;
use crate::evaluation::interval;
use crate::evaluation::robustness::figures::Figures;
use crate::evaluation::robustness::row::{Row, RowLocalisation};

/// What was measured, and what the words beside it need.
pub(super) struct Printed<'a> {
    pub(super) figures: Figures<'a>,
    /// Whether it needs no word how classes were matched.
    pub(super) plain_classes: bool,
}

impl Printed<'_> {
    /// Prints one JSON object.
    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        print_json(&self.figures)
    }

    /// Prints a sentence for each row, or a table of corruptions for each domain.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let Figures { rows, classes_by, generator, mce } = &self.figures;
        let classes = match self.plain_classes {
            true => String::new(),
            false => format!(", classes by {classes_by}"),
        };
        for row in rows.iter().filter(|row| row.corruption.is_none()) {
            print_line(&format!("{}{classes}", sentence(row)))?;
        }
        for mce in mce {
            print_line(&table(rows, mce, *generator))?;
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
