//! `dualprop data check`: what is wrong or odd in an image folder.

use super::stop_on_ctrl_c;
use crate::cli::common::{UsageError, print_json, print_line};
use crate::cli::progress::Progress;
use crate::config::path_faults::no_folder;
use crate::data::check::{
    CleanCopy, Finding, Items, PartCounts, Report, Spectrum, check, check_target, write_clean_copy,
};
use crate::words::counted;
use anyhow::{anyhow, ensure};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Entries of a finding that the text shows.
const SHOWN: usize = 5;

/// Reports damaged, odd, double and missing images of an image folder, and writes a clean copy.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Faults are what stops training or makes its figures wrong: damaged images, files that are called images and hold \
none, files of the same bytes in training and evaluation or in two classes, classes that a part lacks. Everything \
else is a note for you to judge; copies are found by look too, those that were encoded or resized anew.\n\n\
Exits 0 without faults, 1 with faults (with --fix: with faults that the copy still has) or where the work failed, \
2 on a wrong command line.\n\n\
Example: dualprop data check photos --fix photos-clean")]
pub(super) struct Check {
    /// Folder with train/CLASS and val/CLASS, or with class folders alone
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// New or empty folder for a copy: without damaged files, files of other kinds, and training images whose
    /// bytes an evaluation part has; EXIF-turned, CMYK, 16-bit, palette and transparent images as upright RGB
    /// PNGs, all else byte for byte
    #[arg(long, value_name = "OUT")]
    fix: Option<PathBuf>,
    /// Input side of the network in pixels; smaller images are counted
    #[arg(long, value_name = "S", default_value_t = 224, value_parser = clap::value_parser!(u32).range(1..=4096))]
    image_size: u32,
    /// Prints one JSON value with every name
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<()> {
        ensure!(self.dir.is_dir(), "{}", no_folder(&self.dir));
        if let Some(out) = &self.fix {
            check_target(&self.dir, out).map_err(|error| UsageError(format!("--fix: {error:#}")))?;
        }
        let stop = stop_on_ctrl_c()?;
        let mut progress = Progress::new("checking", "images");
        let report = check(&self.dir, self.image_size, &stop, |done, total| progress.update(done, total))?;
        drop(progress);
        if !self.json {
            self.print_report(&report)?;
        }
        let copy = self.write_copy(&report, &stop)?;
        if self.json {
            print_json(&self.data(&report, copy.as_ref()))?;
        }
        let faults: Vec<String> = report.faults(copy.is_some()).map(fault_in_words).collect();
        let emptied = copy.as_ref().map_or(&[][..], |copy| &copy.emptied);
        let emptied = emptied.iter().map(|class| format!("{class} has no image left"));
        let faults: Vec<String> = faults.into_iter().chain(emptied).collect();
        if faults.is_empty() {
            return Ok(());
        }
        let place = self.fix.as_ref().unwrap_or(&self.dir).display();
        Err(match copy {
            None => anyhow!("{place} has faults: {}", faults.join("; ")),
            Some(_) => anyhow!("{place} still has faults, which need a person: {}", faults.join("; ")),
        })
    }

    fn print_report(&self, report: &Report) -> anyhow::Result<()> {
        print_line(&format!("{}: {}", self.dir.display(), counted(report.images(), "image")))?;
        for part in &report.parts {
            print_line(&format!("  {}", part_in_words(part)))?;
        }
        if let (Some(shorter), Some(longer)) = (report.shorter_sides, report.longer_sides) {
            let of = |sides: Spectrum| {
                format!("{} to {} pixels, median {}", sides.smallest, sides.largest, sides.median)
            };
            print_line(&format!("  shorter sides {}; longer sides {}", of(shorter), of(longer)))?;
        }
        if report.is_divided_by_chance {
            print_line(
                "  there is no validation part: training holds images out by chance, so copies in a class may fall on both \
                 sides",
            )?;
        }
        for finding in &report.findings {
            let word = if finding.matter.is_fault() { "fault" } else { "note" };
            print_line(&format!("{word}: {}", with_count(finding)))?;
            for entry in entries(report, &finding.items).take(SHOWN) {
                print_line(&format!("  {entry}"))?;
            }
            if finding.items.len() > SHOWN {
                print_line(&format!("  and {} more, which --json lists", finding.items.len() - SHOWN))?;
            }
        }
        for sentence in &report.stops {
            print_line(&format!("training would stop: {sentence}"))?;
        }
        if report.findings.is_empty() {
            print_line("nothing was found")?;
        }
        Ok(())
    }

    fn write_copy(&self, report: &Report, stop: &AtomicBool) -> anyhow::Result<Option<CleanCopy>> {
        let Some(out) = &self.fix else { return Ok(None) };
        let mut progress = Progress::new("copying", "images");
        let copy = write_clean_copy(report, out, stop, |done, total| progress.update(done, total))?;
        drop(progress);
        if !self.json {
            for change in &copy.changes {
                print_line(&match &change.written {
                    Some(written) => format!("changed: {} is {written}, {}", change.path, change.reason),
                    None => format!("left out: {}: {}", change.path, change.reason),
                })?;
            }
            let (copied, changed) = (counted(copy.copied, "image"), written_anew(&copy));
            let left_out = copy.changes.len() - changed;
            print_line(&format!(
                "{}: {copied} as before, {changed} as RGB PNGs, {} left out",
                out.display(),
                counted(left_out, "file")
            ))?;
        }
        Ok(Some(copy))
    }

