//! The search for run folders. What has not changed since the last search is not read again, so that a search
//! among a thousand runs costs a look at the dates of their files.

use super::{CorruptionError, ListedRun};
use crate::app::model::history;
use crate::app::model::sweeps::ListedSweep;
use crate::config::{Config, schema};
use crate::evaluation::robustness::mce::{Errors, Mce};
use crate::report::{evaluation_folders, evaluation_rows};
use crate::session::sweep::{RunState, SweepFiles, records};
use crate::training::method;
use crate::training::run_folder::{RunFiles, RunNotes, ended, is_at_work};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Run folders listed at most, newest first.
pub const MOST: usize = 5_000;
/// Threads that read run folders, at most: the disk is no faster for more of them.
const READERS: usize = 4;
/// Points kept of each line of a run.
const KEPT_POINTS: usize = 2_048;

/// How far a search is: folders to read, and those of them that are read.
#[derive(Debug, Default)]
pub struct Progress {
    pub total: AtomicUsize,
    pub done: AtomicUsize,
    /// When the reading began.
    begun: Mutex<Option<Instant>>,
    is_cancelled: AtomicBool,
}

impl Progress {
    /// Ends the reading: what is read by then is listed.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Seconds that the rest takes at the pace so far; `None` before the first folder is read.
    pub fn remaining_s(&self) -> Option<f64> {
        let [done, total] = [&self.done, &self.total].map(|count| count.load(Ordering::Relaxed));
        let begun = (*self.begun.lock().ok()?)?;
        let pace = begun.elapsed().as_secs_f64() / done as f64;
        (done > 0).then(|| pace * total.saturating_sub(done) as f64)
    }

    fn begin(&self, total: usize) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        if let Ok(mut begun) = self.begun.lock() {
            *begun = Some(Instant::now());
        }
    }
}

/// When a file was written and how long it was; `None` where it is not there.
type FileStamp = Option<(SystemTime, u64)>;

fn file_stamp(file: &Path) -> FileStamp {
    let data = file.metadata().ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// What tells whether a run folder has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Of metrics and configuration, which take long to read.
    figures: [FileStamp; 2],
    /// Of the file on how the run ended.
    ended: FileStamp,
    notes: FileStamp,
    is_at_work: bool,
    /// Of the rows of its evaluations.
    rows: Vec<FileStamp>,
}

impl Stamp {
    fn of(dir: &Path) -> Self {
        let files = RunFiles::of(dir);
        let folders = evaluation_folders(&dir.join("evaluation"));
        Self {
            figures: [file_stamp(&files.metrics()), file_stamp(&files.config())],
            ended: file_stamp(&files.ended()),
            notes: file_stamp(&files.notes()),
            is_at_work: is_at_work(&files),
            rows: folders.iter().map(|folder| file_stamp(&folder.join("rows.jsonl"))).collect(),
        }
    }

    fn written(&self) -> Option<SystemTime> {
        self.figures[0].map(|(written, _)| written)
    }
}

/// The run folders and sweeps that there are, each with what tells whether it has changed. Two of them are
/// equal exactly where a new search would find nothing new.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    runs: BTreeMap<PathBuf, Stamp>,
    sweeps: Vec<(PathBuf, [FileStamp; 2])>,
}

impl Scan {
    /// Looks into the folders beside `known` runs and into `parents`.
    pub fn of(known: &[PathBuf], parents: &[PathBuf]) -> Self {
        let folders = folders(known, parents);
        let mut dirs: BTreeSet<PathBuf> = known.iter().cloned().collect();
        for folder in &folders {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            dirs.extend(entries.flatten().map(|entry| entry.path()));
        }
        // A folder that is reached under two names is listed once.
        let mut seen = BTreeSet::new();
        let is_run = |dir: &PathBuf| RunFiles::of(dir).metrics().is_file();
        dirs.retain(|dir| is_run(dir) && dir.canonicalize().is_ok_and(|dir| seen.insert(dir)));
        let runs = dirs.into_iter().map(|dir| {
            let stamp = Stamp::of(&dir);
            (dir, stamp)
        });
        let mut seen = BTreeSet::new();
        let sweeps = folders.into_iter().filter(|dir| {
            SweepFiles::of(dir).sweep().is_file() && dir.canonicalize().is_ok_and(|dir| seen.insert(dir))
        });
        let stamped = sweeps.map(|dir| {
            let files = SweepFiles::of(&dir);
            let stamps = [file_stamp(&files.sweep()), file_stamp(&files.records())];
            (dir, stamps)
        });
        Self { runs: runs.collect(), sweeps: stamped.collect() }
    }
}

