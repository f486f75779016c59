//! The table of an evaluation under corruptions.

use crate::evaluation::robustness::mce::{Mce, SEVERITIES};
use crate::evaluation::robustness::row::Row;
use std::fmt::Write as _;

/// Corruptions by severities, the top-1 of each in percent, through the domain of `mce`, with the means
/// below. `generator` is the parameter set and the seed of corruptions that were made.
pub(super) fn table(rows: &[Row], mce: &Mce, generator: Option<(&str, u64)>) -> String {
    let of_domain = || rows.iter().filter(|row| row.domain == mce.domain && row.attack.is_none());
    let top1 = |corruption: &str, severity: u8| {
        let cell =
            |row: &&Row| row.corruption.as_deref() == Some(corruption) && row.severity == Some(severity);
        of_domain().find(cell).map(|row| 100.0 * f64::from(row.top1))
    };
    let images = of_domain().filter(|row| row.corruption.is_some()).map(|row| row.images).max().unwrap_or(0);
    let source = match generator {
        Some((set, seed)) => format!("corruptions of the parameter set {set}, seed {seed}"),
        None => "corruptions of the files".to_owned(),
    };
    let width = mce.names().map(str::len).max().unwrap_or(0).max("corruption".len());
    let mut text = format!("top-1 in %, domain {}, {images} images each, {source}\n", mce.domain);
    let header = SEVERITIES.map(|severity| format!("{severity:>7}")).concat();
    let ce = if mce.normalised_by.is_some() { "     CE" } else { "" };
    let _ = writeln!(text, "{:width$}{header}   mean{ce}", "corruption");
    for name in mce.names() {
        let cells = SEVERITIES.map(|severity| number(top1(name, severity))).concat();
        let figures = &mce.by_corruption[name];
        let mean = number(Some(100.0 * (1.0 - figures.error)));
        let ce = if mce.normalised_by.is_some() { number(figures.ce) } else { String::new() };
        let _ = writeln!(text, "{name:width$}{cells}{mean}{ce}");
    }
    text + &mce.summary()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| format!("{:>7}", "–"), |value| format!("{value:>7.2}"))
}
