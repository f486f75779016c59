//! Runs that differ by their seed alone are one group: its figures are means over them.

use super::run::Run;
use super::statistics::Figure;
use crate::config::schema::{self, Field};
use std::collections::BTreeSet;

/// What may differ between the runs of a group: the seed, and what does not change what is computed.
const FREE: [&str; 5] = ["run.seed", "run.name", "run.init", "run.checkpoint_steps", "data.path"];

/// Runs of one configuration with several seeds, or one run.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is called: the name of its runs without the seed.
    pub label: String,
    /// At least one.
    pub runs: Vec<Run>,
}

impl Group {
    /// A figure over the runs; those that give `None` have not measured it.
    pub fn figure(&self, of: impl Fn(&Run) -> Option<f64>) -> Option<Figure> {
        Figure::of(self.runs.iter().filter_map(of))
    }

    /// The BN domains that its runs have figures of, main first.
    pub fn domains(&self) -> Vec<String> {
        let measured = self.runs.iter().flat_map(|run| {
            let of_rows = run.rows.iter().map(|row| row.domain.clone());
            of_rows.chain(run.validations.keys().map(|condition| condition.domain.clone()))
        });
        let mut domains: Vec<String> = measured.collect::<BTreeSet<_>>().into_iter().collect();
        domains.sort_by_key(|domain| domain != "main");
        domains
    }
}

/// The groups of `runs`, in the order of their first runs.
pub fn grouped(runs: Vec<Run>) -> Vec<Group> {
    let counts = |field: &Field| !FREE.contains(&field.path);
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let alike = groups.iter_mut().find(|group| {
            let first = &group.runs[0].config;
            first.run.seed != run.config.run.seed
                && group.runs.iter().all(|other| other.config.run.seed != run.config.run.seed)
                && first.first_difference(&run.config, counts).is_none()
        });
        match alike {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { label: label(&run), runs: vec![run] }),
        }
    }
    let mut taken = BTreeSet::new();
    for group in &mut groups {
        let own = group.label.clone();
        let numbered = (2..).map(|n| format!("{own} ({n})"));
        let free = std::iter::once(own.clone()).chain(numbered).find(|label| taken.insert(label.clone()));
        group.label = free.unwrap_or(own);
    }
    groups
}

fn label(run: &Run) -> String {
    let seed = format!("-seed{}", run.config.run.seed);
    run.name.strip_suffix(&seed).unwrap_or(&run.name).to_owned()
}

/// A key that the groups do not agree on, with each group's value as TOML.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The dotted path.
    pub key: &'static str,
    /// A value a group; `absent` for a key that is optional and not set.
    pub values: Vec<String>,
}

/// All keys that the groups do not agree on, in the order of a configuration file.
pub fn differences(groups: &[Group]) -> Vec<Difference> {
    let fields = schema::fields().iter().filter(|field| !["run.seed", "run.name"].contains(&field.path));
    let tables: Vec<_> = groups.iter().map(|group| &group.runs[0].config).collect();
    let of_field = fields.filter_map(|field| {
        let text = |value: Option<toml::Value>| value.map_or("absent".to_owned(), |value| value.to_string());
        let values: Vec<String> = tables.iter().map(|config| text(config.get(field.path))).collect();
        let differ = values.iter().any(|value| *value != values[0]);
        differ.then_some(Difference { key: field.path, values })
    });
    of_field.collect()
}
