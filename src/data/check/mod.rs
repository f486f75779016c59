//! Looks through an image folder before anything is trained with it: every file is decoded as training would
//! decode it, and what is damaged, odd, doubled or missing is named. [`write_clean_copy`] makes a folder
//! without the faults that need no judgement.
//!
//! Memory grows by about 200 bytes an image, its name among them, whatever the images' sizes.

mod clean_copy;
mod copies;
mod fingerprint;
mod form;
mod report;
mod survey;

use self::copies::Digest;
use self::fingerprint::Fingerprint;
use self::form::Forms;
use self::report::{NOTABLE_IMBALANCE, spread};
use self::survey::{Role, Survey};
use super::damage::Tally;
use super::picture::{self, NotAnImage};
use super::pool::{OrderedPool, Stop, worker_count};
use super::{Picture, comparable};
use crate::words::counted;
use anyhow::{anyhow, ensure};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::clean_copy::{Change, CleanCopy, check_target, write_clean_copy};
pub use self::form::Form;
pub use self::report::{Finding, Items, Matter, PartCounts, Report, Spectrum, Spread};

/// Images in one job of a worker.
const CHUNK: usize = 8;

/// What the work says when it was asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped before the end; nothing was written")]
pub struct Stopped;

/// What is known of an image.
struct Facts {
    digest: Option<Digest>,
    print: Option<Fingerprint>,
    forms: Forms,
    /// Pixels, upright.
    width: u32,
    height: u32,
}

/// A file that cannot be used.
struct Fault {
    reason: String,
    /// Its content is no image.
    foreign: bool,
}

/// Looks through the image folder at `root`. Images with a side shorter than `input_side` pixels are counted
/// as small. `progress` hears (images done, images in all). Fails where there is nothing to look at, and with
/// [`Stopped`] once `stop` is set.
pub fn check(
    root: &Path,
    input_side: u32,
    stop: &AtomicBool,
    mut progress: impl FnMut(usize, usize),
) -> anyhow::Result<Report> {
    // Here it is no key of a configuration that names the folder.
    let survey = Survey::of(root).map_err(|error| anyhow!(format!("{error:#}").replace("`data.path`: ", "")));
    let survey = Arc::new(survey?);
    let (mut digests, mut prints) = (Vec::with_capacity(survey.len()), Vec::with_capacity(survey.len()));
    let (mut shorter, mut longer) = (Vec::new(), Vec::new());
    let mut by_matter: BTreeMap<Matter, Items> = BTreeMap::new();
    let mut tallies = vec![Tally::default(); survey.parts.len()];
    let mut normalised = Vec::new();
    let total = survey.len();
    let mut image = 0_u32;
    progress(0, total);
    look_at_all(&survey, stop, |looked| {
        match looked {
            Ok(facts) => {
                digests.push(facts.digest);
                prints.push(facts.print);
                shorter.push(facts.width.min(facts.height));
                longer.push(facts.width.max(facts.height));
                let forms = Form::ALL.into_iter().filter(|form| facts.forms.has(*form)).map(Matter::Form);
                let small = (facts.width.min(facts.height) < input_side).then_some(Matter::Small);
                forms.chain(small).for_each(|matter| add_image(&mut by_matter, matter, image));
                normalised.extend(facts.forms.are_normalised().then_some(image));
            }
            Err(fault) => {
                digests.push(None);
                prints.push(None);
                let tally = &mut tallies[survey.classes[survey.class_of(image as usize)].part];
                *if fault.foreign { &mut tally.foreign } else { &mut tally.damaged } += 1;
                let matter = if fault.foreign { Matter::NotAnImage } else { Matter::Damaged };
                add_path(&mut by_matter, matter, survey.path(image as usize), fault.reason);
            }
        }
        image += 1;
        progress(image as usize, total);
    })?;
    let same = copies::of_bytes(&digests);
    let alike = copies::of_looks(&prints, &same, &mut || !stop.load(Ordering::Relaxed));
    ensure!(!stop.load(Ordering::Relaxed), Stopped);
    drop((digests, prints));
    for group in same {
        add_group(&mut by_matter, Matter::Same(spread(&survey, &group)), group);
    }
    for group in alike {
        add_group(&mut by_matter, Matter::Alike(spread(&survey, &group)), group);
    }
    let survey = Arc::into_inner(survey).ok_or_else(|| anyhow!("a thread still reads the images"))?;
    survey.others.iter().for_each(|path| {
        add_path(&mut by_matter, Matter::OtherFile, path.clone(), String::new());
    });
    survey.strays.iter().for_each(|path| {
        add_path(&mut by_matter, Matter::Stray, path.clone(), String::new());
    });
    let parts = counts(&survey);
    let mut stops = unusable(&parts, &tallies);
    let missing = missing_classes(&survey, &parts);
    if missing.iter().any(|missing| missing.stops) {
        stops.push("the training part and the validation part have different class folders".into());
    }
    for class in missing {
        add_path(&mut by_matter, Matter::MissingClass, class.path, class.reason);
    }
    if let Some(items) = imbalance(&parts) {
        by_matter.insert(Matter::Imbalance, Items::Paths(items));
    }
    let mut findings: Vec<Finding> =
        by_matter.into_iter().map(|(matter, items)| Finding { matter, items }).collect();
    findings.sort_by_key(|finding| (!finding.matter.is_fault(), finding.matter));
    Ok(Report {
        is_divided_by_chance: !survey.parts.iter().any(|part| part.role == Role::Validation),
        shorter_sides: Spectrum::of(shorter),
        longer_sides: Spectrum::of(longer),
        survey,
        findings,
        parts,
        stops,
        normalised,
    })
}

