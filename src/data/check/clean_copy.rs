//! A copy of an image folder without the faults that need no judgement.
//!
//! Left out are files that hold no usable image, what lies outside the class folders, and training images
//! whose very bytes an evaluation part has: of the two the evaluation part keeps its image, so that figures
//! measured on it can still be compared. Images that viewers and programs read in different ways become RGB
//! PNGs of what the program sees. Everything else keeps its bytes, and every class its folder.

use super::report::{Items, Matter, Report, Spread};
use super::survey::{Role, Survey};
use super::{Form, Stopped};
use crate::config::path_faults::{unreadable_file, unwritable_file};
use crate::config::reading;
use crate::data::Picture;
use crate::data::picture;
use crate::data::pool::{OrderedPool, Stop, worker_count};
use anyhow::{Context as _, anyhow, bail, ensure};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that is not in the copy as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path below the folder that was copied.
    pub path: String,
    /// Path below the copy; `None`: it was left out.
    pub written: Option<String>,
    /// Why.
    pub reason: String,
}

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanCopy {
    /// Images with the bytes that they had.
    pub copied: usize,
    /// By the paths.
    pub changes: Vec<Change>,
    /// Classes, as `part/class`, of which no image is left though there were some.
    pub emptied: Vec<String>,
}

/// Fails unless `out` is new or an empty folder, outside the folder `root`, and has a name.
pub fn check_target(root: &Path, out: &Path) -> anyhow::Result<()> {
    match fs::read_dir(out) {
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "the folder {} is not empty; name a new one", out.display());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => bail!(unwritable_file(out, &error)),
    }
    // What of the path is there already, links resolved, and behind it the rest.
    let whole = absolute(out).with_context(|| format!("{} is no path", out.display()))?;
    let there = whole.ancestors().find_map(|part| part.canonicalize().ok());
    let inside = there.zip(root.canonicalize().ok()).is_some_and(|(there, root)| there.starts_with(root));
    ensure!(
        !inside,
        "{} lies in {}, the folder that is copied; name a folder outside it",
        out.display(),
        root.display()
    );
    ensure!(whole.file_name().is_some(), "{} is no name of a folder", out.display());
    Ok(())
}

/// Writes the copy to `out`, which must pass [`check_target`]. It is made under a temporary name beside it
/// and renamed at the end. `progress` hears (images done, images in all). Fails with [`Stopped`] once `stop`
/// is set, and then leaves nothing.
pub fn write_clean_copy(
    report: &Report,
    out: &Path,
    stop: &AtomicBool,
    mut progress: impl FnMut(usize, usize),
) -> anyhow::Result<CleanCopy> {
    check_target(&report.survey.root, out)?;
    let plan = Plan::of(report);
    let failed = |error: io::Error| anyhow!(unwritable_file(out, &error));
    let whole = absolute(out).map_err(failed)?;
    let parent = whole.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(failed)?;
    let folder = temporary_folder(parent, &whole).map_err(failed)?;
    for class in 0..report.survey.classes.len() {
        fs::create_dir_all(folder.path().join(class_path(&report.survey, class))).map_err(failed)?;
    }
    let total = plan.jobs.len();
    progress(0, total);
    let (from, to) = (report.survey.root.clone(), folder.path().to_owned());
    let work = move |job: Job, _: &Stop| job.run(&from, &to);
    let workers = worker_count(0);
    let mut pool = OrderedPool::start("copy-images", workers, 4 * workers, work)?;
    let job = |(image, png): (u32, Option<String>)| {
        let from = report.path(image);
        Job { to: png.clone().unwrap_or_else(|| from.clone()), from, as_png: png.is_some() }
    };
    let mut jobs = plan.jobs.into_iter().map(job);
    let mut done = 0;
    loop {
        ensure!(!stop.load(Ordering::Relaxed), Stopped);
        while pool.room() > 0 {
            let Some(job) = jobs.next() else { break };
            pool.submit(job)?;
        }
        let Some(result) = pool.next()? else { break };
        result?;
        done += 1;
        progress(done, total);
    }
    drop(pool);
    if out.exists() {
        // Only some systems rename onto an empty folder.
        fs::remove_dir(out).map_err(failed)?;
    }
    fs::rename(folder.path(), out).map_err(failed)?;
    // It is no longer there under this name.
    let _ = folder.keep();
    Ok(plan.result)
}

fn temporary_folder(parent: &Path, out: &Path) -> io::Result<tempfile::TempDir> {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    builder.tempdir_in(parent)
}

fn class_path(survey: &Survey, class: usize) -> PathBuf {
    let class = &survey.classes[class];
    Path::new(&survey.parts[class.part].name).join(&class.name)
}

/// What is done with an image.
struct Job {
    /// Path below the root.
    from: String,
    /// Path below the copy.
    to: String,
    as_png: bool,
}

