//! The tables of corrupted images: means of errors, and what they are over a baseline's.

use super::group::Group;
use super::run::{Condition, Run};
use super::statistics::Figure;
use super::tables::{Table, by_domain};
use crate::evaluation::robustness::mce::{Errors, Mce};
use crate::evaluation::robustness::row::Row;
use crate::training::method::MethodLabel;
use crate::words::counted;
use std::collections::{BTreeMap, BTreeSet};

/// Top-1 errors of a run through a domain by corruption and severity, percent.
fn errors(run: &Run, domain: &str) -> BTreeMap<(String, String), BTreeMap<u8, f64>> {
    let mut errors: BTreeMap<_, BTreeMap<u8, f64>> = BTreeMap::new();
    for row in &run.rows {
        let condition = Condition::of(row);
        if let (Some(corruption), Some(severity), None) =
            (condition.corruption, condition.severity, &condition.attack)
            && condition.domain == domain
            && row.top1.is_finite()
        {
            let of_corruption = errors.entry((condition.split, corruption)).or_default();
            of_corruption.insert(severity, 100.0 * row.error());
        }
    }
    errors
}

/// The cells that every run of every group has measured through one domain at least, as (data, corruption,
/// severity): a mean over others would compare unlike things.
fn common_cells(groups: &[Group]) -> BTreeSet<(String, String, u8)> {
    let of_run = |run: &Run, domain: &str| -> BTreeSet<(String, String, u8)> {
        let flat = |((split, name), by): ((String, String), BTreeMap<u8, f64>)| {
            by.into_keys().map(move |severity| (split.clone(), name.clone(), severity)).collect::<Vec<_>>()
        };
        errors(run, domain).into_iter().flat_map(flat).collect()
    };
    let measured = groups.iter().flat_map(|group| {
        let domains = group.domains();
        group
            .runs
            .iter()
            .flat_map(move |run| domains.clone().into_iter().map(move |domain| of_run(run, &domain)))
    });
    measured.filter(|cells| !cells.is_empty()).reduce(|a, b| &a & &b).unwrap_or_default()
}

