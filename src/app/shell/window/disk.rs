//! What the window reads and writes on the user's word, as plain functions for helper threads.

use crate::app::model::form::RUN_DIR;
use crate::app::model::start_check::{CheckedStart, StartCheck};
use crate::app::shell::dialogs::export_model::ModelExport;
use crate::app::widgets::drawing::Drawing;
use crate::app::widgets::export::png;
use crate::config::path_faults::{no_folder, unreadable_file};
use crate::config::{Config, ConfigError, DataConfig, DataSource};
use crate::data::{self, IMAGE_ENDINGS};
use crate::export::export;
use crate::guide;
use crate::interop::atomic::{create_folder, write_atomic};
use crate::interop::tensor_file::TensorFile;
use crate::session::preflight::expect_writable;
use crate::training::run_folder::{RunFiles, RunNotes, is_at_work};
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// What a path is, as far as the window can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    Run(PathBuf),
    /// A folder of runs, and the one of them that was written to last.
    Runs {
        newest: PathBuf,
    },
    /// A data set, and the source that reads it.
    Data(PathBuf, DataSource),
    Config(PathBuf),
    Checkpoint(PathBuf),
    Image(PathBuf),
    /// The images of a folder, by name.
    Photos(Vec<PathBuf>),
    Unknown(PathBuf),
}

/// The run folders in a folder, the one that was written to last in front.
pub(super) fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let written =
        |dir: &PathBuf| RunFiles::of(dir).metrics().metadata().and_then(|data| data.modified()).ok();
    let mut runs: Vec<PathBuf> = entries.filter(|dir| written(dir).is_some()).collect();
    runs.sort_by_key(|dir| std::cmp::Reverse(written(dir)));
    runs
}

fn ending_of(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn photos_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_photo = |path: &PathBuf| IMAGE_ENDINGS.contains(&ending_of(path).as_str()) && path.is_file();
    let mut photos: Vec<PathBuf> = entries.filter(is_photo).collect();
    photos.sort();
    photos
}

/// The source that reads the data set in the folder `dir`.
pub(super) fn source_of(dir: &Path) -> DataSource {
    data::looks_like(dir).unwrap_or(DataSource::Folder)
}

/// Tells a path by its ending, and a folder by what it holds.
pub(super) fn kind_of(path: &Path) -> Dropped {
    let owned = path.to_owned();
    if path.is_dir() {
        if RunFiles::of(path).metrics().is_file() {
            return Dropped::Run(owned);
        }
        if let Some(source) = data::looks_like(path) {
            return Dropped::Data(owned, source);
        }
        return match () {
            () if path.join("train").is_dir() && path.join("val").is_dir() => {
                Dropped::Data(owned, DataSource::Folder)
            }
            () => match (runs_in(path).into_iter().next(), photos_in(path)) {
                (Some(newest), _) => Dropped::Runs { newest },
                (None, photos) if !photos.is_empty() => Dropped::Photos(photos),
                _ => Dropped::Unknown(owned),
            },
        };
    }
    match ending_of(path).as_str() {
        "toml" => Dropped::Config(owned),
        "safetensors" => Dropped::Checkpoint(owned),
        ending if IMAGE_ENDINGS.contains(&ending) => Dropped::Image(owned),
        _ => Dropped::Unknown(owned),
    }
}

/// Fails with a sentence on the first of `paths` that is no file.
pub(super) fn expect_files(paths: &[PathBuf]) -> anyhow::Result<()> {
    match paths.iter().find(|path| !path.is_file()) {
        Some(missing) => bail!(unreadable_file(missing, &std::io::ErrorKind::NotFound.into())),
        None => Ok(()),
    }
}

/// Checks that `paths` begins with a file of tensors, before what is open makes room for it.
pub(super) fn expect_model(paths: &[PathBuf]) -> anyhow::Result<()> {
    expect_files(paths)?;
    paths.first().map_or(Ok(()), |path| TensorFile::read_facts(path).map(drop))
}

/// Reads the configuration `file`, with a sentence for each key of an earlier version that it was read
/// without.
pub(super) fn load_config(file: &Path) -> Result<(Config, Vec<String>), ConfigError> {
    Config::load_warning(file, &[])
}

/// Writes a configuration's text to `file`, whole or not at all.
pub(super) fn save_config(file: &Path, text: &str) -> anyhow::Result<()> {
    write_atomic(file, |out| out.write_all(text.as_bytes()))
}

/// Looks for a free run folder, and for what would fail a start before its first step.
pub(super) fn check_start(checked: StartCheck) -> CheckedStart {
    let folder = checked.folder.clone().run();
    let typed = &checked.folder.typed;
    let out = if typed.is_empty() { folder.free.clone() } else { PathBuf::from(typed) };
    let in_use = (folder.is_in_use && !out.is_file()).then(|| {
        format!(
            "{} is not empty; expected a new run folder (open it with File, Open run folder to resume it)",
            out.display()
        )
    });
    let found = [
        ("data.path", missing_data(checked.source, &checked.data)),
        ("data.classes_file", missing_classes(&checked)),
        (RUN_DIR, in_use.or_else(|| Some(format!("{:#}", expect_writable(&out).err()?)))),
    ];
    let faults = found.into_iter().filter_map(|(key, fault)| Some((key.to_owned(), fault?))).collect();
    CheckedStart { checked, folder, faults }
}

