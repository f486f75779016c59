//! Writes a data set as an image folder that [`Folder`](super::Folder) and other programs read.

use super::damage::{guarded, load_checked};
use super::pool::{OrderedPool, Stop, worker_count};
use super::{Dataset, Splits};
use crate::config::path_faults::unwritable_file;
use anyhow::{anyhow, bail, ensure};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images in one job of a worker.
const CHUNK: usize = 16;

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportReport {
    /// Files written.
    pub written: usize,
    /// Images that could not be read and were left out, each as `split/name: reason`.
    pub damaged: Vec<String>,
}

/// Writes every split as `out/SPLIT/CLASS/NUMBER.png` with `size` pixels a side; `out` must be new or empty.
/// A file appears whole or not at all. `progress` hears (images done, images in all).
pub fn export(
    splits: &Splits,
    size: usize,
    out: &Path,
    mut progress: impl FnMut(usize, usize),
) -> anyhow::Result<ExportReport> {
    match std::fs::read_dir(out) {
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "the folder {} is not empty; name a new one", out.display());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => bail!(unwritable_file(out, &error)),
    }
    let mut parts = vec![("train", &splits.train), ("val", &splits.val)];
    parts.extend(splits.extra.iter().map(|(name, set)| (name.as_str(), set)));
    let total = parts.iter().map(|(_, set)| set.len()).sum();
    let mut report = ExportReport::default();
    let mut done = 0;
    for (split, set) in parts {
        let folders: Vec<PathBuf> =
            folder_names(set.class_names()).iter().map(|name| out.join(split).join(name)).collect();
        for folder in &folders {
            std::fs::create_dir_all(folder).map_err(|error| anyhow!(unwritable_file(folder, &error)))?;
        }
        let writer = Writer { set: Arc::clone(set), size, folders };
        let workers = worker_count(0);
        let mut pool = OrderedPool::start("export-images", workers, 4 * workers, move |job, stop: &Stop| {
            writer.write_all(job, stop)
        })?;
        let mut next = 0;
        loop {
            while next < set.len() && pool.room() > 0 {
                let end = set.len().min(next + CHUNK);
                pool.submit(next..end)?;
                next = end;
            }
            let Some(result) = pool.next()? else { break };
            let part: ExportReport = result?;
            done += part.written + part.damaged.len();
            report.written += part.written;
            report.damaged.extend(part.damaged.into_iter().map(|text| format!("{split}/{text}")));
            progress(done, total);
        }
    }
    Ok(report)
}

struct Writer {
    set: Arc<dyn Dataset>,
    size: usize,
    /// One a class.
    folders: Vec<PathBuf>,
}

impl Writer {
    fn write_all(&self, images: Range<usize>, stop: &Stop) -> anyhow::Result<ExportReport> {
        let mut report = ExportReport::default();
        for index in images {
            if stop.requested() {
                break;
            }
            match guarded(&*self.set, index, || load_checked(&*self.set, index, self.size)) {
                Ok(pixels) => {
                    self.write(index, &pixels)?;
                    report.written += 1;
                }
                Err(unusable) => report.damaged.push(unusable.text),
            }
        }
        Ok(report)
    }

    fn write(&self, index: usize, pixels: &[u8]) -> anyhow::Result<()> {
        let Some(folder) = self.folders.get(self.set.label(index)) else {
            bail!(
                "image {index} has label {}, beyond the {} classes",
                self.set.label(index),
                self.folders.len()
            );
        };
        let path = folder.join(format!("{index:06}.png"));
        let side = u32::try_from(self.size)?;
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(pixels, side, side, ExtendedColorType::Rgb8)?;
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".export-").tempfile_in(folder)?;
            file.write_all(&png)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| anyhow!(unwritable_file(&path, &error)))
    }
}

/// Folder names for classes that every file system takes, all different (also where case is ignored).
fn folder_names(classes: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(classes.len());
    let mut taken = std::collections::BTreeSet::new();
    for (index, class) in classes.iter().enumerate() {
        let mut name = safe_name(class);
        while !taken.insert(name.to_lowercase()) {
            name = format!("{name}-{index}");
        }
        names.push(name);
    }
    names
}

fn safe_name(class: &str) -> String {
    let replaced: String = class
        .chars()
        .map(|c| if c.is_control() || r#"<>:"/\|?*"#.contains(c) { '_' } else { c })
        .take(100)
        .collect();
    // Windows drops dots and blanks at the end; a dot at the start hides a folder.
    let trimmed = replaced.trim().trim_end_matches(['.', ' ']);
    let device = trimmed.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |name: &str| {
        device.strip_prefix(name).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    let reserved =
        ["CON", "PRN", "AUX", "NUL"].contains(&device.as_str()) || numbered("COM") || numbered("LPT");
    if trimmed.is_empty() || trimmed.starts_with('.') || reserved {
        format!("_{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_become_distinct_folders_inside_the_target() {
        let classes =
            ["cat", "a/b", "a\\b", "..", "", "con", "Com1.x", "CAT", "dot.", ".git"].map(String::from);
        let names = folder_names(&classes);
        let expected = ["cat", "a_b", "a_b-2", "_", "_-4", "_con", "_Com1.x", "CAT-7", "dot", "_.git"];
        assert_eq!(names, expected);
    }
}
