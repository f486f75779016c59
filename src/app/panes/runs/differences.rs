//! What differs between the chosen runs, key by key of their configurations.

use super::{RunsView, chosen};
use crate::app::format;
use crate::app::model::runs::ListedRun;
use crate::app::model::runs::columns::differing;
use crate::app::panes::Shared;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::Menu;
use crate::app::widgets::table::Table;
use crate::config::schema;
use egui::{Grid, RichText, ScrollArea, Ui};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs up to which each has a column of its own; of more, each value is said with the number of its runs.
const COLUMNS: usize = 12;

/// The keys that differ, made again only when other runs are chosen or the list has changed.
#[derive(Debug, Default)]
pub(super) struct Differences {
    made_for: Option<(u64, BTreeSet<PathBuf>)>,
    /// Columns of the table but the first, which is the key's.
    heads: Vec<String>,
    lines: Vec<(&'static str, Vec<String>)>,
}

/// Draws the table.
pub(super) fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView, listed: &[Arc<ListedRun>]) {
    let found = &mut view.differences;
    let wanted = Some((shared.runs.generation, shared.runs.chosen.clone()));
    if found.made_for != wanted {
        *found = Differences { made_for: wanted, ..made(&chosen(shared.runs, listed)) };
    }
    let count = shared.runs.chosen.len();
    if count < 2 {
        ui.weak("Choose two runs or more in the table to see what differs between them.");
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let keys = format::counted(found.lines.len() as u64, "key");
        let verb = if found.lines.len() == 1 { "differs" } else { "differ" };
        let text = format!("{keys} {verb} between {}", format::counted(count as u64, "run"));
        ui.label(RichText::new(text).strong());
        Menu::new("Differences").table(&|| table(found)).seen(shared.area).ui(ui, shared.exports);
    });
    if found.lines.is_empty() {
        ui.weak("Their configurations are the same, as far as they can be read.");
        return;
    }
    let tokens = Tokens::of(ui);
    let weak = |text: &str| RichText::new(text).small().color(tokens.text_weak);
    ScrollArea::both().id_salt("differences").auto_shrink([false, false]).show(ui, |ui| {
        let grid = Grid::new("differences").striped(true).spacing([tokens::GAP * 2.0, 4.0]);
        grid.show(ui, |ui| {
            ui.label(weak("Key"));
            for head in &found.heads {
                ui.label(weak(head));
            }
            ui.end_row();
            for (key, values) in &found.lines {
                let help = schema::field(key).map_or("", |field| field.help);
                ui.label(RichText::new(*key).color(tokens.text_strong)).on_hover_text(help);
                for value in values {
                    ui.monospace(value);
                }
                ui.end_row();
            }
        });
    });
}

fn made(runs: &[&Arc<ListedRun>]) -> Differences {
    let keys = differing(runs.iter().copied());
    let value = |run: &ListedRun, key: &str| run.key(key).unwrap_or("–").to_owned();
    if runs.len() <= COLUMNS {
        let lines = keys.into_iter().map(|key| (key, runs.iter().map(|run| value(run, key)).collect()));
        let heads = runs.iter().map(|run| run.label()).collect();
        return Differences { made_for: None, heads, lines: lines.collect() };
    }
    let counts = |key: &'static str| {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for run in runs {
            let value = value(run, key);
            match counts.iter_mut().find(|(known, _)| *known == value) {
                Some((_, count)) => *count += 1,
                None => counts.push((value, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let texts: Vec<String> = counts
            .iter()
            .map(|(value, count)| format!("{value} ({})", format::counted(*count, "run")))
            .collect();
        (key, vec![texts.join(", ")])
    };
    Differences {
        made_for: None,
        heads: vec!["Values".into()],
        lines: keys.into_iter().map(counts).collect(),
    }
}

fn table(found: &Differences) -> Table {
    let mut table = Table::new(std::iter::once("key").chain(found.heads.iter().map(String::as_str)));
    for (key, values) in &found.lines {
        table.row(std::iter::once(*key).chain(values.iter().map(String::as_str)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::model::runs::tests::run;
    use crate::app::widgets::table::TableFormat;

    #[test]
    fn a_few_runs_have_a_column_each_and_many_are_counted() {
        let runs =
            ["a", "b", "c"].map(|name| run(name, "advprop", 3, if name == "a" { 0.1 } else { 0.2 }, &[]));
        let found = made(&runs.iter().collect::<Vec<_>>());
        assert_eq!(found.heads, ["a", "b", "c"]);
        assert_eq!(found.lines, [("optimizer.lr", ["0.1", "0.2", "0.2"].map(String::from).to_vec())]);
        assert_eq!(table(&found).text(TableFormat::Csv), "key,a,b,c\noptimizer.lr,0.1,0.2,0.2\n");
        let many: Vec<_> = (0..15).map(|n| run("r", "vanilla", u64::from(n < 5), 0.1, &[])).collect();
        let found = made(&many.iter().collect::<Vec<_>>());
        assert_eq!(found.lines, [("run.seed", vec!["0 (10 runs), 1 (5 runs)".to_owned()])]);
    }
}
