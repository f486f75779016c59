//! What is allowed but has no effect, because another key takes its place, or is seldom meant.

use super::access::{remove, value_at};
use super::error::Place;
use super::{AttackConfig, Config, ConfigError};
use std::collections::BTreeMap;
use toml::Table;

/// (key, key that takes its place where both are given).
const RIVALS: [(&str, &str); 3] =
    [("run.epochs", "run.steps"), ("method.kind", "method.branch"), ("method.aux_weight", "method.branch")];

/// Setting a key on the command line takes away the one that would overshadow it: what is set last counts.
pub(super) fn make_way_for(path: &str, table: &mut Table) {
    for (_, stronger) in RIVALS.iter().filter(|(key, _)| *key == path) {
        remove(table, stronger);
    }
}

/// A sentence for each key that is given but without effect, because another takes its place. One that has
/// its default says nothing, so that resolved configurations, which have all keys, pass; nor does one that
/// the command line has replaced on purpose.
pub(super) fn sentences(table: &Table, places: &BTreeMap<String, Place>) -> Vec<String> {
    let defaults = Config::default().to_table();
    let overshadowed = RIVALS.iter().filter(|(key, stronger)| {
        let given = value_at(table, key);
        let on_the_command_line = matches!(places.get(*stronger), Some(Place::Argument(_)));
        let counts_not = value_at(table, stronger).is_some() && !on_the_command_line;
        given.is_some() && given != value_at(&defaults, key) && counts_not
    });
    let sentence = |(key, stronger): &(&str, &str)| {
        let message = format!("`{key}` has no effect beside `{stronger}`; delete one of the two");
        let place = places.get(*key).cloned().unwrap_or(Place::Unknown);
        ConfigError::new(key, message).at(place).to_string()
    };
    overshadowed.map(sentence).collect()
}

impl Config {
    /// A sentence for each thing that is allowed but seldom meant.
    pub(super) fn cautions(&self) -> Vec<String> {
        let parts: f32 = self.method.branch.iter().map(|b| b.share).filter(|share| *share < 1.0).sum();
        let wraps = parts > 1.0 + 1e-4;
        let sentence = format!(
            "the shares below 1 of [[method.branch]] sum to {parts}: branches behind the batch's end take its first images again"
        );
        let in_training =
            self.method.attack.unit_caution().map(|text| format!("`method.attack.epsilon`: {text}"));
        let evaluated = AttackConfig::parse_spec(&self.eval.attack).ok().and_then(|a| a.unit_caution());
        let evaluated = evaluated.map(|text| format!("`eval.attack`: {text}"));
        let freezes_noise = (self.model.freeze > 0 && self.run.init.is_empty()).then(|| {
            "`model.freeze` without `run.init`: the frozen stages keep the random weights that they are drawn with"
                .to_owned()
        });
        let fixes_nothing = (self.model.bn_eval && self.run.init.is_empty()).then(|| {
            "`model.bn_eval` without `run.init`: the running statistics stay at mean 0 and variance 1, so that batch norm normalises nothing"
                .to_owned()
        });
        let all = [wraps.then_some(sentence), in_training, evaluated, freezes_noise, fixes_nothing];
        all.into_iter().flatten().collect()
    }
}