/// The folders beside `known` ones, and `parents`.
fn folders(known: &[PathBuf], parents: &[PathBuf]) -> BTreeSet<PathBuf> {
    let beside = known.iter().filter_map(|dir| dir.parent()).map(Path::to_owned);
    beside.chain(parents.iter().cloned()).collect()
}

/// The runs that earlier searches have read.
#[derive(Debug, Default)]
pub struct ListCache(BTreeMap<PathBuf, (Stamp, Arc<ListedRun>)>);

impl ListCache {
    /// The run in `dir` if it is as it was.
    fn whole(&self, dir: &Path, stamp: &Stamp) -> Option<Arc<ListedRun>> {
        self.0.get(dir).filter(|(known, _)| known == stamp).map(|(_, run)| Arc::clone(run))
    }

    /// The run in `dir` with the figures of `stamp`, whatever became of its other files.
    fn figures(&self, dir: &Path, stamp: &Stamp) -> Option<&ListedRun> {
        self.0.get(dir).filter(|(known, _)| known.figures == stamp.figures).map(|(_, run)| &**run)
    }
}

/// The runs of a scan, newest first, and how many more there are: beyond [`MOST`], or unread where `progress`
/// was cancelled. Takes seconds for long runs that are not in the cache.
pub fn list(scan: &Scan, cache: &Mutex<ListCache>, progress: &Progress) -> (Vec<Arc<ListedRun>>, usize) {
    let mut newest: Vec<(&PathBuf, &Stamp)> = scan.runs.iter().collect();
    newest.sort_by_key(|(_, stamp)| std::cmp::Reverse(stamp.written()));
    let beyond = newest.len().saturating_sub(MOST);
    newest.truncate(MOST);
    // A search that panicked leaves what it had read.
    let mut cache = cache.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut found: Vec<Option<Arc<ListedRun>>> =
        newest.iter().map(|(dir, stamp)| cache.whole(dir, stamp)).collect();
    let missing: Vec<usize> = (0..found.len()).filter(|index| found[*index].is_none()).collect();
    progress.begin(missing.len());
    let (next, read_before) = (AtomicUsize::new(0), &*cache);
    let work = || {
        let mut read = Vec::new();
        while let Some(&index) =
            missing.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !progress.is_cancelled())
        {
            let (dir, stamp) = newest[index];
            read.push((index, read_run(dir, stamp, read_before.figures(dir, stamp))));
            progress.done.fetch_add(1, Ordering::Relaxed);
        }
        read
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(READERS);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(missing.len())).map(|_| scope.spawn(work)).collect();
        let own = work();
        for (index, run) in others.into_iter().flat_map(|other| other.join().unwrap_or_default()).chain(own) {
            found[index] = run.map(Arc::new);
        }
    });
    let stamped = newest.iter().zip(&found).filter_map(|((dir, stamp), run)| {
        Some(((*dir).clone(), ((*stamp).clone(), Arc::clone(run.as_ref()?))))
    });
    cache.0 = stamped.collect();
    let unread = missing.len().saturating_sub(progress.done.load(Ordering::Relaxed));
    (found.into_iter().flatten().collect(), beyond + unread)
}

/// The sweeps of a scan, with the runs that [`list`] found.
pub fn sweeps(scan: &Scan, listed: &[Arc<ListedRun>]) -> Vec<ListedSweep> {
    let read = |(dir, _): &(PathBuf, _)| {
        let records = records(&SweepFiles::of(dir));
        let of_nobody = records.iter().filter(|record| {
            record.state == RunState::Running && !is_at_work(&RunFiles::of(dir.join(&record.run)))
        });
        let cut_off = of_nobody.count();
        ListedSweep::new(dir, records, cut_off, listed)
    };
    scan.sweeps.iter().map(read).collect()
}