/// Why the data folder will not do. An empty path is a fault of the values.
fn missing_data(source: DataSource, data: &str) -> Option<String> {
    let path = Path::new(data);
    if data.is_empty() || !source.needs_path() {
        return None;
    }
    if !path.is_dir() {
        return Some(format!("there is no folder {}; expected the folder of the data set", path.display()));
    }
    let config = DataConfig { source, path: data.to_owned(), ..DataConfig::default() };
    match data::parts(&config) {
        Ok(parts) if parts.iter().any(|part| part == "train") => None,
        Ok(_) => {
            let (train, path) = (path.join("train"), path.display());
            let expected = match source {
                DataSource::Folder => format!("train and val in {path}, or a folder for each class"),
                _ => "training images beside the others".to_owned(),
            };
            Some(format!("there is no {}; expected {expected}", train.display()))
        }
        // The sentence stands below the key.
        Err(error) => Some(format!("{error:#}").replace("`data.path`: ", "")),
    }
}

fn missing_classes(checked: &StartCheck) -> Option<String> {
    let file = Path::new(&checked.classes);
    let is_missing = !checked.classes.is_empty() && !file.is_file();
    is_missing.then(|| format!("there is no file {}; expected a list of classes, one a line", file.display()))
}

/// Throws a run folder away: into the system's trash, and where there is none for good. A sentence on which.
pub(super) fn discard(dir: &Path, trash: fn(&Path) -> bool) -> anyhow::Result<String> {
    if !RunFiles::of(dir).metrics().is_file() {
        bail!("{} holds no metrics.jsonl, so it is no run folder and was left as it is", dir.display());
    }
    if trash(dir) {
        return Ok(format!("{} is in the system's trash", dir.display()));
    }
    let failed = || format!("cannot delete {}; delete it by hand", dir.display());
    std::fs::remove_dir_all(dir).with_context(failed)?;
    Ok(format!("Deleted {}", dir.display()))
}

/// Moves a run folder to the system's trash, never one at work; a sentence on where it is. Where there is no
/// trash, it stays.
pub(super) fn to_trash(dir: &Path, trash: fn(&Path) -> bool) -> anyhow::Result<String> {
    let files = expect_run(dir)?;
    let shown = dir.display();
    if is_at_work(&files) {
        bail!("a program trains in {shown}; stop it before the folder goes");
    }
    if !trash(dir) {
        bail!("{shown} stays: the system has no trash that takes it; delete it by hand");
    }
    Ok(format!("{shown} is in the system's trash"))
}

fn expect_run(dir: &Path) -> anyhow::Result<RunFiles> {
    let files = RunFiles::of(dir);
    if !dir.is_dir() {
        bail!("{}; it was moved or deleted", no_folder(dir));
    }
    if !files.metrics().is_file() {
        bail!("{} holds no metrics.jsonl, so it is no run folder", dir.display());
    }
    Ok(files)
}

/// Gives the run in `dir` a star, or takes it away; the notes as they are then.
pub(super) fn toggle_star(dir: &Path) -> anyhow::Result<RunNotes> {
    let files = expect_run(dir)?;
    let before = RunNotes::load(&files)?;
    let notes = RunNotes { starred: !before.starred, ..before };
    notes.save(&files)?;
    Ok(notes)
}

/// Writes what a user wrote about the run in `dir`; the notes as they are read back.
pub(super) fn save_notes(dir: &Path, notes: &RunNotes) -> anyhow::Result<RunNotes> {
    let files = expect_run(dir)?;
    notes.save(&files)?;
    RunNotes::load(&files)
}

/// Shows a folder in the system's file manager.
pub(super) fn open_folder(dir: &Path, open: fn(&Path) -> std::io::Result<()>) -> anyhow::Result<()> {
    if !dir.is_dir() {
        bail!("{}; it was moved or deleted", no_folder(dir));
    }
    open(dir).with_context(|| format!("no program of the system shows {}", dir.display()))
}

/// Writes the guide into `folder` and shows it in the system's browser; the path of its page.
pub(super) fn open_guide(folder: &Path, open: fn(&Path) -> std::io::Result<()>) -> anyhow::Result<PathBuf> {
    create_folder(folder)?;
    let page = folder.join("guide.html");
    write_atomic(&page, |out| out.write_all(guide::page().as_bytes()))?;
    open(&page).with_context(|| format!("no program of the system shows {}", page.display()))?;
    Ok(page)
}

/// Removes the run folder that a start has made which failed before its first step. One with a figure or a
/// checkpoint stays.
pub(super) fn remove_unstarted(dir: &Path) {
    let files = RunFiles::of(dir);
    let is_empty = files.metrics().metadata().is_ok_and(|data| data.len() == 0);
    if is_empty && !files.last().exists() && !files.best().exists() {
        // What cannot be removed is told by the next start, which finds the folder in use.
        let _ = std::fs::remove_dir_all(dir);
    }
}

