//! A part of a data set, chosen by class and number.

use super::random::{Purpose, Random};
use super::{Dataset, Picture, comparable};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::words::counted;
use anyhow::{anyhow, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Names listed in a message.
const SHOWN: usize = 10;

/// Some images of another set, perhaps under other class numbers.
struct Subset {
    set: Arc<dyn Dataset>,
    /// Index in `set` of each image.
    picks: Vec<u32>,
    classes: Vec<String>,
    /// Class here of each class of `set`; `None`: left out.
    class_here: Vec<Option<usize>>,
    /// What is said of it instead of what is said of `set`.
    said: Option<String>,
}

/// The images of `set` that belong to `classes`, by [`comparable`] names, numbered by their place there.
/// Fails when nothing is left.
pub(super) fn of_classes(set: Arc<dyn Dataset>, classes: &[String]) -> anyhow::Result<Arc<dyn Dataset>> {
    if set.class_names() == classes {
        return Ok(set);
    }
    let places: BTreeMap<String, usize> = classes.iter().map(|name| comparable(name)).zip(0..).collect();
    let class_here: Vec<Option<usize>> =
        set.class_names().iter().map(|name| places.get(&comparable(name)).copied()).collect();
    mapped(set, classes, class_here)
}

/// The images of `set` whose class has a place among `classes`: `class_here` gives it for each class of
/// `set`. Fails when nothing is left.
pub(super) fn mapped(
    set: Arc<dyn Dataset>,
    classes: &[String],
    class_here: Vec<Option<usize>>,
) -> anyhow::Result<Arc<dyn Dataset>> {
    let picks: Vec<u32> =
        (0..set.len() as u32).filter(|&i| class_here[set.label(i as usize)].is_some()).collect();
    ensure!(!picks.is_empty(), "there are no images of the wanted classes {}", some(classes));
    Ok(Arc::new(Subset { set, picks, classes: classes.to_vec(), class_here, said: None }))
}

/// The first `limit` images of each class; 0: all.
pub(super) fn first_of_each_class(set: Arc<dyn Dataset>, limit: usize) -> Arc<dyn Dataset> {
    if limit == 0 {
        return set;
    }
    let limits = vec![limit; set.class_names().len()];
    first_of_classes(set, &limits)
}

/// The first images of each class, as many as `limits` says for it.
pub(super) fn first_of_classes(set: Arc<dyn Dataset>, limits: &[usize]) -> Arc<dyn Dataset> {
    let mut taken = vec![0; limits.len()];
    let keep = |i: &u32| {
        let class = set.label(*i as usize);
        taken[class] += 1;
        taken[class] <= limits[class]
    };
    let picks = (0..set.len() as u32).filter(keep).collect();
    with_picks(set, picks)
}

/// The first `limit` images; 0: all.
pub(super) fn first(set: Arc<dyn Dataset>, limit: usize) -> Arc<dyn Dataset> {
    if limit == 0 || limit >= set.len() {
        return set;
    }
    with_picks(set, (0..limit as u32).collect())
}

/// Divides a set into what is trained on and what is held out for validation: of each class the share `share`
/// of its images, at least one and not all of them, chosen by `seed` and each image's name, so that a new
/// image moves few others. `lacking` is what would hold the validation images, such as `folder val`. Fails
/// where a class has one image.
pub(super) fn hold_out(
    set: Arc<dyn Dataset>,
    share: f64,
    seed: u64,
    lacking: &str,
) -> anyhow::Result<[Arc<dyn Dataset>; 2]> {
    let mut ranked: Vec<Vec<(f32, u32)>> = vec![Vec::new(); set.class_names().len()];
    for index in 0..set.len() {
        let name = set.name(index);
        let named = u64::from(crc32c::crc32c(name.as_bytes()));
        let rank = Random::new(Purpose::HeldOut, [seed, named, name.len() as u64]).unit();
        ranked[set.label(index)].push((rank, index as u32));
    }
    let (mut kept, mut held) = (Vec::new(), Vec::new());
    for (class, mut images) in ranked.into_iter().enumerate() {
        let name = &set.class_names()[class];
        // A set may name classes that it has no images of.
        if images.is_empty() {
            continue;
        }
        ensure!(
            images.len() > 1,
            "`data.path`: the class {name} has {} of which none can be held out for validation; expected two or more, \
             or a {lacking}",
            counted(images.len(), "image")
        );
        images.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let count = ((share * images.len() as f64).round() as usize).clamp(1, images.len() - 1);
        held.extend(images[..count].iter().map(|(_, index)| *index));
        kept.extend(images[count..].iter().map(|(_, index)| *index));
    }
    kept.sort_unstable();
    held.sort_unstable();
    let said = format!(
        "val: {} of {} are held out for validation, {:.0}% of each class (data.val_share, data.val_seed), because there is \
         no {lacking}",
        held.len(),
        counted(set.len(), "image"),
        100.0 * share
    );
    let held = subset(Arc::clone(&set), held, Some(said));
    Ok([with_picks(set, kept), held])
}

/// The same images with a sentence of its own before what is said of them.
pub(super) fn noted(set: Arc<dyn Dataset>, sentence: String) -> Arc<dyn Dataset> {
    let said = std::iter::once(sentence).chain(set.notes()).collect::<Vec<_>>().join("; ");
    let all = (0..set.len() as u32).collect();
    subset(set, all, Some(said))
}

fn with_picks(set: Arc<dyn Dataset>, picks: Vec<u32>) -> Arc<dyn Dataset> {
    subset(set, picks, None)
}

fn subset(set: Arc<dyn Dataset>, picks: Vec<u32>, said: Option<String>) -> Arc<dyn Dataset> {
    let classes = set.class_names().to_vec();
    let class_here = (0..classes.len()).map(Some).collect();
    Arc::new(Subset { set, picks, classes, class_here, said })
}

/// The list that a preset names without a folder, so that it works from any folder.
const BUILT_IN: (&str, &str) = ("imagenet100", include_str!("../../assets/classes/imagenet100.txt"));

/// Reads a file of class names, one a line, into bytewise order; [`BUILT_IN`]'s name stands for its own list.
/// Blank lines and lines that start with `#` do not count.
pub(super) fn read_classes(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = if file == Path::new(BUILT_IN.0) {
        BUILT_IN.1.to_owned()
    } else {
        reading::read_text(file, reading::MOST_TEXT)
            .map_err(|e| anyhow!("`data.classes_file`: {}", unreadable_file(file, &e)))?
    };
    let mut names = BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        ensure!(names.insert(line.to_owned()), "`data.classes_file`: {} names {line} twice", file.display());
    }
    ensure!(
        names.len() >= 2,
        "`data.classes_file`: {} names {} classes, expected at least 2, one a line",
        file.display(),
        names.len()
    );
    Ok(names.into_iter().collect())
}