/// Reads what of a run is not in `known`, which has its figures.
fn read_run(dir: &Path, stamp: &Stamp, known: Option<&ListedRun>) -> Option<ListedRun> {
    let files = RunFiles::of(dir);
    let mut listed = match known {
        Some(known) => ListedRun { ended: ended(&files), ..known.clone() },
        // A folder that cannot be read is no run; opening it by hand says why.
        None => read_figures(dir)?,
    };
    listed.annotate(RunNotes::load(&files).map_err(|error| error.to_string()));
    listed.is_at_work = stamp.is_at_work;
    listed.written = stamp.written().and_then(|at| Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs()));
    listed.corruption_error = corruption_error(dir);
    Some(listed)
}

fn read_figures(dir: &Path) -> Option<ListedRun> {
    let (mut run, config) = history::read(dir).ok()?;
    run.thin_out(KEPT_POINTS);
    let name =
        dir.file_name().map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
    let attack = config.as_ref().filter(|config| method::attacks(&config.method));
    let attack = attack.map(|config| &config.method.attack);
    let keys = config.as_ref().map_or_else(Vec::new, keys_of);
    Some(ListedRun {
        dir: dir.to_owned(),
        method: run.method.clone(),
        arch: config.as_ref().map_or_else(String::new, |config| config.model.arch.clone()),
        data: config.as_ref().map_or_else(String::new, |config| config.data.source.name()),
        trained_by: attack.map(|attack| attack.spec()),
        epsilon: attack.map(|attack| f64::from(attack.epsilon)),
        lr: config.as_ref().map(|config| config.optimizer.lr),
        seed: config.as_ref().map(|config| config.run.seed),
        group: if keys.is_empty() { name.clone() } else { group_of(&keys) },
        keys: Arc::new(keys),
        ended: run.ended.clone(),
        is_at_work: false,
        written: None,
        corruption_error: None,
        run: Arc::new(run),
        notes: RunNotes::default(),
        notes_fault: None,
        folder: name.clone(),
        place: String::new(),
        name,
    })
}

