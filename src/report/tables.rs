//! The tables of a comparison: each cell is a figure over the runs of a group, or was not measured.

use super::corrupted;
use super::group::Group;
use super::run::{Condition, Run};
use super::statistics::Figure;
use crate::config::Domain;
use crate::evaluation::robustness::row::{Row, RowLocalisation};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A table of figures.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// A heading.
    pub title: String,
    /// What the figures count, in a sentence.
    pub caption: String,
    /// What the figures are: `%`, `s`, `nats` or nothing.
    pub unit: &'static str,
    /// Digits after the point.
    #[serde(skip)]
    pub digits: usize,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// A row for each group and, where figures are by domain, each domain.
    pub rows: Vec<TableRow>,
}

/// A row of a [`Table`].
#[derive(Clone, Debug, Serialize)]
pub struct TableRow {
    /// The group.
    pub group: String,
    /// The BN domain, where the figures are of one.
    pub domain: Option<String>,
    /// A cell a column; `None`: not measured.
    pub cells: Vec<Option<Figure>>,
}

impl Table {
    /// Whether any cell was measured.
    fn is_measured(&self) -> bool {
        self.rows.iter().any(|row| row.cells.iter().any(Option::is_some))
    }
}

/// All tables that have a figure.
/// Corruptions are held against AlexNet's too where `with_alexnet`.
pub(super) fn all(groups: &[Group], with_alexnet: bool) -> Vec<Table> {
    let tables =
        [evaluated(groups), validated(groups), corrupted::means(groups), corrupted::by_corruption(groups)];
    let alexnet = with_alexnet.then(|| corrupted::over_alexnet(groups));
    let tables = tables.into_iter().chain(alexnet);
    let more = [localised(groups), bn_distances(groups), passes(groups), seconds(groups)];
    tables.chain(more).filter(Table::is_measured).collect()
}

/// A row for each domain of each group.
pub(super) fn by_domain(
    groups: &[Group],
    cells: impl Fn(&Group, &str) -> Vec<Option<Figure>>,
) -> Vec<TableRow> {
    let of_group = |group: &Group| -> Vec<TableRow> {
        let row = |domain: String| TableRow {
            group: group.label.clone(),
            cells: cells(group, &domain),
            domain: Some(domain),
        };
        group.domains().into_iter().map(row).collect()
    };
    groups.iter().flat_map(of_group).collect()
}

/// What a condition is called in a column, without its domain.
fn column(condition: &Condition) -> String {
    match &condition.attack {
        Some(attack) => format!("{} under {attack}", condition.split),
        None => format!("{} clean", condition.split),
    }
}

/// The conditions without a corruption, each once and without its domain; clean ones first.
fn plain_conditions<'a>(all: impl Iterator<Item = &'a Condition>) -> Vec<Condition> {
    let plain = all.filter(|condition| condition.corruption.is_none());
    let unique: BTreeSet<Condition> =
        plain.map(|condition| Condition { domain: String::new(), ..condition.clone() }).collect();
    let mut found: Vec<Condition> = unique.into_iter().collect();
    found.sort_by_key(|condition| condition.attack.is_some());
    found
}

/// The row of a condition; where several evaluations have it, the last of those with the most images.
fn row_of<'a>(run: &'a Run, condition: &Condition) -> Option<&'a Row> {
    run.rows.iter().filter(|row| Condition::of(row) == *condition).max_by_key(|row| row.images)
}

fn evaluated(groups: &[Group]) -> Table {
    let rows = || groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.rows);
    let found: Vec<Condition> = rows().map(Condition::of).collect();
    let conditions = plain_conditions(found.iter());
    let images = |condition: &Condition| {
        let of_domains = groups.iter().flat_map(|group| {
            let domains = group.domains().into_iter();
            domains.flat_map(|domain| group.runs.iter().map(move |run| (run, domain.clone())))
        });
        let of =
            of_domains.filter_map(|(run, domain)| row_of(run, &Condition { domain, ..condition.clone() }));
        let counts: BTreeSet<usize> = of.map(|row| row.images).collect();
        match (counts.first(), counts.last()) {
            (Some(least), Some(most)) if least == most => format!("{least} images"),
            (Some(least), Some(most)) => format!("{least} to {most} images"),
            _ => "no images".to_owned(),
        }
    };
    let columns = conditions.iter().map(|c| format!("{}, {}", column(c), images(c))).collect();
    Table {
        title: "Accuracy by evaluation".to_owned(),
        caption:
            "Top-1 of the runs' evaluations, percent of the images, mean ± standard deviation over n seeds."
                .to_owned(),
        unit: "%",
        digits: 1,
        columns,
        rows: by_domain(groups, |group, domain| {
            let cell = |condition: &Condition| {
                let wanted = Condition { domain: domain.to_owned(), ..condition.clone() };
                group.figure(|run| Some(100.0 * f64::from(row_of(run, &wanted)?.top1)))
            };
            conditions.iter().map(cell).collect()
        }),
    }
}

