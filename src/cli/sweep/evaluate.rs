//! The tables `[evaluate]` of a sweep at work: `dualprop eval` on the best checkpoint of each complete run,
//! kept in `RUN/evaluation/PART-DOMAIN`, where `dualprop compare` looks for it and where it goes on after it
//! was ended.

use crate::cli::common::DeviceOption;
use crate::cli::eval::Eval;
use crate::config::Config;
use crate::config::sweep::{Corrupted, Evaluate};
use crate::training::run_folder::RunFiles;
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::Path;

/// Measures a complete run as the tables say. `is_stopped` hears whether the user wants to stop, which is an
/// error here that says so.
pub(super) fn measure(
    tables: &[Evaluate],
    run: &Path,
    config: &Config,
    device: &DeviceOption,
    is_stopped: &dyn Fn() -> bool,
) -> anyhow::Result<()> {
    let mut folders = BTreeSet::new();
    for words in tables.iter().flat_map(|table| asked(table, run, config, &mut folders)) {
        let told = words.join(" ");
        Eval::asked(words, device.clone())
            .and_then(|eval| eval.measure(is_stopped))
            .with_context(|| format!("eval {told}"))?;
    }
    Ok(())
}

/// The command lines of `eval`: one for each part of the data, through all domains or each of those named.
/// `folders` are those that earlier tables took; this one's are added.
fn asked(table: &Evaluate, run: &Path, config: &Config, folders: &mut BTreeSet<String>) -> Vec<Vec<String>> {
    let parts = if table.data.is_empty() {
        let source = serde_json::to_value(config.data.source).ok();
        let source = source.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        vec![format!("{source}:val")]
    } else {
        table.data.clone()
    };
    let domains = if table.domains.is_empty() { &vec!["all".to_owned()] } else { &table.domains };
    let mut lines = Vec::new();
    for (part, domain) in parts.iter().flat_map(|part| domains.iter().map(move |domain| (part, domain))) {
        let plain = format!("{}-{domain}", part.replace(':', "-"));
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| folders.insert(name.clone()));
        let folder = run.join("evaluation").join(free.unwrap_or(plain));
        let mut words = vec![RunFiles::of(run).best().display().to_string()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        option("--data", part.clone());
        option("--domain", domain.clone());
        table.attacks.iter().for_each(|attack| option("--attack", attack.clone()));
        match &table.corruptions {
            None => {}
            Some(Corrupted::All) => option("--corruptions", "all".into()),
            Some(Corrupted::Named(names)) => option("--corruptions", names.join(",")),
        }
        if !table.severity.is_empty() {
            let severity: Vec<String> = table.severity.iter().map(ToString::to_string).collect();
            option("--severity", severity.join(","));
        }
        if let Some(method) = &table.localise {
            option("--localise", method.clone());
        }
        option("--limit", table.limit.to_string());
        option("--resume", folder.display().to_string());
        lines.push(words);
    }
    lines
}
