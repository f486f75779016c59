//! Sets whose images are listed in files of some kind: which files those are, and which part each belongs to.
//! A part is named by the files' names (`train.csv`, `train-000000.tar`, `train-00000-of-00002.parquet`) or
//! by the folder that they are in.

use super::labels::in_order;
use super::leavings::is_leaving;
use super::part_names::{self, USUAL_TRAIN};
use super::{Dataset, Framing, csv_list, parquet_set, subset, webdataset};
use crate::config::path_faults::unreadable_file;
use crate::config::{DataConfig, DataSource};
use anyhow::{anyhow, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a list is called that names no part.
const LABELS: &str = "labels";

/// Folders in folders that are looked into: `default/train/0000.parquet`.
const DEPTH: usize = 2;

/// What a source calls its files.
struct Kind {
    source: DataSource,
    /// Of a file's name, with the dot.
    ending: &'static str,
    /// Several of them.
    files: &'static str,
    /// How they are called as a rule.
    expected: &'static str,
}

static KINDS: [Kind; 3] = [
    Kind {
        source: DataSource::Csv,
        ending: ".csv",
        files: "CSV lists",
        expected: "train.csv and val.csv, or labels.csv, with a column of paths and one of labels",
    },
    Kind {
        source: DataSource::Webdataset,
        ending: ".tar",
        files: "WebDataset shards",
        expected: "train-000000.tar and val-000000.tar, or folders train and val with such files",
    },
    Kind {
        source: DataSource::Parquet,
        ending: ".parquet",
        files: "Parquet files",
        expected: "data/train-00000-of-00001.parquet and data/validation-00000-of-00001.parquet",
    },
];

/// The files of a set by part.
pub(super) struct SetFiles {
    kind: &'static Kind,
    root: PathBuf,
    /// Files in bytewise order of their paths, by the part's name; of files that name none, the empty one.
    parts: BTreeMap<String, Vec<PathBuf>>,
    /// The training part's name.
    train: Option<String>,
    /// The validation part's name; `None`: it is held out of the training part.
    val: Option<String>,
}

impl SetFiles {
    /// Finds the files of `source` below `root`. Fails where there are none, or where the source has none.
    pub(super) fn of(source: DataSource, root: &Path) -> anyhow::Result<Self> {
        let Some(kind) = KINDS.iter().find(|kind| kind.source == source) else {
            bail!("the data set {} does not come in lists or shards", source.name())
        };
        let mut parts: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in kind.files(root, DEPTH)? {
            let below = path.strip_prefix(root).unwrap_or(&path);
            let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
            let folders: Vec<String> = below.parent().into_iter().flat_map(Path::iter).map(text).collect();
            let stem = path.file_stem().map(text).unwrap_or_default();
            parts.entry(part_names::of_file(&stem, &folders).unwrap_or_default()).or_default().push(path);
        }
        if source == DataSource::Csv {
            only_lists(&mut parts)?;
        }
        ensure!(
            !parts.is_empty(),
            "`data.path`: {} holds no {}; expected {}{}",
            root.display(),
            kind.files,
            kind.expected,
            packed_hint(root)
        );
        let names: Vec<&str> = parts.keys().map(String::as_str).collect();
        let unnamed = parts.contains_key("").then_some("");
        let train = part_names::train(&names).or(unnamed).map(str::to_owned);
        let val = part_names::val(&names).map(str::to_owned);
        Ok(Self { kind, root: root.to_owned(), parts, train, val })
    }

    /// The names of the parts: `train` and `val` where there are images for them, and all others by their own
    /// names.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        names.extend(self.train.is_some().then(|| "train".to_owned()));
        names.extend((self.train.is_some() || self.val.is_some()).then(|| "val".to_owned()));
        let others = self.parts.keys().filter(|name| !["", "train", "val"].contains(&name.as_str()));
        names.extend(others.cloned());
        names
    }

    /// The further evaluation parts, such as `val-sketch`.
    pub(super) fn extra(&self) -> Vec<String> {
        let is_extra = |name: &&String| name.starts_with(part_names::EXTRA_PREFIX);
        self.parts.keys().filter(is_extra).cloned().collect()
    }

    /// Opens the training part. While it is listed, `progress` hears (files done, files in all).
    pub(super) fn train(
        &self,
        config: &DataConfig,
        progress: &mut dyn FnMut(usize, usize),
    ) -> anyhow::Result<Arc<dyn Dataset>> {
        let set = self.training_files(config, progress)?.set;
        match self.val {
            Some(_) => Ok(set),
            None => Ok(self.divided(set, config)?[0].clone()),
        }
    }

    /// Opens the validation part, under the classes of the training part and those that it has itself.
    pub(super) fn val(
        &self,
        config: &DataConfig,
        progress: &mut dyn FnMut(usize, usize),
    ) -> anyhow::Result<Arc<dyn Dataset>> {
        let Some(val) = &self.val else {
            let set = self.training_files(config, progress)?.set;
            return Ok(self.divided(set, config)?[1].clone());
        };
        let set = self.part(val, config, progress)?;
        let said = format!("val: the validation images are those of the part {val}");
        Ok(if val == "val" { set } else { subset::noted(set, said) })
    }

    /// Opens the part of this name, under the classes of the training part and those that it has itself.
    pub(super) fn part(
        &self,
        name: &str,
        config: &DataConfig,
        progress: &mut dyn FnMut(usize, usize),
    ) -> anyhow::Result<Arc<dyn Dataset>> {
        let Opened { set, classes_are_given } = self.open(name, config, progress)?;
        if classes_are_given || self.train.is_none() || self.train.as_deref() == Some(name) {
            return Ok(set);
        }
        let mut classes = self.training_files(config, progress)?.set.class_names().to_vec();
        let known: std::collections::BTreeSet<String> = classes.iter().cloned().collect();
        classes.extend(set.class_names().iter().filter(|name| !known.contains(*name)).cloned());
        subset::of_classes(set, &in_order(classes))
    }

    fn training_files(
        &self,
        config: &DataConfig,
        progress: &mut dyn FnMut(usize, usize),
    ) -> anyhow::Result<Opened> {
        let Some(train) = &self.train else {
            bail!(
                "`data.path`: {} holds {} of {} and none of {USUAL_TRAIN}; expected {}",
                self.root.display(),
                self.kind.files,
                self.names().join(", "),
                self.kind.expected
            )
        };
        self.open(train, config, progress)
    }

    fn divided(&self, set: Arc<dyn Dataset>, config: &DataConfig) -> anyhow::Result<[Arc<dyn Dataset>; 2]> {
        let lacking = match self.kind.source {
            DataSource::Csv => "list val.csv",
            DataSource::Webdataset => "shard val-000000.tar",
            _ => "file validation-00000-of-00001.parquet",
        };
        subset::hold_out(set, config.val_share, config.val_seed, lacking)
    }

    fn open(
        &self,
        name: &str,
        config: &DataConfig,
        progress: &mut dyn FnMut(usize, usize),
    ) -> anyhow::Result<Opened> {
        let Some(files) = self.parts.get(name) else {
            bail!("there is no part \"{name}\"; expected one of {}", self.names().join(", "))
        };
        let (root, framing) = (self.root.as_path(), Framing::of(config));
        let shown = if name.is_empty() { "images" } else { name };
        Ok(match self.kind.source {
            DataSource::Csv => Opened::of(csv_list::open(root, files, shown, framing, progress)?),
            DataSource::Webdataset => Opened::of(webdataset::open(root, files, shown, framing, progress)?),
            _ => Opened::of(parquet_set::open(root, files, shown, framing, progress)?),
        })
    }
}