    fn data(&self, report: &Report, copy: Option<&CleanCopy>) -> Value {
        let sides = |sides: Option<Spectrum>| {
            sides.map(|s| json!({ "smallest": s.smallest, "median": s.median, "largest": s.largest }))
        };
        let part = |part: &PartCounts| {
            let classes: Map<String, Value> =
                part.classes.iter().map(|(class, images)| (class.clone(), json!(images))).collect();
            json!({ "name": part.name, "images": part.images(), "classes": classes })
        };
        let finding = |finding: &Finding| {
            json!({
                "matter": finding.matter.name(),
                "fault": finding.matter.is_fault(),
                "sentence": finding.matter.sentence(),
                "count": finding.items.len(),
                "items": items(report, &finding.items),
            })
        };
        json!({
            "path": self.dir.display().to_string(),
            "images": report.images(),
            "parts": report.parts.iter().map(part).collect::<Vec<_>>(),
            "shorter_side": sides(report.shorter_sides),
            "longer_side": sides(report.longer_sides),
            "image_size": self.image_size,
            "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
            "training_would_stop": report.stops,
            "fixed": copy.map(|copy| self.copy_data(copy)),
        })
    }

    fn copy_data(&self, copy: &CleanCopy) -> Value {
        let changes: Vec<Value> = copy
            .changes
            .iter()
            .map(|change| json!({ "path": change.path, "written": change.written, "reason": change.reason }))
            .collect();
        json!({
            "path": self.fix.as_ref().map(|out| out.display().to_string()),
            "copied": copy.copied,
            "changes": changes,
            "emptied": copy.emptied,
        })
    }
}

fn written_anew(copy: &CleanCopy) -> usize {
    copy.changes.iter().filter(|change| change.written.is_some()).count()
}

/// A part with the sizes of its classes: `train: 300 images in 3 classes of 90 (ant) to 110 (bee)`.
fn part_in_words(part: &PartCounts) -> String {
    let name = if part.name.is_empty() { "class folders" } else { &part.name };
    let images = counted(part.images(), "image");
    let of = match part.classes.len() {
        1 => "1 class".to_owned(),
        classes => format!("{classes} classes"),
    };
    let (smallest, largest) =
        (part.classes.iter().min_by_key(|c| c.1), part.classes.iter().max_by_key(|c| c.1));
    match smallest.zip(largest) {
        Some((a, b)) if a.1 < b.1 => {
            format!("{name}: {images} in {of} of {} ({}) to {} ({})", a.1, a.0, b.1, b.0)
        }
        Some((a, _)) => format!("{name}: {images} in {of} of {}", a.1),
        None => format!("{name}: {images}"),
    }
}

/// A finding's sentence with the count behind what is counted.
fn with_count(finding: &Finding) -> String {
    let (sentence, count) = (finding.matter.sentence(), finding.items.len());
    match sentence.split_once(':') {
        Some((what, rest)) => format!("{what} ({count}):{rest}"),
        None => format!("{sentence} ({count})"),
    }
}

/// What of a fault's sentence says what it is, with the count.
fn fault_in_words(finding: &Finding) -> String {
    let sentence = finding.matter.sentence();
    let what = sentence.split_once(':').map_or(sentence, |(what, _)| what);
    format!("{what} ({})", finding.items.len())
}

/// Lines for what a finding lists.
fn entries<'a>(report: &'a Report, items: &'a Items) -> Box<dyn Iterator<Item = String> + 'a> {
    match items {
        Items::Images(images) => Box::new(images.iter().map(|image| report.path(*image))),
        Items::Groups(groups) => Box::new(groups.iter().map(|group| {
            let shown: Vec<String> = group.iter().take(SHOWN).map(|image| report.path(*image)).collect();
            let more = group.len() - shown.len();
            let more = if more > 0 { format!(" = {more} more") } else { String::new() };
            format!("{}{more}", shown.join(" = "))
        })),
        Items::Paths(paths) => {
            Box::new(paths.iter().map(
                |(path, text)| {
                    if text.is_empty() { path.clone() } else { format!("{path}: {text}") }
                },
            ))
        }
    }
}

/// All that a finding lists: paths, lists of paths, or paths with reasons.
fn items(report: &Report, items: &Items) -> Value {
    match items {
        Items::Images(images) => images.iter().map(|image| json!(report.path(*image))).collect(),
        Items::Groups(groups) => groups
            .iter()
            .map(|group| group.iter().map(|image| json!(report.path(*image))).collect::<Value>())
            .collect(),
        Items::Paths(paths) => {
            let entry = |(path, text): &(String, String)| {
                let reason = (!text.is_empty()).then_some(text);
                json!({ "path": path, "reason": reason })
            };
            paths.iter().map(entry).collect()
        }
    }
}
