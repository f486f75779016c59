//! Lists of images with their labels as CSV files: a header, then a row for each image, with its path and its
//! label in whatever columns. The order of the images is the list's.

use super::labelled::{Images, Labelled};
use super::labels::{Collected, Given, IMAGE_COLUMNS, LABEL_COLUMNS, column};
use super::picture::{self, IMAGE_ENDINGS};
use super::{Framing, Picture};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use anyhow::{Context, anyhow, bail, ensure};
use csv::{Reader, ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

/// Largest list, bytes; rows of a hundred bytes for ten million images.
const MOST_BYTES: u64 = 1 << 30;

/// Longest row, bytes.
const LONGEST_ROW: u64 = 1 << 20;

/// Rows of which one must name an image that is there.
const TRIED: usize = 20;

/// The images of lists.
pub(super) struct Listed {
    /// What the paths of each list lack, and the number of its first image.
    places: Vec<(Place, usize)>,
    /// Paths as the lists have them, each ended by a zero byte.
    paths: String,
    /// Where the zero byte behind each path stands in `paths`.
    path_ends: Vec<usize>,
}

/// What turns a path of a list into that of a file.
struct Place {
    /// The folder that paths start from.
    dir: PathBuf,
    /// What names lack of their ending, with its dot; lists of numbers such as `image_id` leave it out.
    ending: String,
}

/// A list that is open at its first row.
struct List {
    rows: Reader<BufReader<File>>,
    image: usize,
    label: usize,
}

/// Fails unless the file at `path` starts with a header that has a column of images and one of labels.
pub(super) fn expect_list(path: &Path) -> anyhow::Result<()> {
    List::open(path).map(drop)
}

/// Reads the lists `files` of one part, called `part`, below `root`. `progress` hears (lists done, lists in
/// all). Fails with a sentence that names file and line.
pub(super) fn open(
    root: &Path,
    files: &[PathBuf],
    part: &str,
    framing: Framing,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Labelled<Listed>> {
    let given = Given::beside(root)?;
    let mut labels = Collected::default();
    let mut images = Listed { places: Vec::new(), paths: String::new(), path_ends: Vec::new() };
    for (done, file) in files.iter().enumerate() {
        images.read(root, file, part, &mut labels)?;
        progress(done + 1, files.len());
    }
    let labels = labels.into_labels(given.as_ref())?;
    Ok(Labelled { images, labels, notes: Vec::new(), framing })
}

impl List {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let unreadable = |e| anyhow!("`data.path`: {}", unreadable_file(path, &e));
        let file = reading::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        ensure!(length > 0, "{shown} is empty; expected a list with a header");
        ensure!(length <= MOST_BYTES, "{shown} has {length} bytes; expected a list of at most {MOST_BYTES}");
        let mut first = Vec::new();
        BufReader::new(&file).take(LONGEST_ROW).read_until(b'\n', &mut first).map_err(unreadable)?;
        ensure!(
            (first.len() as u64) < LONGEST_ROW && !first.contains(&0),
            "{shown} is no list: expected text with a header such as path,label"
        );
        // Spreadsheets of many countries write semicolons where others write commas.
        let count = |delimiter: u8| first.iter().filter(|byte| **byte == delimiter).count();
        let delimiter = [b',', b';', b'\t'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
        let file = reading::open(path).map_err(unreadable)?;
        let mut rows = ReaderBuilder::new().delimiter(delimiter).from_reader(BufReader::new(file));
        let header = rows.headers().map_err(|e| fault(path, &e))?.clone();
        let names: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
        let found = |wanted: &[&str], what: &str, such_as: &str| {
            column(&names, wanted).ok_or_else(|| {
                anyhow!(
                    "{shown}, line 1: there is no column of {what} among {}; expected one called {such_as}",
                    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
                )
            })
        };
        let image = found(&IMAGE_COLUMNS, "images", "path, filename, image or image_id")?;
        let label = found(&LABEL_COLUMNS, "labels", "label, class, category or target")?;
        Ok(Self { rows, image, label })
    }

    /// The next row, with its line.
    fn next(&mut self, path: &Path, row: &mut StringRecord) -> anyhow::Result<Option<u64>> {
        let more = self.rows.read_record(row).map_err(|e| fault(path, &e))?;
        Ok(more.then(|| row.position().map_or(0, csv::Position::line)))
    }
}

impl Listed {
    /// Adds the images of the list `file`.
    fn read(&mut self, root: &Path, file: &Path, part: &str, labels: &mut Collected) -> anyhow::Result<()> {
        let shown = file.display();
        let mut list = List::open(file)?;
        let mut row = StringRecord::new();
        let first = self.path_ends.len();
        let mut first_line = None;
        while let Some(line) = list.next(file, &mut row)? {
            let at_line = || format!("{shown}, line {line}");
            let path = below(root, row.get(list.image).unwrap_or_default().trim()).with_context(at_line)?;
            labels.add(row.get(list.label).unwrap_or_default()).with_context(at_line)?;
            ensure!(self.path_ends.len() < u32::MAX as usize, "{shown} lists too many images");
            self.paths.push_str(&path);
            self.path_ends.push(self.paths.len());
            self.paths.push('\0');
            first_line.get_or_insert(line);
        }
        let Some(line) = first_line else {
            bail!("{shown} lists no images: there is no row below the header")
        };
        let tried = first..self.path_ends.len().min(first + TRIED);
        let place = tried.clone().find_map(|index| place_of(self.path(index), root, part));
        let Some(place) = place else {
            bail!(
                "{shown}, line {line}: there is no image {} in {}; expected its path from that folder, or from images or \
                 {part} in it",
                self.path(first),
                root.display()
            )
        };
        self.places.push((place, first));
        Ok(())
    }

    /// The path of image `index` as its list has it.
    fn path(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.path_ends[index - 1] + 1 };
        &self.paths[start..self.path_ends[index]]
    }

    fn place(&self, index: usize) -> &Place {
        &self.places[self.places.partition_point(|(_, first)| *first <= index) - 1].0
    }
}

/// A path as the list has it with slashes, from `root` where it begins there. Fails where it leads out of the
/// folder.
fn below(root: &Path, text: &str) -> anyhow::Result<String> {
    ensure!(!text.is_empty(), "the path is empty; expected that of an image");
    ensure!(!text.contains('\0'), "the path has a zero byte in it");
    let slashed = text.replace('\\', "/");
    let path = Path::new(&slashed);
    let path = path.strip_prefix(root).unwrap_or(path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    ensure!(stays, "the path {text:?} leads out of data.path; expected one below {}", root.display());
    Ok(path.to_string_lossy().trim_start_matches("./").to_owned())
}

/// The place from which `path` leads to a file: the folder of the list, `images` in it, or the part's own.
fn place_of(path: &str, root: &Path, part: &str) -> Option<Place> {
    let endings = std::iter::once(String::new()).chain(IMAGE_ENDINGS.map(|ending| format!(".{ending}")));
    let endings: Vec<String> = endings.collect();
    ["", "images", part].into_iter().map(|dir| root.join(dir)).find_map(|dir| {
        let ending = endings.iter().find(|ending| dir.join(format!("{path}{ending}")).is_file())?;
        Some(Place { dir, ending: ending.clone() })
    })
}

fn fault(path: &Path, error: &csv::Error) -> anyhow::Error {
    let shown = path.display();
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => {
            anyhow!("{shown}, line {line}: it is not UTF-8; save the list as UTF-8 text")
        }
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => anyhow!(
            "{shown}, line {line}: the row has {len} fields; expected {expected_len} as in the header"
        ),
        csv::ErrorKind::Io(e) => anyhow!(unreadable_file(path, e)),
        _ => anyhow!("{shown}, line {line}: {error}"),
    }
}

impl Images for Listed {
    fn name(&self, index: usize) -> String {
        format!("{}{}", self.path(index), self.place(index).ending)
    }

    fn picture(&self, index: usize) -> anyhow::Result<Picture> {
        picture::read(&self.place(index).dir.join(self.name(index)))
    }
}
