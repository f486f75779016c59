//! Image sets of the Hugging Face hub as Parquet files: a column of `{bytes, path}` that holds encoded
//! images, and one of labels, which are numbers of class names that the schema's metadata gives, or texts.
//! The order is that of the files' names, and in them the files' own.
//!
//! An image is read by its page, found by walking over the pages' headers when its row group is first wanted;
//! `docs/decisions/parquet-pages.md` says why, and what it costs.

mod cache;
mod columns;
mod file;
mod footer;
mod page_header;
mod pages;
mod thrift;
mod values;

use self::cache::PageCache;
use self::file::{FileLabels, ImageFile};
use super::labelled::{Images, Labelled, unlabelled_note};
use super::labels::{Collected, Given, Labels, unique};
use super::pool::{OrderedPool, Stop, worker_count};
use super::{Framing, Picture, picture};
use crate::words::counted;
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};

/// Bytes of decoded pages that are kept.
const CACHE_BYTES: usize = 256 << 20;

/// The images of Parquet files.
pub(super) struct Rows {
    root: PathBuf,
    /// With the number of its first row among all.
    files: Vec<(ImageFile, u64)>,
    /// Number of each image's row among those of all files.
    rows: Vec<u32>,
    cache: PageCache,
}

/// Opens the Parquet files `files` of one part, called `part`, of the set in `root`. `progress` hears (files
/// done, files in all).
pub(super) fn open(
    root: &Path,
    files: &[PathBuf],
    part: &str,
    framing: Framing,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Labelled<Rows>> {
    let mut images = Rows {
        root: root.to_owned(),
        files: Vec::new(),
        rows: Vec::new(),
        cache: PageCache::new(CACHE_BYTES),
    };
    let mut classes = Classes::new(root)?;
    let mut rows = 0_u64;
    let mut opened = Opening::start(files)?;
    while let Some((file, labels)) = opened.next()? {
        let shown = file.path.display().to_string();
        let in_file = || format!("the Parquet file {shown} cannot be used");
        classes.expect_same_names(&labels).with_context(in_file)?;
        for (row, label) in labels.of_rows.iter().enumerate() {
            if let Some(label) = label {
                let in_row = || format!("{shown}, row {row}");
                classes.add(&labels.texts[*label as usize]).with_context(in_row)?;
                images.rows.push((rows + row as u64) as u32);
            }
        }
        images.files.push((file, rows));
        rows += labels.of_rows.len() as u64;
        ensure!(u32::try_from(rows).is_ok(), "{} holds too many images", root.display());
        progress(images.files.len(), files.len());
    }
    let unlabelled = rows as usize - images.rows.len();
    ensure!(
        !images.rows.is_empty(),
        "`data.path`: {} of {part} in {} hold {}",
        counted(files.len(), "Parquet file"),
        root.display(),
        if unlabelled > 0 { "images without labels alone; expected another part" } else { "no images" }
    );
    let notes = unlabelled_note(part, unlabelled).into_iter().collect();
    let labels = classes.into_labels()?;
    Ok(Labelled { images, labels, notes, framing })
}

/// Files that are opened on several threads.
struct Opening<'a> {
    pool: OrderedPool<PathBuf, anyhow::Result<(ImageFile, FileLabels)>>,
    waiting: std::slice::Iter<'a, PathBuf>,
}

impl<'a> Opening<'a> {
    fn start(files: &'a [PathBuf]) -> anyhow::Result<Self> {
        let workers = worker_count(0).min(files.len()).max(1);
        let work = |path: PathBuf, _: &Stop| ImageFile::open(&path);
        let pool = OrderedPool::start("open-parquet", workers, 2 * workers, work)?;
        Ok(Self { pool, waiting: files.iter() })
    }

    /// The next file; `None` after the last.
    fn next(&mut self) -> anyhow::Result<Option<(ImageFile, FileLabels)>> {
        while self.pool.room() > 0 {
            let Some(file) = self.waiting.next() else { break };
            self.pool.submit(file.clone())?;
        }
        self.pool.next()?.transpose()
    }
}

/// The classes and labels of a part on the way.
struct Classes {
    /// Of the first file; `None`: of no file yet.
    names: Option<Option<Vec<String>>>,
    beside: Option<Given>,
    texts: Collected,
    /// Labels that are numbers of `names`.
    numbers: Vec<u32>,
}

impl Classes {
    fn new(root: &Path) -> anyhow::Result<Self> {
        let (beside, texts) = (Given::beside(root)?, Collected::default());
        Ok(Self { names: None, beside, texts, numbers: Vec::new() })
    }

    fn expect_same_names(&mut self, labels: &FileLabels) -> anyhow::Result<()> {
        let names = self.names.get_or_insert_with(|| labels.names.clone());
        ensure!(*names == labels.names, "it has other class names than the first file of the part");
        Ok(())
    }

    fn add(&mut self, text: &str) -> anyhow::Result<()> {
        match &self.names {
            Some(Some(names)) => {
                let number = text.parse::<u32>().ok().filter(|number| (*number as usize) < names.len());
                let number = number.with_context(|| {
                    format!("the label is {text}; expected the number of one of {} classes", names.len())
                })?;
                self.numbers.push(number);
                Ok(())
            }
            _ => self.texts.add(text),
        }
    }

    fn into_labels(self) -> anyhow::Result<Labels> {
        match self.names {
            Some(Some(names)) => {
                Ok(Labels { classes: unique(names), of_images: self.numbers, are_given: true })
            }
            _ => self.texts.into_labels(self.beside.as_ref()),
        }
    }
}

impl Rows {
    /// The file of image `index`, its number, and the image's row in it.
    fn file(&self, index: usize) -> (&ImageFile, usize, u64) {
        let row = u64::from(self.rows[index]);
        let number = self.files.partition_point(|(_, first)| *first <= row) - 1;
        let (file, first) = &self.files[number];
        (file, number, row - first)
    }
}

impl Images for Rows {
    fn name(&self, index: usize) -> String {
        let (file, _, row) = self.file(index);
        format!("{}, row {row}", file.path.strip_prefix(&self.root).unwrap_or(&file.path).display())
    }

    fn picture(&self, index: usize) -> anyhow::Result<Picture> {
        let (file, number, row) = self.file(index);
        let (group, page, place) = file.place(row)?;
        let key = (number as u32, group as u32, page as u32);
        self.cache.value(
            key,
            place,
            || file.page(group, page),
            |bytes| {
                picture::of_bytes(
                    bytes.context("its bytes are missing; expected the image and not its path alone")?,
                )
            },
        )
    }
}