fn validated(groups: &[Group]) -> Table {
    let found = groups.iter().flat_map(|group| &group.runs).flat_map(|run| run.validations.keys());
    let conditions = plain_conditions(found);
    Table {
        title: "Accuracy by the runs' last validation".to_owned(),
        caption: "Top-1 of the last validation during training, percent of the images that eval.limit leaves, mean ± \
                  standard deviation over n seeds."
            .to_owned(),
        unit: "%",
        digits: 1,
        columns: conditions.iter().map(column).collect(),
        rows: by_domain(groups, |group, domain| {
            let cell = |condition: &Condition| {
                let wanted = Condition { domain: domain.to_owned(), ..condition.clone() };
                group.figure(|run| Some(100.0 * run.validations.get(&wanted)?.last()?.1))
            };
            conditions.iter().map(cell).collect()
        }),
    }
}

/// As [`column`], with one column for all corruptions.
fn localised_column(condition: &Condition) -> String {
    match &condition.corruption {
        Some(_) => format!("{} corrupted", condition.split),
        None => column(condition),
    }
}

fn localised(groups: &[Group]) -> Table {
    let rows = groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.rows);
    let found: BTreeSet<(String, String)> = rows
        .filter_map(|row| {
            Some((localised_column(&Condition::of(row)), row.localisation.as_ref()?.method.clone()))
        })
        .collect();
    type Measure = (&'static str, fn(&RowLocalisation) -> f32);
    let measures: [Measure; 3] = [
        ("energy on the object", |l| l.energy),
        ("box overlap", |l| l.box_iou),
        ("pointing game", |l| l.pointing),
    ];
    let wanted: Vec<(&(String, String), Measure)> =
        found.iter().flat_map(|which| measures.map(|measure| (which, measure))).collect();
    Table {
        title: "Localisation".to_owned(),
        caption: "How well class activation maps lie on the objects, percent, mean ± standard deviation over n seeds; of \
                  corrupted images the mean over the corruptions and severities that a run has measured."
            .to_owned(),
        unit: "%",
        digits: 1,
        columns: wanted.iter().map(|((of, method), (name, _))| format!("{name}, {method}, {of}")).collect(),
        rows: by_domain(groups, |group, domain| {
            let cell = |((of, method), (_, measure)): &(&(String, String), Measure)| {
                group.figure(|run| {
                    let rows = run.rows.iter().filter(|row| {
                        let is_method = row.localisation.as_ref().is_some_and(|l| l.method == *method);
                        let condition = Condition::of(row);
                        is_method && condition.domain == domain && localised_column(&condition) == *of
                    });
                    // Of one condition measured several times, the most images count.
                    let mut best: BTreeMap<Condition, &Row> = BTreeMap::new();
                    for row in rows {
                        let known = best.entry(Condition::of(row)).or_insert(row);
                        if row.images >= known.images {
                            *known = row;
                        }
                    }
                    let shares = best.values().filter_map(|row| row.localisation.as_ref());
                    let shares: Vec<f64> = shares.map(|l| f64::from(measure(l))).collect();
                    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
                    mean.is_finite().then_some(100.0 * mean)
                })
            };
            wanted.iter().map(cell).collect()
        }),
    }
}

fn bn_distances(groups: &[Group]) -> Table {
    let row = |group: &Group| {
        let cell = |domain: &&str| group.figure(|run| Some(run.bn_distance(domain)));
        TableRow {
            group: group.label.clone(),
            domain: None,
            cells: Domain::NAMES[1..].iter().map(cell).collect(),
        }
    };
    let mut table = Table {
        title: "Distance of the BN domains".to_owned(),
        caption:
            "Symmetric Kullback–Leibler divergence of a domain's running statistics from main's at the last \
                  validation, nats, mean over channels and layers, ± standard deviation over n seeds."
                .to_owned(),
        unit: "nats",
        digits: 3,
        columns: Domain::NAMES[1..].iter().map(|name| (*name).to_owned()).collect(),
        rows: groups.iter().map(row).collect(),
    };
    // Only the domains that some run has.
    for place in (0..table.columns.len()).rev() {
        if table.rows.iter().all(|row| row.cells[place].is_none()) {
            table.columns.remove(place);
            for row in &mut table.rows {
                row.cells.remove(place);
            }
        }
    }
    table
}

fn passes(groups: &[Group]) -> Table {
    Table {
        title: "Cost of a step".to_owned(),
        caption: "Forward and backward passes, in multiples of one pass over the clean batch (MixProp, Table 4: vanilla \
                  1, MixProp 2, AdvProp 2 + iterations), by the configuration."
            .to_owned(),
        unit: "",
        digits: 2,
        columns: vec!["passes".to_owned()],
        rows: of_groups(groups, |group| vec![group.figure(|run| run.passes)]),
    }
}

fn seconds(groups: &[Group]) -> Table {
    Table {
        title: "Measured time".to_owned(),
        caption: "A step by the median rate of the run, and the whole training, pauses and validation left out; seconds, \
                  mean ± standard deviation over n seeds. Compare only runs of one machine (MixProp, Table 5)."
            .to_owned(),
        unit: "s",
        digits: 3,
        columns: vec!["a step".to_owned(), "training".to_owned()],
        rows: of_groups(groups, |group| {
            vec![group.figure(|run| run.step_s), group.figure(|run| run.training_s)]
        }),
    }
}

fn of_groups(groups: &[Group], cells: impl Fn(&Group) -> Vec<Option<Figure>>) -> Vec<TableRow> {
    let row = |group: &Group| TableRow { group: group.label.clone(), domain: None, cells: cells(group) };
    groups.iter().map(row).collect()
}
