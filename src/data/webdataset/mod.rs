//! WebDataset's shards: tar files of samples, each an image (`KEY.jpg`, `.png`, `.webp`, …) and its label
//! (`KEY.cls`, or a field of `KEY.json`). The headers are read once, for a list of where the images lie,
//! which is kept between runs where the set is big; images are then read from their place. Nothing is
//! unpacked. The order is that of the shards' names, and in them the shard's own.

mod index;
mod shard;
mod tar;

use self::index::ShardIndex;
use self::shard::Shard;
use super::labelled::{Images, Labelled, unlabelled_note};
use super::labels::{Collected, Given};
use super::picture;
use super::pool::{OrderedPool, Stop, worker_count};
use super::{Framing, Picture};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::words::counted;
use anyhow::{Context, anyhow, ensure};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The images of shards.
pub(super) struct Sharded {
    root: PathBuf,
    /// Path and number of the first image of each.
    shards: Vec<(PathBuf, usize)>,
    /// The members' names, each ended by a zero byte.
    names: String,
    /// Where the zero byte behind each name stands in `names`.
    name_ends: Vec<usize>,
    /// Offset from the start of the shard and length, bytes.
    places: Vec<(u64, u32)>,
}

/// Lists the shards `files` of one part, called `part`, of the set in `root`. `progress` hears (shards done,
/// shards in all).
pub(super) fn open(
    root: &Path,
    files: &[PathBuf],
    part: &str,
    framing: Framing,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Labelled<Sharded>> {
    open_with(root, files, part, framing, ShardIndex::of_user().as_ref(), progress)
}

fn open_with(
    root: &Path,
    files: &[PathBuf],
    part: &str,
    framing: Framing,
    index: Option<&ShardIndex>,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Labelled<Sharded>> {
    let given = Given::beside(root)?;
    let mut images = Sharded {
        root: root.to_owned(),
        shards: Vec::with_capacity(files.len()),
        names: String::new(),
        name_ends: Vec::new(),
        places: Vec::new(),
    };
    let mut labels = Collected::default();
    let mut unlabelled = 0;
    for (file, shard) in files.iter().zip(listed(root, part, files, index, progress)?) {
        let in_shard = || format!("the shard {}", file.display());
        images.shards.push((file.clone(), images.places.len()));
        let start = images.names.len();
        images.name_ends.extend(shard.names.match_indices('\0').map(|(end, _)| start + end));
        images.names.push_str(&shard.names);
        images.places.extend(shard.places);
        unlabelled += shard.unlabelled as usize;
        for label in shard.labels {
            labels.add(&shard.texts[label as usize]).with_context(in_shard)?;
        }
        ensure!(u32::try_from(images.places.len()).is_ok(), "{} holds too many images", root.display());
    }
    let expected =
        "expected samples of an image such as KEY.jpg and its label, KEY.cls or a label in KEY.json";
    ensure!(
        !images.places.is_empty(),
        "`data.path`: {} of {part} in {} hold {}; {expected}",
        counted(files.len(), "shard"),
        root.display(),
        if unlabelled > 0 { "images without labels alone" } else { "no images" }
    );
    let notes = unlabelled_note(part, unlabelled).into_iter().collect();
    let labels = labels.into_labels(given.as_ref())?;
    Ok(Labelled { images, labels, notes, framing })
}

/// What is in each of `files`, in their order: as `index` has it of an unchanged shard, else by its headers,
/// on several threads.
fn listed(
    root: &Path,
    part: &str,
    files: &[PathBuf],
    index: Option<&ShardIndex>,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Vec<Shard>> {
    let about = root.join(part);
    let mut known = index.map(|index| index.load(root, part)).unwrap_or_default();
    let mut changed = known.len() != files.len();
    let workers = worker_count(0).min(files.len()).max(1);
    let work =
        |(path, known): (PathBuf, Option<index::Kept>), _: &Stop| index::unchanged_or_listed(&path, known);
    let mut pool = OrderedPool::start("list-shards", workers, 4 * workers, work)?;
    let mut waiting = files.iter();
    let mut found = Vec::with_capacity(files.len());
    while found.len() < files.len() {
        while pool.room() > 0 {
            let Some(file) = waiting.next() else { break };
            pool.submit((file.clone(), known.remove(file)))?;
        }
        let Some(listed) = pool.next()? else { break };
        let listed = listed?;
        changed |= listed.is_new;
        found.push(listed.kept);
        progress(found.len(), files.len());
    }
    let images: usize = found.iter().map(|kept| kept.shard.places.len()).sum();
    if let Some(index) = index.filter(|index| changed && images >= index.least_images)
        && let Err(error) = index.save(root, part, files.iter().zip(&found))
    {
        // Only the next start is slower for it, and the next part fails alike.
        static TOLD: Once = Once::new();
        TOLD.call_once(|| tracing::warn!("cannot keep the list of {}: {error:#}", about.display()));
    }
    Ok(found.into_iter().map(|kept| kept.shard).collect())
}

impl Sharded {
    fn shard(&self, index: usize) -> &Path {
        &self.shards[self.shards.partition_point(|(_, first)| *first <= index) - 1].0
    }
}

impl Images for Sharded {
    fn name(&self, index: usize) -> String {
        let shard = self.shard(index);
        let start = if index == 0 { 0 } else { self.name_ends[index - 1] + 1 };
        let name = &self.names[start..self.name_ends[index]];
        format!("{}/{name}", shard.strip_prefix(&self.root).unwrap_or(shard).display())
    }

    fn picture(&self, index: usize) -> anyhow::Result<Picture> {
        let (offset, length) = self.places[index];
        let path = self.shard(index);
        let mut bytes = Vec::new();
        let mut read = || -> std::io::Result<()> {
            let mut file = reading::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.take(u64::from(length)).read_to_end(&mut bytes)?;
            Ok(())
        };
        read().map_err(|e| anyhow!(unreadable_file(path, &e)))?;
        ensure!(
            bytes.len() == length as usize,
            "the shard {} was cut off since it was listed",
            path.display()
        );
        picture::of_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset as _;
    use std::time::{Duration, SystemTime};

    fn names(root: &Path, files: &[PathBuf], index: &ShardIndex) -> Vec<String> {
        let mut heard = 0;
        let set = open_with(root, files, "train", Framing::default(), Some(index), &mut |done, total| {
            heard += 1;
            assert!(done == heard && total == files.len());
        })
        .unwrap();
        assert_eq!(heard, files.len());
        (0..set.len()).map(|image| set.name(image)).collect()
    }

    /// Writes a file that was changed at `time`.
    fn write(path: &Path, bytes: &[u8], time: SystemTime) {
        std::fs::write(path, bytes).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn unchanged_shards_are_known_from_the_kept_list_and_others_are_listed_again() {
        let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sets/webdataset");
        let shards = ["train-000000.tar", "train-000001.tar"];
        let files = shards.map(|name| root.path().join(name));
        let bytes = shards.map(|name| std::fs::read(fixtures.join(name)).unwrap());
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        files.iter().zip(&bytes).for_each(|(file, bytes)| write(file, bytes, hour_ago));
        let index = ShardIndex { dir: cache.path().join("new"), least_images: 12 };
        let first = names(root.path(), &files, &index);
        assert_eq!(first.len(), 12);
        // As long and as old as before: what is in it shows that the list is believed.
        write(&files[0], &vec![1; bytes[0].len()], hour_ago);
        assert_eq!(names(root.path(), &files, &index), first);
        // One byte longer, or younger, it is listed.
        write(&files[0], &[&bytes[0][..], &[0]].concat(), hour_ago);
        assert_eq!(names(root.path(), &files, &index), first);
        std::fs::write(&files[0], &bytes[1]).unwrap();
        let other = names(root.path(), &files, &index);
        assert!(other != first && other.len() == 12, "{other:?}");
        // Whatever is wrong with the list costs time alone.
        let kept = std::fs::read_dir(cache.path().join("new")).unwrap().next().unwrap().unwrap().path();
        let whole = std::fs::read(&kept).unwrap();
        for place in (0..whole.len()).step_by(7) {
            let mut broken = whole.clone();
            broken[place] ^= 4;
            std::fs::write(&kept, &broken).unwrap();
            assert_eq!(names(root.path(), &files, &index), other, "byte {place}");
        }
        // A small part is not kept.
        let none = ShardIndex { dir: cache.path().join("none"), least_images: 13 };
        names(root.path(), &files, &none);
        assert!(!none.dir.exists());
    }
}