/// A part as it is in its files.
struct Opened {
    set: Arc<dyn Dataset>,
    /// Whether the set says its classes, which are those of all parts then.
    classes_are_given: bool,
}

impl Opened {
    fn of<I: super::labelled::Images + 'static>(set: super::labelled::Labelled<I>) -> Self {
        Self { classes_are_given: set.labels.are_given, set: Arc::new(set) }
    }
}

impl Kind {
    /// The files below `root`, `depth` folders deep, in bytewise order.
    fn files(&self, root: &Path, depth: usize) -> anyhow::Result<Vec<PathBuf>> {
        let depth = if self.source == DataSource::Csv { 0 } else { depth };
        let mut found = Vec::new();
        find(root, self.ending, depth, &mut found)?;
        found.sort_unstable();
        Ok(found)
    }
}

fn find(dir: &Path, ending: &str, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let unreadable = |e| anyhow!("`data.path`: {}", unreadable_file(dir, &e));
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !is_leaving(name)) else { continue };
        let path = entry.path();
        if name.to_ascii_lowercase().ends_with(ending) && path.is_file() {
            found.push(path);
        } else if depth > 0 && path.is_dir() {
            find(&path, ending, depth - 1, found)?;
        }
    }
    Ok(())
}

/// Leaves of CSV files those that list images with their labels: people keep tables of other things beside
/// them, and a competition's list of test images has no labels. One that is called as a list must be one. A
/// list that names no part counts where it is called `labels` or is the only one.
fn only_lists(parts: &mut BTreeMap<String, Vec<PathBuf>>) -> anyhow::Result<()> {
    let stem = |file: &PathBuf| file.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let mut fault = None;
    for files in parts.values_mut() {
        let mut lists = Vec::new();
        for file in files.drain(..) {
            match csv_list::expect_list(&file) {
                Ok(()) => lists.push(file),
                Err(error) if stem(&file) == LABELS || part_names::has_labels(&stem(&file)) => {
                    return Err(error);
                }
                Err(error) => fault = Some(error),
            }
        }
        *files = lists;
    }
    if let Some(unnamed) = parts.get_mut("") {
        if let Some(labels) = unnamed.iter().find(|file| stem(file) == LABELS).cloned() {
            *unnamed = vec![labels];
        } else if unnamed.len() > 1 {
            unnamed.clear();
        }
    }
    parts.retain(|_, files| !files.is_empty());
    match fault {
        Some(fault) if parts.is_empty() => Err(fault),
        _ => Ok(()),
    }
}

/// What is to be done where shards are compressed as a whole, which keeps images from being found in them.
fn packed_hint(root: &Path) -> String {
    for ending in [".tar.gz", ".tgz", ".tar.zst", ".tar.xz"] {
        let mut found = Vec::new();
        if find(root, ending, 1, &mut found).is_ok()
            && let Some(file) = found.first()
        {
            return format!("; {} is compressed, unpack it to a .tar file first", file.display());
        }
    }
    String::new()
}

/// The source whose files `root` holds, where that is not `source`, and one of the files.
pub(super) fn other_source(source: DataSource, root: &Path) -> Option<(DataSource, PathBuf)> {
    KINDS.iter().filter(|kind| kind.source != source).find_map(|kind| {
        let is_list = |file: &PathBuf| kind.source != DataSource::Csv || csv_list::expect_list(file).is_ok();
        Some((kind.source, kind.files(root, 1).ok()?.into_iter().find(is_list)?))
    })
}