/// Looks at all images on several threads and hands what is known of each to `take`, in order.
fn look_at_all(
    survey: &Arc<Survey>,
    stop: &AtomicBool,
    mut take: impl FnMut(Result<Facts, Fault>),
) -> anyhow::Result<()> {
    let workers = worker_count(0);
    let files = Arc::clone(survey);
    let work = move |images: Range<usize>, stop: &Stop| -> Vec<Result<Facts, Fault>> {
        let path = |image| files.root.join(files.path(image));
        images.take_while(|_| !stop.requested()).map(|image| look_at(&path(image))).collect()
    };
    let mut pool = OrderedPool::start("check-images", workers, 4 * workers, work)?;
    let mut next = 0;
    loop {
        ensure!(!stop.load(Ordering::Relaxed), Stopped);
        while next < survey.len() && pool.room() > 0 {
            let end = survey.len().min(next + CHUNK);
            pool.submit(next..end)?;
            next = end;
        }
        let Some(looked) = pool.next()? else { return Ok(()) };
        looked.into_iter().for_each(&mut take);
    }
}

/// Decodes an image; a decoder that panics over damaged data only loses that image.
fn look_at(path: &Path) -> Result<Facts, Fault> {
    let look = || -> anyhow::Result<Facts> {
        let file = picture::read_file(path)?;
        let image = picture::decode(&file)?;
        let forms = Forms::of(path, &file, &image);
        let (width, height) = (image.width(), image.height());
        let mut digest = Digest::default();
        digest.copy_from_slice(&Sha256::digest(&file)[..size_of::<Digest>()]);
        let print = Fingerprint::of(&Picture::try_from(image)?)?;
        Ok(Facts { digest: Some(digest), print, forms, width, height })
    };
    match catch_unwind(AssertUnwindSafe(look)) {
        Ok(Ok(facts)) => Ok(facts),
        Ok(Err(error)) => {
            Err(Fault { foreign: error.downcast_ref::<NotAnImage>().is_some(), reason: format!("{error:#}") })
        }
        Err(_) => Err(Fault { reason: "its data make the decoder fail".into(), foreign: false }),
    }
}

fn add_image(findings: &mut BTreeMap<Matter, Items>, matter: Matter, image: u32) {
    let items = findings.entry(matter).or_insert_with(|| Items::Images(Vec::new()));
    if let Items::Images(images) = items {
        images.push(image);
    }
}

fn add_group(findings: &mut BTreeMap<Matter, Items>, matter: Matter, group: Vec<u32>) {
    let items = findings.entry(matter).or_insert_with(|| Items::Groups(Vec::new()));
    if let Items::Groups(groups) = items {
        groups.push(group);
    }
}

