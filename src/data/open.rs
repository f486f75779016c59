//! Finds the data set that a configuration names.

use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;

use super::cifar::Cifar;
use super::shapes::{Shapes, ShapesSplit};
use super::{Dataset, Folder, NamedSets, Splits, fashion_mnist};
use crate::config::{DataConfig, DataSource};

/// Opens all parts of the data set for training.
pub fn open(config: &DataConfig) -> anyhow::Result<Splits> {
    let path = checked_path(config)?;
    let train: Arc<dyn Dataset> = match config.source {
        DataSource::Shapes => Arc::new(Shapes::new(ShapesSplit::Train)),
        DataSource::Cifar10 => Arc::new(Cifar::Ten.open(path, true)?),
        DataSource::Cifar100 => Arc::new(Cifar::Hundred.open(path, true)?),
        DataSource::FashionMnist => Arc::new(fashion_mnist::open(path, true)?),
        DataSource::Folder => {
            let train = Folder::open(path, "train")?;
            let val = Folder::open(path, "val")?;
            train.check_same_classes(&val)?;
            return Ok(Splits {
                train: limited(Arc::new(train), config.train_limit),
                val: Arc::new(val),
                extra: vec![],
            });
        }
    };
    let (val, extra) = open_validation(config)?;
    Ok(Splits { train: limited(train, config.train_limit), val, extra })
}

/// Opens only what evaluation needs: the validation set and the further evaluation sets by name.
pub fn open_validation(config: &DataConfig) -> anyhow::Result<(Arc<dyn Dataset>, NamedSets)> {
    let path = checked_path(config)?;
    let mut extra = NamedSets::new();
    let val: Arc<dyn Dataset> = match config.source {
        DataSource::Shapes => {
            let stylized = ShapesSplit::ValStylized;
            extra.push((stylized.name().to_owned(), Arc::new(Shapes::new(stylized))));
            Arc::new(Shapes::new(ShapesSplit::Val))
        }
        DataSource::Cifar10 => Arc::new(Cifar::Ten.open(path, false)?),
        DataSource::Cifar100 => Arc::new(Cifar::Hundred.open(path, false)?),
        DataSource::FashionMnist => Arc::new(fashion_mnist::open(path, false)?),
        DataSource::Folder => Arc::new(Folder::open(path, "val")?),
    };
    Ok((val, extra))
}

fn checked_path(config: &DataConfig) -> anyhow::Result<&Path> {
    let path = Path::new(&config.path);
    if config.source != DataSource::Shapes {
        ensure!(!config.path.is_empty(), "`data.path` is empty; expected the folder of the data set");
        ensure!(path.is_dir(), "`data.path`: there is no folder {}", path.display());
    }
    Ok(path)
}

/// The first `limit` images of a set; 0: all.
fn limited(set: Arc<dyn Dataset>, limit: usize) -> Arc<dyn Dataset> {
    if limit == 0 || limit >= set.len() { set } else { Arc::new(Limited { set, limit }) }
}

struct Limited {
    set: Arc<dyn Dataset>,
    limit: usize,
}

impl Dataset for Limited {
    fn len(&self) -> usize {
        self.limit
    }

    fn class_names(&self) -> &[String] {
        self.set.class_names()
    }

    fn label(&self, index: usize) -> usize {
        self.set.label(index)
    }

    fn name(&self, index: usize) -> String {
        self.set.name(index)
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.set.load(index, size)
    }
}
