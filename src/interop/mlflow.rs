//! A run in MLflow's file store: `ROOT/EXPERIMENT/RUN` with `meta.yaml`, a file for each parameter in
//! `params` and for each tag in `tags`, and in `metrics` a file for each curve, with a line `TIME VALUE
//! STEP` for each point. Source of the layout: mlflow/store/tracking/file_store.py of MLflow 2 and 3.

use super::atomic::{create_folder, sentence, write_atomic};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use anyhow::anyhow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The experiment that runs are put into, and its number where the store has none of that name: as MLflow
/// makes them, of eighteen digits.
const EXPERIMENT: (&str, &str) = ("dualprop", "731580247966301852");

/// `RunStatus` in MLflow's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Running = 1,
    Finished = 3,
    Failed = 4,
    /// Stopped before its end.
    Killed = 5,
}

/// An open run of a file store.
#[derive(Debug)]
pub struct MlflowRun {
    dir: PathBuf,
    experiment: String,
    id: String,
    name: String,
    /// Milliseconds since 1970.
    begun: u64,
    /// The files of curves that have got points, by name.
    curves: BTreeMap<String, File>,
}

impl MlflowRun {
    /// Opens the run `id`, 32 hexadecimal digits, in the store at `root`, and begins it where it is not
    /// there yet. Its parameters are replaced.
    pub fn open(root: &Path, id: &str, name: &str, params: &[(String, String)]) -> anyhow::Result<Self> {
        create_folder(root)?;
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let experiment = experiment(&root)?;
        let dir = root.join(&experiment).join(id);
        for part in ["artifacts", "metrics", "params", "tags"] {
            create_folder(&dir.join(part))?;
        }
        let begun = begun(&dir.join("meta.yaml")).unwrap_or_else(milliseconds);
        let (id, name) = (id.to_owned(), name.to_owned());
        let run = Self { dir, experiment, id, name, begun, curves: BTreeMap::new() };
        for (key, value) in params {
            run.write("params", key, value)?;
        }
        run.write("tags", "mlflow.runName", &run.name)?;
        run.write("tags", "mlflow.source.name", "dualprop")?;
        run.write("tags", "mlflow.source.type", "LOCAL")?;
        run.set(Status::Running)?;
        Ok(run)
    }

    /// Leaves of each curve the points that `stays` keeps by name and step; half a line goes.
    pub fn cut(&mut self, stays: impl Fn(&str, u64) -> bool) -> anyhow::Result<()> {
        self.curves.clear();
        for (name, path) in curves(&self.dir.join("metrics"), "")? {
            let text = reading::read_text(&path, reading::MOST_TEXT)
                .map_err(|e| anyhow!(unreadable_file(&path, &e)))?;
            let is_whole = |line: &&str| {
                let step = line.strip_suffix('\n').and_then(|line| line.split(' ').nth(2));
                step.and_then(|step| step.parse().ok()).is_some_and(|step| stays(&name, step))
            };
            let kept: String = text.split_inclusive('\n').filter(is_whole).collect();
            if kept.is_empty() {
                // MLflow takes a curve of no points for a fault.
                std::fs::remove_file(&path).map_err(|e| anyhow!(sentence(&path, &e)))?;
            } else if kept != text {
                write_atomic(&path, |out| out.write_all(kept.as_bytes()))?;
            }
        }
        Ok(())
    }