impl Job {
    fn run(&self, root: &Path, copy: &Path) -> anyhow::Result<()> {
        let (from, to) = (root.join(&self.from), copy.join(&self.to));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| anyhow!(unwritable_file(parent, &error)))?;
        }
        let unwritable = |error| anyhow!(unwritable_file(&to, &error));
        let write = || -> anyhow::Result<()> {
            if !self.as_png {
                // A pipe that came since the look at the folder is no image.
                let copied = reading::open(&from).and_then(|_| fs::copy(&from, &to));
                copied.map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => unwritable(error),
                    _ => anyhow!(unreadable_file(&from, &error)),
                })?;
                return Ok(());
            }
            let picture = Picture::try_from(picture::decode(&picture::read_file(&from)?)?)?;
            let mut png = Vec::new();
            let (width, height) = (picture.width() as u32, picture.height() as u32);
            PngEncoder::new(&mut png).write_image(picture.rgb(), width, height, ExtendedColorType::Rgb8)?;
            fs::File::create_new(&to).and_then(|mut file| file.write_all(&png)).map_err(unwritable)?;
            Ok(())
        };
        write().with_context(|| format!("cannot copy {}", from.display()))
    }
}

struct Plan {
    /// Images that are copied, each with the name of the PNG that it becomes; `None`: it keeps its bytes.
    jobs: Vec<(u32, Option<String>)>,
    result: CleanCopy,
}

impl Plan {
    fn of(report: &Report) -> Self {
        let survey = &report.survey;
        let mut reasons = doubled_in_train(report);
        let mut left_out = BTreeMap::new();
        let mut paths = |matter, words: &str| {
            if let Some(Items::Paths(items)) = report.items(matter) {
                let reason = |text: &String| if text.is_empty() { words.to_owned() } else { text.clone() };
                left_out.extend(items.iter().map(|(path, text)| (path.clone(), reason(text))));
            }
        };
        paths(Matter::Damaged, "");
        paths(Matter::NotAnImage, "");
        paths(Matter::OtherFile, "it is no image");
        paths(Matter::Stray, "it lies in no class folder");
        let mut normalised = report.normalised.iter().copied().peekable();
        let (mut jobs, mut turned_to_png) = (Vec::with_capacity(survey.len()), Vec::new());
        let mut left = vec![0_usize; survey.classes.len()];
        for image in 0..survey.len() as u32 {
            let as_png = normalised.next_if_eq(&image).is_some();
            let path = survey.path(image as usize);
            if let Some(reason) = reasons.remove(&image) {
                left_out.insert(path, reason);
            } else if !left_out.contains_key(&path) {
                left[survey.class_of(image as usize)] += 1;
                if as_png {
                    turned_to_png.push(image);
                } else {
                    jobs.push((image, None));
                }
            }
        }
        let copied = jobs.len();
        let mut changes: Vec<Change> =
            left_out.into_iter().map(|(path, reason)| Change { path, written: None, reason }).collect();
        let mut taken = HashSet::new();
        for image in turned_to_png {
            let path = survey.path(image as usize);
            let to = png_name(&survey.root, &path, &mut taken);
            let reason = format!("an RGB PNG of what the program sees: {}", odd_forms(report, image));
            changes.push(Change { path, written: Some(to.clone()), reason });
            jobs.push((image, Some(to)));
        }
        changes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let had = |class: usize| survey.end_of(class) > survey.classes[class].first;
        let emptied = (0..left.len()).filter(|class| left[*class] == 0 && had(*class));
        let name = |class| class_path(survey, class).to_string_lossy().replace('\\', "/");
        let emptied = emptied.map(name).collect();
        Self { jobs, result: CleanCopy { copied, changes, emptied } }
    }
}

/// The training images whose bytes an evaluation part has, each with the reason to leave it out.
fn doubled_in_train(report: &Report) -> BTreeMap<u32, String> {
    let mut reasons = BTreeMap::new();
    let across = Matter::Same(Spread::TrainAndEvaluation);
    let Some(Items::Groups(groups)) = report.items(across) else { return reasons };
    let in_train = |image: u32| report.survey.role_of(image as usize) == Role::Train;
    for group in groups {
        let Some(kept) = group.iter().find(|image| !in_train(**image)) else { continue };
        let reason = format!(
            "{} has the same bytes, and evaluation keeps its image so that its figures stay comparable",
            report.path(*kept)
        );
        reasons.extend(group.iter().filter(|image| in_train(**image)).map(|image| (*image, reason.clone())));
    }
    reasons
}

/// The forms of an image for which it is normalised, in words.
fn odd_forms(report: &Report, image: u32) -> String {
    let has = |form: &Form| match report.items(Matter::Form(*form)) {
        Some(Items::Images(images)) => images.binary_search(&image).is_ok(),
        _ => false,
    };
    let words = |form: Form| match form {
        Form::Palette => "it had a palette",
        Form::Alpha => "it had transparent pixels",
        Form::Deep => "it had more than 8 bits a channel",
        Form::Cmyk => "it was CMYK",
        _ => "its EXIF data turned it",
    };
    let forms: Vec<&str> =
        Form::ALL.into_iter().filter(|form| form.is_normalised() && has(form)).map(words).collect();
    forms.join(", ")
}

/// The name of the PNG that is made of the image at `path`: with another ending, or with one more where that
/// name belongs to another image.
fn png_name(root: &Path, path: &str, taken: &mut HashSet<String>) -> String {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let more = (2..).map(|number| format!("{path}.{number}.png"));
    let names = [format!("{stem}.png"), format!("{path}.png")].into_iter().chain(more);
    // File systems may ignore the case of letters.
    let is_free =
        |name: &String| (name == path || !root.join(name).exists()) && !taken.contains(&name.to_lowercase());
    let name = names.into_iter().find(is_free).unwrap_or_else(|| format!("{path}.png"));
    taken.insert(name.to_lowercase());
    name
}
