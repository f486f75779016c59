//! A sweep: one base configuration, keys that vary and seeds, multiplied out into runs. All of it is checked
//! here, before any run starts; `session::sweep` runs it.
//!
//! ```toml
//! base = "shapes-advprop"              # a preset, or a file beside this one
//! seeds = [0, 1, 2]
//! set = { "run.steps" = 400 }          # holds for all runs
//!
//! [[vary]]                             # every combination of these lists
//! "method.kind" = ["vanilla", "mixprop"]
//!
//! [[vary]]                             # followed by every combination of these
//! "method.kind" = ["advprop"]
//! "method.attack.epsilon" = [1.0, 4.0]
//!
//! [evaluate]                           # or several [[evaluate]]: measured on each run's best checkpoint
//! attacks = ["pgd:eps=4,step=1,iters=5"]
//! ```

mod evaluate;
mod names;
mod read;

pub use evaluate::{Corrupted, Evaluate};

use super::schema::Field;
use super::{Config, ConfigError, Place, parse};
use read::File;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use toml::Value;

/// The name of the file that holds the base of a sweep's resolved text, beside it.
pub const BASE_FILE: &str = "base.toml";

/// A sweep whose every run is valid.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The configuration that all runs start from.
    pub base: Config,
    /// The seeds, in order, at least one.
    pub seeds: Vec<u64>,
    /// The runs: combinations in the order of the file, the seeds of one following each other.
    pub runs: Vec<SweepRun>,
    /// What is measured on each finished run: the tables `[evaluate]` or `[[evaluate]]` of the file.
    pub evaluate: Vec<Evaluate>,
    /// Sentences on what is allowed but without effect or seldom meant, each once.
    pub warnings: Vec<String>,
    resolved: String,
}

/// One run of a sweep.
#[derive(Clone, Debug)]
pub struct SweepRun {
    /// Its folder's name and `run.name`: the values that set it apart, and the seed.
    pub name: String,
    /// What it computes.
    pub config: Config,
    /// The varied keys of the run with their values as TOML, in the order of the file.
    pub varied: Vec<(&'static str, String)>,
}

/// A key with its value, checked, and where it was written.
#[derive(Clone, Debug)]
struct Setting {
    field: &'static Field,
    value: Value,
    place: Place,
}

/// What a run sets over `set`: one value of each key of a `[[vary]]` table.
type Combination = Vec<Setting>;

impl Sweep {
    /// Reads a sweep file with its base and checks every run. A base that is a file is looked for beside the
    /// sweep file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&parse::read_text(path)?, &path.display().to_string(), folder)
    }

    /// Reads and checks a text; `file_name` is only for messages, `folder` is where a base file is looked
    /// for.
    pub fn parse(text: &str, file_name: &str, folder: &Path) -> Result<Self, ConfigError> {
        let file = File::read(text, file_name)?;
        let (base_text, base_name) = file.base_text(folder)?;
        let (base, base_warnings) = Config::parse_warning(&base_text, &base_name, &[])?;
        let seeds = file.seeds.clone().unwrap_or_else(|| vec![base.run.seed]);
        let combinations = file.combinations();
        let base_run = base.run.name.clone();
        let names = names::of(&combinations, &base_run).map_err(|place| {
            ConfigError::new("vary", "this combination of values stands in the file already; delete one")
                .at(place)
        })?;
        let mut sweep = Self {
            base,
            seeds,
            runs: Vec::new(),
            evaluate: file.evaluate.clone(),
            warnings: base_warnings,
            resolved: String::new(),
        };
        for (combination, name) in combinations.iter().zip(names) {
            for seed in sweep.seeds.clone() {
                let name = format!("{name}-seed{seed}");
                let settings: Vec<&Setting> = file.set.iter().chain(combination).collect();
                let (config, warnings) =
                    run_config(&base_text, &base_name, file_name, &settings, seed, &name)?;
                for warning in warnings {
                    if !sweep.warnings.contains(&warning) {
                        sweep.warnings.push(warning);
                    }
                }
                let varied = combination.iter().map(|s| (s.field.path, s.value.to_string())).collect();
                sweep.runs.push(SweepRun { name, config, varied });
            }
        }
        sweep.resolved = resolved(&file, &sweep.seeds);
        Ok(sweep)
    }

    /// The text of a sweep file that gives the same runs again beside a file [`BASE_FILE`] with the base.
    pub fn resolved_toml(&self) -> &str {
        &self.resolved
    }
}