/// Fails unless `set`, called `name`, has all of `classes`.
pub(super) fn check_has(
    set: &dyn Dataset,
    name: &str,
    classes: &[String],
    file: &Path,
) -> anyhow::Result<()> {
    let unknown = only_in(classes, set.class_names());
    ensure!(
        unknown.is_empty(),
        "`data.classes_file`: {} names classes that {name} does not have: {}",
        file.display(),
        some(&unknown)
    );
    Ok(())
}

/// Fails unless two sets have the same classes, as people read them, naming the difference.
pub(super) fn check_same(a: (&str, &dyn Dataset), b: (&str, &dyn Dataset)) -> anyhow::Result<()> {
    let only = |a: (&str, &dyn Dataset), b: (&str, &dyn Dataset)| {
        let extra = only_in(a.1.class_names(), b.1.class_names());
        (!extra.is_empty()).then(|| format!("{} only in {}", some(&extra), a.0))
    };
    let differences: Vec<String> = [only(a, b), only(b, a)].into_iter().flatten().collect();
    ensure!(
        differences.is_empty(),
        "`data.path`: both splits must have the same class folders: {}",
        differences.join("; ")
    );
    Ok(())
}

/// Fails when `set`, called `name`, has classes beyond `classes`, which are those of the part `of`.
pub(super) fn check_within(
    set: &dyn Dataset,
    name: &str,
    classes: &[String],
    of: &str,
) -> anyhow::Result<()> {
    let extra = only_in(set.class_names(), classes);
    ensure!(extra.is_empty(), "`data.path`: {name} has classes that {of} does not have: {}", some(&extra));
    Ok(())
}

fn only_in(a: &[String], b: &[String]) -> Vec<String> {
    let b: BTreeSet<String> = b.iter().map(|name| comparable(name)).collect();
    a.iter().filter(|name| !b.contains(&comparable(name))).cloned().collect()
}

/// The names, the first few of many.
pub(super) fn some(names: &[String]) -> String {
    match names.len() {
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.picks.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        let label = self.set.label(self.picks[index] as usize);
        self.class_here[label].expect("only images of the classes that stay are picked")
    }

    fn name(&self, index: usize) -> String {
        self.set.name(self.picks[index] as usize)
    }

    fn notes(&self) -> Vec<String> {
        self.said.clone().map_or_else(|| self.set.notes(), |said| vec![said])
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.set.load(self.picks[index] as usize, size)
    }

    fn decode(&self, index: usize, size: usize) -> anyhow::Result<Picture> {
        self.set.decode(self.picks[index] as usize, size)
    }

    fn mask(&self, index: usize, size: usize) -> Option<Vec<bool>> {
        self.set.mask(self.picks[index] as usize, size)
    }
}
