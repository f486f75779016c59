//! Which runs the table shows and in which order, made again only when something that decides it changes.

use super::columns::Column;
use super::filter::Filter;
use super::values::{Value, order};
use super::{ListedRun, Runs};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// All that decides the rows but the runs themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub filter: String,
    pub by: Column,
    pub falling: bool,
}

/// The rows of the table.
#[derive(Debug, Default)]
pub struct Rows {
    made_for: Option<(u64, Wanted)>,
    /// The columns that the runs have.
    pub columns: Vec<Column>,
    columns_of: Option<u64>,
    /// Indices of the shown runs, in their order.
    pub shown: Vec<usize>,
    /// Why the typed filter cannot be read.
    pub fault: Option<String>,
}

impl Rows {
    /// Brings the rows up to date. A filter that cannot be read, as while it is typed, hides no run.
    pub fn refresh(&mut self, runs: &Runs, listed: &[Arc<ListedRun>], wanted: Wanted) {
        if self.columns_of != Some(runs.generation) {
            self.columns = Column::of_runs(listed);
            self.columns_of = Some(runs.generation);
        }
        let wanted = Some((runs.generation, wanted));
        if self.made_for == wanted {
            return;
        }
        self.made_for = wanted;
        let Some((_, Wanted { filter, by, falling })) = &self.made_for else { return };
        let (filter, fault) = match Filter::parse(filter, &self.columns) {
            Ok(filter) => (filter, None),
            Err(fault) => (Filter::default(), Some(fault)),
        };
        self.fault = fault;
        self.shown = (0..listed.len()).filter(|index| filter.takes(&listed[*index])).collect();
        // Stable: equal runs stay in the order of their dates.
        let values: Vec<Value> = listed.iter().map(|run| by.value(run)).collect();
        self.shown.sort_by(|a, b| order(&values[*a], &values[*b], *falling));
    }
}

/// The runs from the one that was clicked before to the one that is clicked now, in the table's order.
pub fn between(
    listed: &[Arc<ListedRun>],
    shown: &[usize],
    [from, to]: [&PathBuf; 2],
) -> Option<BTreeSet<PathBuf>> {
    let place = |dir: &PathBuf| shown.iter().position(|index| listed[*index].dir == *dir);
    let (a, b) = (place(from)?, place(to)?);
    Some(shown[a.min(b)..=a.max(b)].iter().map(|index| listed[*index].dir.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::model::runs::tests::run;

    fn names(filter: &str, by: Column, falling: bool) -> (Vec<String>, Option<String>) {
        let listed = [
            run("b", "advprop", 10, 0.1, &[0.5]),
            run("c", "vanilla", 9, 0.2, &[]),
            run("a", "advprop", 1, 0.1, &[0.7]),
        ];
        let (mut rows, runs) = (Rows::default(), Runs::default());
        rows.refresh(&runs, &listed, Wanted { filter: "advprop".into(), by: Column::Name, falling: false });
        rows.refresh(&runs, &listed, Wanted { filter: filter.into(), by, falling });
        (rows.shown.iter().map(|index| listed[*index].name.clone()).collect(), rows.fault)
    }

    #[test]
    fn runs_without_a_value_come_last_either_way() {
        let val = || Column::from("val".to_owned());
        assert_eq!(names("", val(), true).0, ["a", "b", "c"]);
        assert_eq!(names("", val(), false).0, ["b", "a", "c"]);
        assert_eq!(names("", Column::Seed, false).0, ["a", "c", "b"], "9 is below 10");
        assert_eq!(names("", Column::Name, true).0, ["c", "b", "a"]);
        assert_eq!(names("", Column::Method, false).0, ["b", "a", "c"], "equal ones stay in their order");
    }

    #[test]
    fn a_filter_that_cannot_be_read_hides_no_run() {
        let (shown, fault) = names("val >", Column::Name, false);
        assert_eq!(shown, ["a", "b", "c"]);
        assert!(fault.expect("a sentence").contains("a value is missing"));
    }

    #[test]
    fn a_range_goes_either_way_in_the_tables_order() {
        let listed = ["a", "b", "c", "d"].map(|name| run(name, "advprop", 0, 0.1, &[]));
        let shown = [3, 1, 0, 2];
        let dirs = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let [a, d, b, gone] = ["a", "d", "b", "gone"].map(PathBuf::from);
        assert_eq!(between(&listed, &shown, [&d, &a]), Some(dirs(&["a", "b", "d"])));
        assert_eq!(between(&listed, &shown, [&a, &b]), Some(dirs(&["a", "b"])));
        assert_eq!(between(&listed, &shown, [&gone, &a]), None);
    }
}