/// A run's configuration and its warnings. A fault is told at the line of the sweep file that set its key,
/// and says in which run it shows.
fn run_config(
    base: &str,
    base_name: &str,
    file_name: &str,
    settings: &[&Setting],
    seed: u64,
    name: &str,
) -> Result<(Config, Vec<String>), ConfigError> {
    let mut sets: Vec<String> = settings.iter().map(|s| format!("{}={}", s.field.path, s.value)).collect();
    sets.push(format!("run.seed={seed}"));
    sets.push(format!("run.name={}", Value::String(name.to_owned())));
    let places: BTreeMap<&str, &Place> = settings.iter().map(|s| (s.field.path, &s.place)).collect();
    Config::parse_warning(base, base_name, &sets).map_err(|mut error| {
        let is_set = matches!(error.place, Place::Argument(_));
        error.message = format!("in the run {name}: {}", error.message);
        if is_set {
            let place = places.get(error.key.as_str()).map(|place| (*place).clone());
            error.place = place.unwrap_or_else(|| Place::File(file_name.to_owned()));
        }
        error
    })
}

fn resolved(file: &File, seeds: &[u64]) -> String {
    let mut text = format!("base = \"{BASE_FILE}\"\nseeds = {seeds:?}\n");
    if !file.set.is_empty() {
        text += "\n[set]\n";
        for setting in &file.set {
            let _ = writeln!(text, "\"{}\" = {}", setting.field.path, setting.value);
        }
    }
    for table in &file.vary {
        text += "\n[[vary]]\n";
        for axis in table {
            let values: Vec<String> = axis.iter().map(|setting| setting.value.to_string()).collect();
            if let Some(first) = axis.first() {
                let _ = writeln!(text, "\"{}\" = [{}]", first.field.path, values.join(", "));
            }
        }
    }
    for evaluate in &file.evaluate {
        let _ = write!(text, "\n[[evaluate]]\n{}", evaluate.toml());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Sweep, String> {
        Sweep::parse(text, "sweep.toml", Path::new("")).map_err(|e| e.to_string())
    }

    fn names(sweep: &Sweep) -> Vec<&str> {
        sweep.runs.iter().map(|run| run.name.as_str()).collect()
    }

    #[test]
    fn tables_are_multiplied_out_and_follow_one_another() {
        let text = r#"
base = "shapes-vanilla"
seeds = [0, 7]
set = { "run.steps" = 20, data.train_limit = 64 }
[[vary]]
"method.kind" = ["vanilla", "mixprop"]
[[vary]]
method.kind = ["advprop"]
method.attack.epsilon = [1, 4.0]
optimizer.lr = [0.002]
"#;
        let sweep = parse(text).expect("valid");
        assert_eq!(
            names(&sweep),
            [
                "vanilla-seed0",
                "vanilla-seed7",
                "mixprop-seed0",
                "mixprop-seed7",
                "advprop-epsilon1-seed0",
                "advprop-epsilon1-seed7",
                "advprop-epsilon4-seed0",
                "advprop-epsilon4-seed7",
            ]
        );
        let last = sweep.runs.last().expect("eight");
        assert_eq!((last.config.run.seed, last.config.run.steps), (7, Some(20)));
        assert_eq!((last.config.method.attack.epsilon, last.config.optimizer.lr), (4.0, 0.002));
        assert_eq!(last.config.run.name, last.name);
        assert_eq!(last.varied[0], ("method.kind", "\"advprop\"".to_owned()));
        assert!(sweep.warnings.is_empty(), "{:?}", sweep.warnings);
    }

    #[test]
    fn the_resolved_text_gives_the_same_runs() {
        let text = r#"
base = "shapes-advprop"
seeds = [3]
set = { "run.epochs" = 2.0 }
[[vary]]
"data.augment" = [["crop", "flip"], []]
"eval.attack" = ["", "pgd:eps=4,step=1,iters=5"]
[[evaluate]]
attacks = ["pgd:eps=4,step=1,iters=5"]
localise = "cam"
[[evaluate]]
corruptions = "all"
severity = [1, 3]
limit = 20
"#;
        let sweep = parse(text).expect("valid");
        assert_eq!(sweep.evaluate.len(), 2);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(BASE_FILE), sweep.base.resolved_toml()).expect("writable");
        std::fs::write(folder.path().join("sweep.toml"), sweep.resolved_toml()).expect("writable");
        let again = Sweep::load(&folder.path().join("sweep.toml")).expect("its own text");
        let runs = |sweep: &Sweep| -> Vec<_> {
            sweep.runs.iter().map(|run| (run.name.clone(), run.config.clone())).collect()
        };
        assert_eq!(runs(&sweep), runs(&again));
        assert_eq!(sweep.evaluate, again.evaluate);
        assert_eq!(sweep.resolved_toml(), again.resolved_toml());
        // Of the two keys for the length the one set last counts, as with --set.
        assert!(sweep.runs.iter().all(|run| run.config.run.steps.is_none() && run.config.run.epochs == 2.0));
    }

    #[test]
    fn faults_name_the_line_and_the_nearest_spelling() {
        let cases: &[(&str, &[&str])] = &[
            ("", &["sweep.toml", "`base`", "shapes-advprop"]),
            ("base = \"shapes-adprop\"", &["line 1", "nearest is shapes-advprop"]),
            ("base = \"shapes-advprop\"\nseed = [1]", &["line 2", "`seeds`"]),
            ("base = \"shapes-advprop\"\nseeds = [1, 1]", &["line 2", "1 twice"]),
            ("base = \"shapes-advprop\"\nseeds = []", &["line 2", "at least one"]),
            ("base = \"shapes-advprop\"\nseeds = [-1]", &["line 2", "`seeds`", "-1"]),
            ("base = \"shapes-advprop\"\n[[vary]]\n\"method.kin\" = [1]", &["line 3", "`method.kind`"]),
            (
                "base = \"shapes-advprop\"\n[[vary]]\n\"method.kind\" = [\"vanilla\",\n\"adprop\"]",
                &["line 4", "nearest valid value is \"advprop\""],
            ),
            ("base = \"shapes-advprop\"\n[[vary]]\n\"run.steps\" = 5", &["line 3", "a list", "[5]"]),
            ("base = \"shapes-advprop\"\n[[vary]]\n\"run.steps\" = []", &["line 3", "at least one"]),
            ("base = \"shapes-advprop\"\nset = { \"run.seed\" = 5 }", &["line 2", "`seeds`"]),
            ("base = \"shapes-advprop\"\n[[vary]]\n\"run.name\" = [\"x\"]", &["line 3", "`run.name`"]),
            (
                "base = \"shapes-advprop\"\n[[vary]]\n\"run.accumulate\" = [1, 5]",
                &["line 3", "accumulate5-seed0", "divisor"],
            ),
            (
                "base = \"shapes-advprop\"\n[[vary]]\n\"run.steps\" = [5, 6]\n[[vary]]\n\"run.steps\" = [6]",
                &["line 5", "already"],
            ),
            (
                "base = \"shapes-advprop\"\n[[vary]]\n\"run.steps\" = [5]\nrun.steps = [6]",
                &["line 4", "`run.steps` stands twice"],
            ),
            (
                "base = \"shapes-advprop\"\nset = { \"run.steps\" = 5, run.steps = 6 }",
                &["line 2", "`run.steps` stands twice"],
            ),
            ("base = \"shapes-advprop\"\n[evaluate]\nattack = []", &["line 3", "`attacks`"]),
            (
                "base = \"shapes-advprop\"\n[evaluate]\nattacks = [\"pdg:eps=4\"]",
                &["line 3", "nearest is pgd"],
            ),
            (
                "base = \"shapes-advprop\"\n[evaluate]\ndomains = [\"auxx\"]",
                &["line 3", "main, aux", "auto", "auxx"],
            ),
            ("base = \"shapes-advprop\"\n[evaluate]\nseverity = [6]", &["line 3", "1 to 5"]),
            (
                "base = \"shapes-advprop\"\n[evaluate]\nlocalise = \"cams\"",
                &["line 3", "\"cam\" or \"gradcam\""],
            ),
            ("base = \"shapes-advprop\"\nevaluate = [5]", &["line 2", "[[evaluate]]"]),
            ("[run]\nsteps = 5", &["line 1", "[run] is a table of a run's configuration", "[set]"]),
            ("base = \"shapes-advprop\"\nset = 5", &["line 2", "a table"]),
            ("base = [", &["line 1", "TOML"]),
        ];
        for (text, parts) in cases {
            let sentence = parse(text).expect_err(text);
            assert!(parts.iter().all(|part| sentence.contains(part)), "{text}: {sentence}");
        }
    }

    #[test]
    fn a_base_file_lies_beside_the_sweep() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("mine.toml"), "[run]\nname = \"mine\"\nsteps = 3\n")
            .expect("writable");
        let text = "base = \"mine.toml\"\nseeds = [4]";
        let sweep = Sweep::parse(text, "sweep.toml", folder.path()).expect("valid");
        assert_eq!(names(&sweep), ["mine-seed4"]);
        assert_eq!(sweep.runs[0].config.run.steps, Some(3));
        std::fs::write(folder.path().join("mine.toml"), "[run]\nstep = 3\n").expect("writable");
        let sentence = Sweep::parse(text, "sweep.toml", folder.path()).expect_err("misspelt").to_string();
        assert!(sentence.contains("mine.toml, line 2") && sentence.contains("`run.steps`"), "{sentence}");
    }
}
