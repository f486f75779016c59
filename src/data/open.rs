//! Finds the data set that a configuration names.

use super::cifar::Cifar;
use super::flaws::with_flaws;
use super::part_names::EXTRA_PREFIX;
use super::set_files::{self, SetFiles};
use super::shapes::{Shapes, ShapesSplit};
use super::{Dataset, Folder, FolderIndex, FolderLayout, Framing, NamedSets, Splits, fashion_mnist, subset};
use crate::config::path_faults::no_folder;
use crate::config::{DataConfig, DataSource};
use anyhow::{anyhow, ensure};
use std::path::Path;
use std::sync::Arc;

/// Opens all parts of the data set for training.
///
/// ```
/// use dualprop::config::DataConfig;
///
/// // The built-in `shapes`, unless the configuration names another source.
/// let sets = dualprop::data::open(&DataConfig::default())?;
/// let (images, classes) = (sets.train.len(), sets.train.class_names());
/// println!("{images} images of {}; the first is of {}", classes.join(", "), classes[sets.train.label(0)]);
/// let pixels = sets.train.load(0, 64)?; // [64, 64, 3], RGB
/// # assert_eq!((classes.len(), pixels.len()), (10, 64 * 64 * 3));
/// # anyhow::Ok(())
/// ```
pub fn open(config: &DataConfig) -> anyhow::Result<Splits> {
    open_reporting(config, |_, _, _| ())
}

/// [`open()`]; while a set is listed, `progress` hears (split, class folders, lists or shards done, such in
/// all).
pub fn open_reporting(
    config: &DataConfig,
    mut progress: impl FnMut(&str, usize, usize),
) -> anyhow::Result<Splits> {
    let train = part(config, Part::Train, &mut progress)?;
    let classes = wanted_classes(config, "the training set", train.as_ref())?;
    let train = subset::of_classes(train, &classes)?;
    let train = subset::first(subset::first_of_each_class(train, config.class_limit), config.train_limit);
    let train = with_flaws(train, config);
    let (mut val, mut extra) = open_validation_with(config, &mut progress)?;
    let classes = train.class_names();
    match config.source {
        DataSource::Folder => subset::check_same(("train", train.as_ref()), ("val", val.as_ref()))?,
        DataSource::Csv | DataSource::Webdataset | DataSource::Parquet => {
            for (name, set) in
                std::iter::once(("val", &val)).chain(extra.iter().map(|(n, set)| (n.as_str(), set)))
            {
                subset::check_within(set.as_ref(), name, classes, "train")?;
            }
        }
        DataSource::Shapes | DataSource::Cifar10 | DataSource::Cifar100 | DataSource::FashionMnist => {
            return Ok(Splits { train, val, extra });
        }
    }
    // Names that look equal may be composed in another way, and so stand in another order.
    val = subset::of_classes(val, classes)?;
    for (_, set) in &mut extra {
        *set = subset::of_classes(Arc::clone(set), classes)?;
    }
    Ok(Splits { train, val, extra })
}

/// The source whose files lie in `root`, lists, shards or Parquet files, if there are any.
pub fn looks_like(root: &Path) -> Option<DataSource> {
    set_files::other_source(DataSource::Folder, root).map(|(source, _)| source)
}

/// Opens only what evaluation needs: the validation set and the further evaluation sets by name.
pub fn open_validation(config: &DataConfig) -> anyhow::Result<(Arc<dyn Dataset>, NamedSets)> {
    open_validation_with(config, &mut |_, _, _| ())
}

/// The names of the parts that a data set has: `train`, `val` and others; of a folder, all folders in it.
pub fn parts(config: &DataConfig) -> anyhow::Result<Vec<String>> {
    let built_in = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
    match config.source {
        DataSource::Shapes => built_in(&["train", "val", ShapesSplit::ValStylized.name()]),
        DataSource::Cifar10 | DataSource::Cifar100 | DataSource::FashionMnist => built_in(&["train", "val"]),
        DataSource::Folder => folder_parts(config),
        source => Ok(set_files(source, config)?.names()),
    }
}

/// The files of a set that comes in lists or shards.
fn set_files(source: DataSource, config: &DataConfig) -> anyhow::Result<SetFiles> {
    let path = checked_path(config)?;
    SetFiles::of(source, path).map_err(|error| or_other_source(error, source, path))
}

/// Why a set cannot be opened: where the folder holds files of another source, that it is another one.
fn or_other_source(error: anyhow::Error, source: DataSource, path: &Path) -> anyhow::Error {
    let Some((other, file)) = set_files::other_source(source, path) else { return error };
    anyhow!(
        "`data.source` is \"{}\", and {} holds {}; expected \"{}\" for such a set",
        source.name(),
        path.display(),
        file.strip_prefix(path).unwrap_or(&file).display(),
        other.name()
    )
}

/// `train` and `val` where there are images for them, and all other folders by their own names, unless they
/// are classes.
fn folder_parts(config: &DataConfig) -> anyhow::Result<Vec<String>> {
    let path = checked_path(config)?;
    let FolderLayout { train, val } = FolderLayout::of(path)?;
    let trains = path.join(&train).is_dir();
    let mut parts = Vec::new();
    parts.extend(trains.then(|| "train".to_owned()));
    parts.extend((trains || val.is_some()).then(|| "val".to_owned()));
    if !train.is_empty() {
        parts.extend(Folder::splits(path, "")?.into_iter().filter(|name| name != "train" && name != "val"));
    }
    if parts.is_empty() {
        let error =
            anyhow!("`data.path`: there are no folders in {}; expected train and val", path.display());
        return Err(or_other_source(error, DataSource::Folder, path));
    }
    Ok(parts)
}

