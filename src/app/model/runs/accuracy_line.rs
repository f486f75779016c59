//! The lines of validations that are columns of the table: a set, a BN domain, clean or attacked.

use super::ListedRun;
use crate::app::model::kinds::{LineKey, MAIN_SPLIT};
use crate::app::model::series::Series;
use crate::config::Domain;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The word behind the line of a column of attacked images.
const ATTACKED: &str = "attacked";

/// A line of validations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccuracyLine {
    pub split: String,
    /// The BN domain's name.
    pub domain: String,
    pub attacked: bool,
}

impl AccuracyLine {
    /// `val` for main's clean images, else what it is of behind it: `val.aux.attacked`.
    pub(super) fn key(&self) -> String {
        let mut key = self.split.clone();
        if self.domain != Domain::Main.name() {
            key = format!("{key}.{}", self.domain);
        }
        if self.attacked { format!("{key}.{ATTACKED}") } else { key }
    }

    pub(super) fn parse(key: &str) -> Self {
        let attacked = key.strip_suffix(&format!(".{ATTACKED}"));
        let (split, domain) = attacked
            .unwrap_or(key)
            .rsplit_once('.')
            .unwrap_or((attacked.unwrap_or(key), Domain::Main.name()));
        Self { split: split.to_owned(), domain: domain.to_owned(), attacked: attacked.is_some() }
    }

    pub(super) fn title(&self) -> String {
        let Self { split, domain, attacked } = self;
        if *attacked { format!("{split} {domain}, {ATTACKED}") } else { format!("{split} {domain}") }
    }

    pub(super) fn help(&self) -> String {
        let Self { split, domain, attacked } = self;
        let under = if *attacked { " under the attack that is named" } else { "" };
        format!("Top-1 of {domain} on {split}{under} at the last validation, percent of images")
    }

    fn key_in(&self, run: &ListedRun) -> Option<LineKey> {
        Some(LineKey::of_validation(run.domain(&self.domain)?, self.attacked))
    }

    pub(super) fn series<'a>(&self, run: &'a ListedRun) -> Option<&'a Series> {
        run.run.accuracy.get(&self.split)?.get(&self.key_in(run)?)
    }

    pub(super) fn attack<'a>(&self, run: &'a ListedRun) -> Option<&'a str> {
        run.run.attack_of(&self.key_in(run)?)
    }
}

/// The lines that the runs were validated on: `val` and main first, clean before attacked.
pub(super) fn lines_of(runs: &[Arc<ListedRun>]) -> Vec<AccuracyLine> {
    let of_run = |run: &Arc<ListedRun>| {
        let named = |(split, key): (&String, &LineKey)| {
            let domain = run.run.domains.get(key.domain)?;
            let line = AccuracyLine {
                split: split.clone(),
                domain: domain.clone(),
                attacked: *key == LineKey::of_validation(key.domain, true),
            };
            Some((*split != MAIN_SPLIT, split.clone(), key.domain, line))
        };
        let lines = run.run.accuracy.iter().flat_map(|(split, lines)| lines.keys().map(move |k| (split, k)));
        lines.filter_map(named).collect::<Vec<_>>()
    };
    let mut lines: Vec<AccuracyLine> = Vec::new();
    for (.., line) in runs.iter().flat_map(of_run).collect::<BTreeSet<_>>() {
        // The index of a domain may differ between runs.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