/// What an export writes.
pub(super) enum Contents {
    Bytes(Vec<u8>),
    /// A picture that is enlarged on the way.
    Drawing(Box<Drawing>),
    /// Square RGB pictures: the name of the file, the side in pixels and the bytes `[side, side, 3]` of each.
    Images(Vec<(String, usize, Vec<u8>)>),
}

/// Writes a file, or several into the folder `path`, each whole or not at all.
pub(super) fn write(path: &Path, contents: &Contents) -> anyhow::Result<()> {
    let write = |path: &Path, bytes: &[u8]| write_atomic(path, |out| out.write_all(bytes));
    match contents {
        Contents::Bytes(bytes) => write(path, bytes),
        Contents::Drawing(drawing) => {
            let (side, rgb) = drawing.rgb();
            write(path, &png(&rgb, side, side)?)
        }
        Contents::Images(images) => {
            create_folder(path)?;
            for (name, size, rgb) in images {
                write(&path.join(name), &png(rgb, *size, *size)?)?;
            }
            Ok(())
        }
    }
}

/// Writes a checkpoint as a model of its own, with its card; one sentence on what was written, or why nothing
/// was.
pub(super) fn export_model(asked: &ModelExport) -> anyhow::Result<String> {
    Ok(format!("Wrote {}", export(&asked.options())?.sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_by_what_they_hold() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for dir in ["run", "data/train", "data/val", "else", "runs/a", "photos"] {
            std::fs::create_dir_all(at(dir)).expect("writable");
        }
        std::fs::write(at("run/metrics.jsonl"), "").expect("writable");
        std::fs::write(at("runs/a/metrics.jsonl"), "").expect("writable");
        for photo in ["photos/b.PNG", "photos/a.jpg", "photos/notes.txt"] {
            std::fs::write(at(photo), "").expect("writable");
        }
        assert_eq!(kind_of(&at("runs")), Dropped::Runs { newest: at("runs/a") });
        let photos = vec![at("photos/a.jpg"), at("photos/b.PNG")];
        assert_eq!(kind_of(&at("photos")), Dropped::Photos(photos));
        assert_eq!(kind_of(&at("run")), Dropped::Run(at("run")));
        assert_eq!(kind_of(&at("data")), Dropped::Data(at("data"), DataSource::Folder));
        std::fs::create_dir(at("shards")).expect("writable");
        std::fs::write(at("shards/train-000000.tar"), "").expect("writable");
        assert_eq!(kind_of(&at("shards")), Dropped::Data(at("shards"), DataSource::Webdataset));
        assert_eq!(kind_of(&at("else")), Dropped::Unknown(at("else")));
        assert_eq!(kind_of(&at("x.TOML")), Dropped::Config(at("x.TOML")));
        assert_eq!(kind_of(&at("x.JPeG")), Dropped::Image(at("x.JPeG")));
        assert_eq!(kind_of(&at("x.safetensors")), Dropped::Checkpoint(at("x.safetensors")));
        assert_eq!(kind_of(&at("x.exe")), Dropped::Unknown(at("x.exe")));
    }

    #[test]
    fn a_data_folder_is_refused_only_where_a_run_would_refuse_it() {
        let fault = |folders: &[&str]| {
            let root = tempfile::tempdir().expect("a temporary folder");
            folders.iter().for_each(|name| std::fs::create_dir(root.path().join(name)).expect("writable"));
            missing_data(DataSource::Folder, &root.path().display().to_string())
        };
        for folders in [&["train", "val"][..], &["Training", "valid"], &["train"], &["cat", "dog"]] {
            assert_eq!(fault(folders), None, "{folders:?}");
        }
        for folders in [&[][..], &["val"], &["photos"]] {
            let sentence = fault(folders).expect("there is nothing to train on");
            assert!(sentence.contains("expected train and val"), "{sentence}");
        }
    }

    #[test]
    fn a_missing_checkpoint_is_a_sentence_that_names_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let export = ModelExport::of_run(Some(dir.path()), &[]);
        let error = export_model(&export).expect_err("there is no checkpoint");
        assert!(format!("{error:#}").contains("best.safetensors"), "{error:#}");
    }

    #[test]
    fn a_run_folder_that_vanished_is_a_sentence_whatever_was_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let gone = folder.path().join("gone");
        let answers = [
            toggle_star(&gone).map(drop),
            save_notes(&gone, &RunNotes::default()).map(drop),
            to_trash(&gone, |_| true).map(drop),
            open_folder(&gone, |_| Ok(())),
        ];
        for answer in answers {
            let error = answer.expect_err("there is no folder").to_string();
            assert!(error.contains("gone") && error.contains("it was moved or deleted"), "{error}");
        }
        let other = to_trash(folder.path(), |_| true).expect_err("somebody's own folder");
        assert!(other.to_string().contains("so it is no run folder"), "{other}");
        std::fs::write(RunFiles::of(folder.path()).metrics(), "").expect("writable");
        let failed = open_folder(folder.path(), |_| Err(std::io::ErrorKind::NotFound.into()));
        assert!(failed.expect_err("no program").to_string().contains("no program of the system shows"));
    }
}