/// A run's mean error over `cells`, percent, of one corruption where `only` names it; `None` where one of
/// them was not measured.
fn mean_error(
    run: &Run,
    domain: &str,
    cells: &BTreeSet<(String, String, u8)>,
    only: Option<&str>,
) -> Option<f64> {
    let errors = errors(run, domain);
    let wanted = cells.iter().filter(|(_, name, _)| only.is_none_or(|only| name == only));
    let values: Option<Vec<f64>> = wanted
        .map(|(split, name, severity)| errors.get(&(split.clone(), name.clone()))?.get(severity).copied())
        .collect();
    let values = values.filter(|values| !values.is_empty())?;
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

/// Whose common cells a table shows, with its verb.
fn who_measured(groups: &[Group]) -> String {
    let runs: Vec<&Run> = groups.iter().flat_map(|group| &group.runs).collect();
    let has = |run: &&&Run| run.rows.iter().any(|row| row.corruption.is_some());
    match runs.iter().filter(has).count() {
        number if number == runs.len() => "all runs have".to_owned(),
        1 => format!("the one of {} with corrupted images has", counted(runs.len(), "run")),
        number => format!("all those {number} of {} with corrupted images have", counted(runs.len(), "run")),
    }
}

/// The mean errors, plain and over those of plain training.
pub(super) fn means(groups: &[Group]) -> Table {
    let cells = common_cells(groups);
    let names: BTreeSet<&String> = cells.iter().map(|(_, name, _)| name).collect();
    let severities: BTreeSet<u8> = cells.iter().map(|(.., severity)| *severity).collect();
    let words: Vec<String> = severities.iter().map(ToString::to_string).collect();
    // The networks with nothing but clean images are what a method is compared with.
    let baseline = groups
        .iter()
        .find(|group| MethodLabel::of(&group.runs[0].config.method).to_string() == "vanilla")
        .or_else(|| groups.first());
    let reference: BTreeMap<&String, Option<Figure>> = names
        .iter()
        .map(|name| {
            (
                *name,
                baseline.and_then(|group| group.figure(|run| mean_error(run, "main", &cells, Some(name)))),
            )
        })
        .collect();
    let relative = |run: &Run, domain: &str| -> Option<f64> {
        let ratio = |name: &&String| {
            let reference = reference.get(*name).copied().flatten()?.mean;
            Some(100.0 * mean_error(run, domain, &cells, Some(name))? / reference)
                .filter(|ratio| ratio.is_finite())
        };
        let ratios: Option<Vec<f64>> = names.iter().map(ratio).collect();
        ratios
            .filter(|ratios| !ratios.is_empty())
            .map(|ratios| ratios.iter().sum::<f64>() / ratios.len() as f64)
    };
    let name = baseline.map_or("", |group| group.label.as_str());
    Table {
        title: "Corrupted images".to_owned(),
        caption: format!(
            "Mean ± standard deviation over n seeds, of the {} at severity {} that {} measured; lower is better. \
             The mean corruption error is the plain mean of top-1 errors; the mCE divides each corruption's error by \
             that of {name} through main, which is 100.",
            counted(names.len(), "corruption"),
            words.join(", "),
            who_measured(groups)
        ),
        unit: "%",
        digits: 1,
        columns: vec!["mean corruption error".to_owned(), format!("mCE, normalised by {name}")],
        rows: by_domain(groups, |group, domain| {
            vec![
                group.figure(|run| mean_error(run, domain, &cells, None)),
                group.figure(|run| relative(run, domain)),
            ]
        }),
    }
}

/// The figures of ImageNet-C's paper, which need all its cells.
pub(super) fn over_alexnet(groups: &[Group]) -> Table {
    let alexnet = Errors::of_alexnet();
    let mce = |run: &Run, domain: &str, figure: fn(&Mce) -> Option<f64>| {
        // Clean images count where they are those that were corrupted.
        let corrupted = run.rows.iter().find(|row| row.corruption.is_some())?;
        let alike = |row: &&Row| (&row.data, &row.split) == (&corrupted.data, &corrupted.split);
        let rows: Vec<Row> = run.rows.iter().filter(alike).cloned().collect();
        figure(&Mce::new(domain, &Errors::of_rows(&rows, domain), Some(("AlexNet", &alexnet))))
    };
    Table {
        title: "Mean corruption error over AlexNet's".to_owned(),
        caption: "Hendrycks and Dietterich 2019, for networks of ImageNet's 1000 classes: each of the 15 main corruptions' \
                  errors, summed over the severities, over AlexNet's; the relative mCE takes the clean errors off both. \
                  AlexNet has 100; lower is better. Mean ± standard deviation over n seeds."
            .to_owned(),
        unit: "%",
        digits: 1,
        columns: vec!["mCE".to_owned(), "relative mCE".to_owned()],
        rows: by_domain(groups, |group, domain| {
            [|mce: &Mce| mce.value, |mce: &Mce| mce.relative]
                .map(|figure| group.figure(|run| mce(run, domain, figure)))
                .to_vec()
        }),
    }
}

/// The error under each corruption.
pub(super) fn by_corruption(groups: &[Group]) -> Table {
    let cells = common_cells(groups);
    let names: BTreeSet<String> = cells.iter().map(|(_, name, _)| name.clone()).collect();
    Table {
        title: "Error by corruption".to_owned(),
        caption: format!(
            "Top-1 error, percent of the images, mean over the severities that {} measured, ± standard deviation over \
             n seeds.",
            who_measured(groups)
        ),
        unit: "%",
        digits: 1,
        columns: names.iter().cloned().collect(),
        rows: by_domain(groups, |group, domain| {
            let cell = |name: &String| group.figure(|run| mean_error(run, domain, &cells, Some(name)));
            names.iter().map(cell).collect()
        }),
    }
}
