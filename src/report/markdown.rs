//! The tables of a comparison as Markdown, for pages that live beside code.

use super::html::cell;
use super::tables::{Table, TableRow};
use std::fmt::Write as _;

/// The tables, each under a heading with its caption, and what was left out.
pub(super) fn page(tables: &[Table], warnings: &[String]) -> String {
    let mut text = String::new();
    for table in tables {
        let _ = writeln!(text, "### {}\n\n{}\n", escape(&table.title), escape(&table.caption));
        let by_domain = table.rows.iter().any(|row| row.domain.is_some());
        let unit = if table.unit.is_empty() { String::new() } else { format!(" ({})", table.unit) };
        let labels = ["group"].into_iter().chain(by_domain.then_some("domain")).map(str::to_owned);
        let columns = table.columns.iter().map(|name| format!("{}{unit}", escape(name)));
        line(&mut text, labels.chain(columns));
        line(
            &mut text,
            (0..1 + usize::from(by_domain))
                .map(|_| "---".to_owned())
                .chain(table.columns.iter().map(|_| "--:".to_owned())),
        );
        for row in &table.rows {
            line(&mut text, cells(row, by_domain, table.digits));
        }
        text.push('\n');
    }
    for warning in warnings {
        let _ = writeln!(text, "- {}", escape(warning));
    }
    text
}

fn cells(row: &TableRow, by_domain: bool, digits: usize) -> impl Iterator<Item = String> {
    let domain = by_domain.then(|| row.domain.as_deref().map_or_else(String::new, escape));
    let figures = row.cells.iter().map(move |figure| match figure {
        None => "–".to_owned(),
        Some(known) if known.n == 1 => format!("{} (n = 1)", cell(*figure, digits)),
        Some(_) => cell(*figure, digits),
    });
    std::iter::once(escape(&row.group)).chain(domain).chain(figures)
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// What users wrote as text and nothing else.
pub(crate) fn escape(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        if matches!(c, '\\' | '|' | '*' | '_' | '`' | '<' | '[' | ']' | '#') {
            text.push('\\');
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text
}