fn add_path(findings: &mut BTreeMap<Matter, Items>, matter: Matter, path: String, text: String) {
    let items = findings.entry(matter).or_insert_with(|| Items::Paths(Vec::new()));
    if let Items::Paths(paths) = items {
        paths.push((path, text));
    }
}

fn counts(survey: &Survey) -> Vec<PartCounts> {
    let images = |class: usize| survey.end_of(class) - survey.classes[class].first;
    let of_part = |(number, part): (usize, &survey::Part)| PartCounts {
        name: part.name.clone(),
        classes: (0..survey.classes.len())
            .filter(|class| survey.classes[*class].part == number)
            .map(|class| (survey.classes[class].name.clone(), images(class)))
            .collect(),
    };
    survey.parts.iter().enumerate().map(of_part).collect()
}

/// The parts of which training would say that too much cannot be used, or that there is nothing.
fn unusable(parts: &[PartCounts], tallies: &[Tally]) -> Vec<String> {
    let sentence = |(part, tally): (&PartCounts, &Tally)| {
        let (images, name) = (counted(part.images(), "image"), called(&part.name));
        let lost = tally.damaged + tally.foreign;
        match part.images() {
            0 => Some(format!("{name} holds no image")),
            all if tally.is_too_much(all) => Some(format!("{lost} of the {images} of {name} cannot be used")),
            _ => None,
        }
    };
    parts.iter().zip(tallies).filter_map(sentence).collect()
}

/// A part's name in a sentence.
fn called(part: &str) -> &str {
    if part.is_empty() { "the folder" } else { part }
}

struct MissingClass {
    path: String,
    reason: String,
    /// Whether training stops for it.
    stops: bool,
}

/// The classes that the training part has and the validation part lacks, the other way round, those of
/// further parts that training does not know, and folders without an image.
fn missing_classes(survey: &Survey, parts: &[PartCounts]) -> Vec<MissingClass> {
    let path = |part: &str, class: &str| {
        if part.is_empty() { class.to_owned() } else { format!("{part}/{class}") }
    };
    let mut missing = Vec::new();
    for part in parts {
        let empty = part.classes.iter().filter(|(_, images)| *images == 0);
        missing.extend(empty.map(|(class, _)| MissingClass {
            path: path(&part.name, class),
            reason: "the folder holds no image".into(),
            stops: false,
        }));
    }
    let find = |role| survey.parts.iter().position(|part| part.role == role).map(|number| &parts[number]);
    let Some(train) = find(Role::Train) else { return missing };
    let mut compare = |from: &PartCounts, to: &PartCounts, stops: bool| {
        let known: BTreeSet<String> = to.classes.iter().map(|(class, _)| comparable(class)).collect();
        let lacking = from.classes.iter().filter(|(class, _)| !known.contains(&comparable(class)));
        missing.extend(lacking.map(|(class, _)| MissingClass {
            path: path(&to.name, class),
            reason: format!("there is no such folder, and {} has it", called(&from.name)),
            stops,
        }));
    };
    for (number, part) in survey.parts.iter().enumerate() {
        match part.role {
            Role::Train => {}
            Role::Validation => {
                compare(train, &parts[number], true);
                compare(&parts[number], train, true);
            }
            Role::Further => compare(&parts[number], train, false),
        }
    }
    missing
}

/// The largest and the smallest class of each part, where one is much larger; empty classes do not count.
fn imbalance(parts: &[PartCounts]) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    for part in parts {
        let filled = || part.classes.iter().filter(|(_, images)| *images > 0);
        let (largest, smallest) = (filled().max_by_key(|c| c.1), filled().min_by_key(|c| c.1));
        if let Some((a, b)) = largest.zip(smallest).filter(|(a, b)| a.1 >= NOTABLE_IMBALANCE * b.1) {
            let line = |class: &(String, usize)| {
                let name =
                    if part.name.is_empty() { class.0.clone() } else { format!("{}/{}", part.name, class.0) };
                (name, counted(class.1, "image"))
            };
            found.extend([line(a), line(b)]);
        }
    }
    (!found.is_empty()).then_some(found)
}