/// The values of the keys but seed and name.
pub(super) fn group_of(keys: &[Option<String>]) -> String {
    let fields = schema::fields().iter().zip(keys);
    let counted = fields.filter(|(field, _)| !matches!(field.path, "run.seed" | "run.name"));
    let lines = counted.filter_map(|(field, value)| Some(format!("{} = {}", field.path, value.as_ref()?)));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn keys_of(config: &Config) -> Vec<Option<String>> {
    let table = config.to_table();
    let value = |path: &str| {
        let (mut keys, mut table) = (path.split('.').peekable(), &table);
        while let Some(key) = keys.next() {
            let value = table.get(key)?;
            match keys.peek() {
                Some(_) => table = value.as_table()?,
                None => return Some(value.to_string()),
            }
        }
        None
    };
    schema::fields().iter().map(|field| value(field.path)).collect()
}

/// The mean corruption error of main over the set that was measured corrupted first.
fn corruption_error(dir: &Path) -> Option<CorruptionError> {
    let (mut rows, _) = evaluation_rows(&dir.join("evaluation"));
    let first = rows.iter().find(|row| row.corruption.is_some())?;
    let set = (first.data.clone(), first.split.clone());
    rows.retain(|row| (&row.data, &row.split) == (&set.0, &set.1));
    let mce = Mce::new("main", &Errors::of_rows(&rows, "main"), None);
    Some(CorruptionError {
        percent: mce.value.or(mce.mean_of_measured)?,
        is_whole: mce.value.is_some(),
        about: mce.summary(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::model::runs::columns::Column;
    use crate::app::model::runs::values::Value;

    fn search(parent: &Path, cache: &Mutex<ListCache>) -> Vec<Arc<ListedRun>> {
        let scan = Scan::of(&[], &[parent.to_owned()]);
        list(&scan, cache, &Progress::default()).0
    }

    #[test]
    fn a_cancelled_search_lists_what_is_read_and_the_next_reads_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["a", "b", "c"] {
            let dir = folder.path().join(name);
            std::fs::create_dir(&dir).expect("writable");
            std::fs::write(RunFiles::of(&dir).metrics(), "").expect("writable");
        }
        let scan = Scan::of(&[], &[folder.path().to_owned()]);
        let (cache, cancelled) = (Mutex::default(), Progress::default());
        assert_eq!(cancelled.remaining_s(), None);
        cancelled.cancel();
        let (found, left_out) = list(&scan, &cache, &cancelled);
        assert_eq!((found.len(), left_out), (0, 3));
        let progress = Progress::default();
        let (found, left_out) = list(&scan, &cache, &progress);
        assert_eq!((found.len(), left_out), (3, 0));
        assert_eq!(progress.remaining_s(), Some(0.0));
    }

    #[test]
    fn runs_that_differ_in_their_seed_alone_are_one_group() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, seed, lr) in [("a", 0, 0.1), ("b", 1, 0.1), ("c", 2, 0.2)] {
            let mut config = Config::default();
            (config.run.seed, config.optimizer.lr) = (seed, lr);
            config.run.name = name.into();
            let dir = folder.path().join(name);
            std::fs::create_dir(&dir).expect("writable");
            let files = RunFiles::of(&dir);
            std::fs::write(files.config(), config.resolved_toml()).expect("writable");
            std::fs::write(files.metrics(), "").expect("writable");
        }
        std::fs::create_dir(folder.path().join("no run")).expect("writable");
        let scan = Scan::of(&[folder.path().join("a")], &[folder.path().to_owned()]);
        let (found, left_out) = list(&scan, &Mutex::default(), &Progress::default());
        assert_eq!(left_out, 0);
        assert_eq!(found.len(), 3);
        let group = |name: &str| &found.iter().find(|run| run.name == name).expect("listed").group;
        assert_eq!(group("a"), group("b"));
        assert_ne!(group("a"), group("c"));
    }

    /// What was read once is the same object at the next search, and what has changed is not.
    #[test]
    fn a_search_reads_again_what_has_changed_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, lines: &str| {
            let dir = folder.path().join(name);
            std::fs::create_dir_all(&dir).expect("writable");
            std::fs::write(RunFiles::of(&dir).metrics(), lines).expect("writable");
        };
        let line = "{\"step\":1,\"epoch\":0.5,\"split\":\"val\",\"domain\":\"main\",\"top1\":0.25}\n";
        ["a", "b", "c"].iter().for_each(|name| write(name, line));
        let cache = Mutex::default();
        let first = search(folder.path(), &cache);
        let named = |runs: &[Arc<ListedRun>], name: &str| {
            Arc::clone(runs.iter().find(|run| run.name == name).expect("listed"))
        };
        let before = Scan::of(&[], &[folder.path().to_owned()]);
        assert_eq!(before, Scan::of(&[], &[folder.path().to_owned()]), "nothing has happened");
        write("b", &(line.to_owned() + &line.replace("0.25", "0.75").replace(":1,", ":2,")));
        std::fs::write(RunFiles::of(folder.path().join("c")).ended(), r#"{"how":"completed","step":1}"#)
            .expect("writable");
        assert_ne!(before, Scan::of(&[], &[folder.path().to_owned()]));
        let second = search(folder.path(), &cache);
        assert!(Arc::ptr_eq(&named(&first, "a"), &named(&second, "a")));
        let val = |run: &ListedRun| Column::from("val".to_owned()).value(run);
        assert_eq!(val(&named(&first, "b")), Value::Number(25.0));
        assert_eq!(val(&named(&second, "b")), Value::Number(75.0));
        assert_eq!((named(&first, "c").state(), named(&second, "c").state()), ("cut off", "completed"));
        assert_eq!(val(&named(&second, "c")), Value::Number(25.0), "the figures are there still");
        std::fs::remove_dir_all(folder.path().join("a")).expect("there");
        assert_eq!(search(folder.path(), &cache).len(), 2);
    }
}