    /// Adds a point to each named curve; values that are no finite number are left out.
    pub fn points(&mut self, step: u64, values: &[(String, f32)]) -> anyhow::Result<()> {
        let now = milliseconds();
        for (name, value) in values.iter().filter(|(_, value)| value.is_finite()) {
            let path = self.dir.join("metrics").join(name);
            let failed = |e| anyhow!(sentence(&path, &e));
            if !self.curves.contains_key(name) {
                create_folder(path.parent().unwrap_or(&self.dir))?;
                let file = File::options().append(true).create(true).open(&path).map_err(failed)?;
                self.curves.insert(name.clone(), file);
            }
            if let Some(file) = self.curves.get_mut(name) {
                file.write_all(format!("{now} {value} {step}\n").as_bytes()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Says how the run stands.
    pub fn set(&self, status: Status) -> anyhow::Result<()> {
        let end = if status == Status::Running { "null".to_owned() } else { milliseconds().to_string() };
        let uri = file_uri(&self.dir.join("artifacts"));
        let lines = [
            ("artifact_uri", quoted(&uri)),
            ("end_time", end),
            ("entry_point_name", quoted("")),
            ("experiment_id", quoted(&self.experiment)),
            ("lifecycle_stage", "active".to_owned()),
            ("run_id", quoted(&self.id)),
            ("run_name", quoted(&self.name)),
            ("run_uuid", quoted(&self.id)),
            ("source_name", quoted("")),
            // Of a program on this machine.
            ("source_type", "4".to_owned()),
            ("source_version", quoted("")),
            ("start_time", self.begun.to_string()),
            ("status", (status as u8).to_string()),
            ("tags", "[]".to_owned()),
            ("user_id", quoted("")),
        ];
        write_yaml(&self.dir.join("meta.yaml"), &lines)
    }

    fn write(&self, part: &str, key: &str, value: &str) -> anyhow::Result<()> {
        write_atomic(&self.dir.join(part).join(key), |out| out.write_all(value.as_bytes()))
    }
}

/// The folder of our experiment in the store at `root`, made where there is none of its name.
fn experiment(root: &Path) -> anyhow::Result<String> {
    let entries = std::fs::read_dir(root).map_err(|e| anyhow!(sentence(root, &e)))?;
    for entry in entries.flatten() {
        let text =
            reading::read_text(&entry.path().join("meta.yaml"), reading::MOST_TEXT).unwrap_or_default();
        let is_ours = |line: &str| {
            let name = line.strip_prefix("name:").map(|name| name.trim().trim_matches(['"', '\'']));
            name == Some(EXPERIMENT.0)
        };
        if text.lines().any(is_ours) && text.contains("lifecycle_stage: active") {
            return Ok(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let (name, id) = EXPERIMENT;
    let dir = root.join(id);
    create_folder(&dir)?;
    let now = milliseconds().to_string();
    let lines = [
        ("artifact_location", quoted(&file_uri(&dir))),
        ("creation_time", now.clone()),
        ("experiment_id", quoted(id)),
        ("last_update_time", now),
        ("lifecycle_stage", "active".to_owned()),
        ("name", quoted(name)),
    ];
    write_yaml(&dir.join("meta.yaml"), &lines)?;
    Ok(id.to_owned())
}

/// When the run of this `meta.yaml` began; `None` where there is none.
fn begun(meta: &Path) -> Option<u64> {
    let text = reading::read_text(meta, reading::MOST_TEXT).ok()?;
    text.lines().find_map(|line| line.strip_prefix("start_time:")?.trim().parse().ok())
}

/// The files of curves below `dir`, by their names with slashes.
fn curves(dir: &Path, below: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        other => other.map_err(|e| anyhow!(sentence(dir, &e)))?,
    };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = format!("{below}{}", name.to_string_lossy());
        // A link may lead back to a folder above.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(curves(&path, &format!("{name}/"))?);
        } else {
            found.push((name, path));
        }
    }
    Ok(found)
}

fn write_yaml(path: &Path, lines: &[(&str, String)]) -> anyhow::Result<()> {
    write_atomic(path, |out| lines.iter().try_for_each(|(key, value)| writeln!(out, "{key}: {value}")))
}

/// A text as YAML reads it whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The address of a folder with this absolute path.
fn file_uri(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "file:///" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~:".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

/// Since 1970.
fn milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn open(root: &Path) -> MlflowRun {
        MlflowRun::open(root, ID, "a \"run\"", &[("data.path".into(), "x".into())]).unwrap()
    }

    #[test]
    fn a_run_is_gone_on_with_and_no_point_is_doubled() {
        let root = tempfile::tempdir().unwrap();
        let mut run = open(root.path());
        let begun = run.begun;
        for step in 1..=3 {
            run.points(step, &[("train/main/loss".into(), 0.5), ("lr".into(), f32::NAN)]).unwrap();
        }
        run.points(3, &[("val/main attacked/top1".into(), 0.25)]).unwrap();
        let dir = root.path().join(EXPERIMENT.1).join(ID);
        let read = |name: &str| std::fs::read_to_string(dir.join("metrics").join(name)).unwrap();
        std::fs::write(dir.join("metrics/torn"), format!("{}17 0.5", read("train/main/loss"))).unwrap();
        drop(run);
        let mut run = open(root.path());
        assert_eq!(run.begun, begun);
        run.cut(|name, step| step <= if name.starts_with("val/") { 1 } else { 2 }).unwrap();
        run.points(3, &[("train/main/loss".into(), 0.75)]).unwrap();
        let steps = |name: &str| -> Vec<String> {
            read(name).lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
        };
        assert_eq!(steps("train/main/loss"), ["0.5 1", "0.5 2", "0.75 3"]);
        assert_eq!(steps("torn"), ["0.5 1", "0.5 2"]);
        assert!(!dir.join("metrics/val/main attacked/top1").exists() && !dir.join("metrics/lr").exists());
        run.set(Status::Finished).unwrap();
        let meta = std::fs::read_to_string(dir.join("meta.yaml")).unwrap();
        assert!(meta.contains("status: 3\n") && meta.contains(r#"run_name: "a \"run\"""#), "{meta}");
    }

    #[test]
    fn an_experiment_of_the_name_is_used_whatever_its_number() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("7")).unwrap();
        std::fs::write(root.path().join("7/meta.yaml"), "lifecycle_stage: active\nname: dualprop\n").unwrap();
        open(root.path());
        assert!(root.path().join("7").join(ID).join("params/data.path").is_file());
    }

    #[test]
    fn a_store_that_cannot_be_written_is_one_sentence() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let text = MlflowRun::open(&file, ID, "", &[]).unwrap_err().to_string();
        assert!(text.contains("file") && !text.contains("os error"), "{text}");
    }

    #[test]
    fn addresses_are_written_as_browsers_read_them() {
        assert_eq!(file_uri(Path::new("/a b/ü")), "file:///a%20b/%C3%BC");
    }
}