/// Opens one of the [`parts`] alone, whole but for the classes of `data.classes_file`.
pub fn open_part(config: &DataConfig, name: &str) -> anyhow::Result<Arc<dyn Dataset>> {
    let names = parts(config)?;
    ensure!(
        names.iter().any(|known| known == name),
        "there is no part \"{name}\"; expected one of {}",
        names.join(", ")
    );
    let set = match name {
        "train" => part(config, Part::Train, &mut |_, _, _| ())?,
        "val" => part(config, Part::Val, &mut |_, _, _| ())?,
        _ if config.source == DataSource::Shapes => Arc::new(Shapes::new(ShapesSplit::ValStylized)),
        name => part(config, Part::Extra(name), &mut |_, _, _| ())?,
    };
    let classes = wanted_classes(config, name, set.as_ref())?;
    subset::of_classes(set, &classes)
}

type Progress<'a> = &'a mut dyn FnMut(&str, usize, usize);

fn open_validation_with(
    config: &DataConfig,
    progress: Progress<'_>,
) -> anyhow::Result<(Arc<dyn Dataset>, NamedSets)> {
    let val = part(config, Part::Val, progress)?;
    let names = val.class_names().to_vec();
    let classes = wanted_classes(config, "the validation set", val.as_ref())?;
    let val = subset::of_classes(val, &classes)?;
    let mut extra = NamedSets::new();
    match config.source {
        DataSource::Shapes => {
            let stylized = ShapesSplit::ValStylized;
            let set = subset::of_classes(Arc::new(Shapes::new(stylized)), &classes)?;
            extra.push((stylized.name().to_owned(), set));
        }
        DataSource::Folder => {
            for name in Folder::splits(checked_path(config)?, EXTRA_PREFIX)? {
                let set = part(config, Part::Extra(&name), progress)?;
                subset::check_within(set.as_ref(), &name, &names, "val")?;
                extra.push((name, subset::of_classes(set, &classes)?));
            }
        }
        DataSource::Cifar10 | DataSource::Cifar100 | DataSource::FashionMnist => {}
        source @ (DataSource::Csv | DataSource::Webdataset | DataSource::Parquet) => {
            for name in set_files(source, config)?.extra() {
                let set = part(config, Part::Extra(&name), progress)?;
                extra.push((name, subset::of_classes(set, &classes)?));
            }
        }
    }
    Ok((val, extra))
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Train,
    Val,
    /// A further evaluation split of a folder.
    Extra(&'a str),
}

fn part(config: &DataConfig, part: Part<'_>, progress: Progress<'_>) -> anyhow::Result<Arc<dyn Dataset>> {
    let path = checked_path(config)?;
    let train = matches!(part, Part::Train);
    let framing = Framing::of(config);
    Ok(match config.source {
        DataSource::Shapes => {
            Arc::new(Shapes::new(if train { ShapesSplit::Train } else { ShapesSplit::Val }))
        }
        DataSource::Cifar10 => Arc::new(Cifar::Ten.open(path, train, framing)?),
        DataSource::Cifar100 => Arc::new(Cifar::Hundred.open(path, train, framing)?),
        DataSource::FashionMnist => Arc::new(fashion_mnist::open(path, train, framing)?),
        DataSource::Folder => {
            let layout = FolderLayout::of(path)?;
            let mut folder = |split: &str, shown: &str| -> anyhow::Result<Arc<dyn Dataset>> {
                let index = FolderIndex::of_user();
                let listed = |done, total| progress(shown, done, total);
                let folder = Folder::open(path, split, index.as_ref(), listed);
                let folder = folder.map_err(|error| or_other_source(error, DataSource::Folder, path))?;
                Ok(Arc::new(folder.framed(framing)))
            };
            match (part, layout.val) {
                (Part::Extra(name), _) => folder(name, name)?,
                (Part::Train, Some(_)) => folder(&layout.train, "train")?,
                (Part::Val, Some(val)) if val == "val" => folder(&val, "val")?,
                (Part::Val, Some(val)) => {
                    let said = format!("val: the validation images are those of the folder {val}");
                    subset::noted(folder(&val, "val")?, said)
                }
                (part, None) => {
                    let whole = folder(&layout.train, "train")?;
                    let [kept, held] =
                        subset::hold_out(whole, config.val_share, config.val_seed, "folder val")?;
                    if matches!(part, Part::Val) { held } else { kept }
                }
            }
        }
        source @ (DataSource::Csv | DataSource::Webdataset | DataSource::Parquet) => {
            let files = set_files(source, config)?;
            let shown = match part {
                Part::Train => "train",
                Part::Val => "val",
                Part::Extra(name) => name,
            };
            let listed = &mut |done, total| progress(shown, done, total);
            match part {
                Part::Train => files.train(config, listed)?,
                Part::Val => files.val(config, listed)?,
                Part::Extra(name) => files.part(name, config, listed)?,
            }
        }
    })
}

/// The classes to use: those of `data.classes_file`, or all of the set.
fn wanted_classes(config: &DataConfig, name: &str, set: &dyn Dataset) -> anyhow::Result<Vec<String>> {
    if config.classes_file.is_empty() {
        return Ok(set.class_names().to_vec());
    }
    let file = Path::new(&config.classes_file);
    let classes = subset::read_classes(file)?;
    subset::check_has(set, name, &classes, file)?;
    Ok(classes)
}

fn checked_path(config: &DataConfig) -> anyhow::Result<&Path> {
    let path = Path::new(&config.path);
    if config.source.needs_path() {
        ensure!(!config.path.is_empty(), "`data.path` is empty; expected the folder of the data set");
        ensure!(path.is_dir(), "`data.path`: {}", no_folder(path));
    }
    Ok(path)
}
