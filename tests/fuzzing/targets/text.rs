//! Configurations.

use super::{says, written};
use dualprop::config::Config;
use dualprop::config::sweep::Sweep;

/// A run's configuration.
pub(super) fn toml(bytes: &[u8]) {
    let path = written("input.toml", bytes);
    match Config::load_warning(&path, &[]) {
        Ok((config, warnings)) => {
            warnings.iter().for_each(|text| says(text, ""));
            let text = config.resolved_toml();
            assert_eq!(Config::parse(&text, "again", &[]).expect("its own text"), config);
        }
        Err(error) => says(&error.to_string(), "input.toml"),
    }
}

/// A sweep file over a preset.
pub(super) fn sweep(bytes: &[u8]) {
    let path = written("input.toml", bytes);
    match Sweep::load(&path) {
        Ok(sweep) => {
            let base = written("base.toml", sweep.base.resolved_toml().as_bytes());
            let folder = base.parent().expect("a folder");
            let again = Sweep::parse(sweep.resolved_toml(), "again", folder).expect("its own text");
            assert_eq!(again.resolved_toml(), sweep.resolved_toml());
            assert!(again.runs.iter().map(|run| &run.name).eq(sweep.runs.iter().map(|run| &run.name)));
        }
        Err(error) => says(&error.to_string(), ""),
    }
}
