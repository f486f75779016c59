//! The table of an evaluation under corruptions.

use crate::evaluation::robustness::mce::{ALEXNET, Mce, SEVERITIES};
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
    let width = names(mce).map(str::len).max().unwrap_or(0).max("corruption".len());
    let mut text = format!("top-1 in %, domain {}, {images} images each, {source}\n", mce.domain);
    let header = SEVERITIES.map(|severity| format!("{severity:>7}")).concat();
    let ce = if mce.normalised_by.is_some() { "     CE" } else { "" };
    let _ = writeln!(text, "{:width$}{header}   mean{ce}", "corruption");
    for name in names(mce) {
        let cells = SEVERITIES.map(|severity| number(top1(name, severity))).concat();
        let figures = &mce.by_corruption[name];
        let mean = number(Some(100.0 * (1.0 - figures.error)));
        let ce = if mce.normalised_by.is_some() { number(figures.ce) } else { String::new() };
        let _ = writeln!(text, "{name:width$}{cells}{mean}{ce}");
    }
    text + &summary(mce)
}

/// The corruptions that were measured: ImageNet-C's in its order, then others by name.
fn names(mce: &Mce) -> impl Iterator<Item = &str> {
    let known = ALEXNET.iter().map(|(name, _)| *name).filter(|name| mce.by_corruption.contains_key(*name));
    let is_known = |name: &&str| ALEXNET.iter().any(|(known, _)| known == name);
    known.chain(mce.by_corruption.keys().map(String::as_str).filter(move |name| !is_known(name)))
}

/// The mean corruption error in words: over what, divided by what.
fn summary(mce: &Mce) -> String {
    let over = match mce.normalised_by.as_deref() {
        Some(name) => format!("errors divided by those of {name}"),
        None => "plain mean of errors, not divided by a baseline's".to_owned(),
    };
    let percent = |value: f64| format!("{value:.2}{}", if mce.normalised_by.is_some() { "" } else { "%" });
    match (mce.value, mce.relative, mce.mean_of_measured) {
        (Some(value), Some(relative), _) => {
            format!("mCE {}, relative mCE {} ({over})", percent(value), percent(relative))
        }
        (Some(value), None, _) if mce.normalised_by.is_none() => {
            format!("mean corruption error {} ({over})", percent(value))
        }
        (Some(value), None, _) => {
            format!("mCE {} ({over}); the relative mCE needs clean images", percent(value))
        }
        (None, _, Some(mean)) => format!(
            "no mCE: {} not measured; mean over the main corruptions that are: {} ({over})",
            lacking(&mce.missing),
            percent(mean)
        ),
        (None, _, None) => format!("no mCE: {} not measured", lacking(&mce.missing)),
    }
}

fn lacking(missing: &[String]) -> String {
    format!("{} {}", missing.join(", "), if missing.len() == 1 { "was" } else { "were" })
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| format!("{:>7}", "–"), |value| format!("{value:>7.2}"))
}
