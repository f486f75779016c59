//! The run folder on screen, looked at every second on a helper thread: the BN history and the checkpoints of
//! every run, and of an opened folder the curves, statistics and pictures that another program may still
//! write.

use super::Window;
use super::watch::Watch;
use crate::app::model::bn_history::{BnFollower, NewDistances};
use crate::app::model::history::{self, OpenedFolder};
use crate::app::model::kinds::{Level, RunPhase};
use crate::app::model::run::{Checkpoints, RunView};
use crate::app::panes::Pane;
use crate::app::widgets::pictures::Pictures;
use crate::evaluation::bn_layers_of;
use crate::training::events::{BnLayer, Finish, Snapshot};
use crate::training::pictures;
use crate::training::run_folder::{Metrics, MetricsFollower, RunFiles, ended, is_at_work, moments};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks at a run folder.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The run folder that is looked at.
#[derive(Default)]
pub(super) struct Following {
    /// Where reading goes on; away while a helper thread reads.
    reader: Option<FolderReader>,
    /// When it last looked; at once where it is not known.
    looked: Option<Instant>,
    /// Tells a look at this folder from a late one at another.
    generation: u64,
    /// Waits for a change in an opened folder; it ends with what it waits for or with `Following`.
    watch: Option<Watch>,
}

impl Following {
    /// Whether it is the folder with this number.
    pub(super) fn is(&self, generation: u64) -> bool {
        self.generation == generation
    }
}

/// Reads on in a run folder.
struct FolderReader {
    files: RunFiles,
    /// Reads on in the metrics of an opened folder; a run of this window reports them itself.
    metrics: Option<MetricsFollower>,
    distances: BnFollower,
    /// When the newest checkpoint and the pictures that were last read had been written.
    seen: [Option<SystemTime>; 2],
    /// Whether a program trained in the folder at the last look.
    was_at_work: Option<bool>,
}

/// What a look at a run folder found.
struct FolderUpdate {
    checkpoints: Checkpoints,
    distances: NewDistances,
    /// What the opened folder's run has written since.
    opened: Option<OpenedUpdate>,
}

struct OpenedUpdate {
    /// A program trains in the folder.
    is_at_work: bool,
    /// How the run ended, after each change of that.
    ended: Option<Option<Finish>>,
    metrics: Option<anyhow::Result<MetricsUpdate>>,
    /// Finished steps of the newest checkpoint, and its BN layers.
    statistics: Option<(u64, Vec<BnLayer>)>,
    /// The newest, after those of earlier validations at the first look.
    pictures: Vec<anyhow::Result<Snapshot>>,
}

/// What the metrics have become.
enum MetricsUpdate {
    Grown(Metrics),
    /// A resumed run cut the lines past its checkpoint: the run as it is now.
    Cut(Box<RunView>),
}

/// When a run folder's files were written and how long they were, and whether a program trains in it.
type Stamp = (Vec<Option<(SystemTime, u64)>>, bool);

fn stamp_of(files: &RunFiles) -> Stamp {
    let all =
        [files.metrics(), files.bn_stats(), files.last(), files.best(), files.pictures(), files.ended()];
    let of = |file: &PathBuf| {
        let data = file.metadata().ok()?;
        Some((data.modified().ok()?, data.len()))
    };
    (all.iter().map(of).collect(), is_at_work(files))
}

impl FolderReader {
    fn new(dir: &Path, metrics: Option<MetricsFollower>) -> Self {
        let distances = BnFollower::of_run(dir);
        Self { files: RunFiles::of(dir), metrics, distances, seen: [None; 2], was_at_work: None }
    }

    /// Looks at the folder. Reads files, so it belongs on a thread of its own.
    fn look(&mut self, is_opened: bool) -> FolderUpdate {
        let opened = is_opened.then(|| self.look_at_opened());
        FolderUpdate {
            checkpoints: history::checkpoints_in(&self.files),
            distances: self.distances.read(),
            opened,
        }
    }

    fn look_at_opened(&mut self) -> OpenedUpdate {
        let metrics = self.read_metrics();
        if matches!(metrics, Some(Err(_))) {
            self.metrics = None;
        }
        let checkpoint = [self.files.last(), self.files.best()].into_iter().find(|file| file.is_file());
        let pictures = self.files.pictures();
        let written = |file: &Path| file.metadata().and_then(|data| data.modified()).ok();
        let now = [checkpoint.as_deref().and_then(written), written(&pictures)];
        let seen = std::mem::replace(&mut self.seen, now);
        let [checkpoint_is_new, pictures_are_new] = [0, 1].map(|i| now[i].is_some() && now[i] != seen[i]);
        let is_first = self.was_at_work.is_none();
        let earlier = if is_first { moments(&self.files) } else { Vec::new() };
        let newest = pictures_are_new.then_some(pictures);
        let new_pictures = earlier.into_iter().map(|(_, path)| path).chain(newest);
        let new_pictures = new_pictures.map(|path| pictures::load(&path)).collect();
        let is_at_work = is_at_work(&self.files);
        let has_changed = self.was_at_work.replace(is_at_work) != Some(is_at_work);
        OpenedUpdate {
            is_at_work,
            ended: has_changed.then(|| ended(&self.files)),
            metrics,
            statistics: checkpoint.filter(|_| checkpoint_is_new).and_then(|file| bn_layers_of(&file).ok()),
            pictures: new_pictures,
        }
    }

    fn read_metrics(&mut self) -> Option<anyhow::Result<MetricsUpdate>> {
        let follower = self.metrics.as_mut()?;
        if !follower.was_cut() {
            return Some(follower.read().map(MetricsUpdate::Grown).map_err(Into::into));
        }
        let opened = history::open(self.files.dir()).map(|opened| {
            *self = Self::new(self.files.dir(), Some(opened.follower));
            MetricsUpdate::Cut(Box::new(opened.run))
        });
        Some(opened)
    }
}

impl Window {
    /// Shows the curves of a run folder and fills the set-up from it. Reads files, so it is for the time
    /// before the first frame; later `begin_open_run` reads on a thread of its own.
    pub fn open_run(&mut self, dir: &Path) -> anyhow::Result<()> {
        let opened = history::open(dir)?;
        self.show_opened(dir, opened);
        Ok(())
    }

    /// Reads a run folder on a thread of its own and shows it; `then` hears whether it could be read.
    pub(super) fn begin_open_run(
        &mut self,
        dir: PathBuf,
        then: impl FnOnce(&mut Self, anyhow::Result<()>) + Send + 'static,
    ) {
        let folder = dir.clone();
        self.on_disk(
            move || history::open(&folder),
            move |window, opened| {
                // A run that was started meanwhile stays on screen.
                if window.run.phase.is_active() {
                    return;
                }
                let result = opened.map(|opened| window.show_opened(&dir, opened));
                then(window, result);
            },
        );
    }

    fn show_opened(&mut self, dir: &Path, opened: OpenedFolder) {
        self.run = opened.run;
        self.attempt_went_well();
        self.report.forget();
        self.follow_folder(FolderReader::new(dir, Some(opened.follower)));
        self.pictures = Pictures::default();
        if let Some(config) = opened.config {
            self.form.fill_from_file(&RunFiles::of(dir).config(), config);
        }
        self.recents.add_run(dir);
        let listed = self.runs.listed.as_ref();
        if listed.is_some_and(|listed| !listed.iter().any(|run| run.dir == dir)) {
            // The list lacks this run, so the pane looks for runs again.
            self.runs.listed = None;
        }
        if self.unfinished.as_deref() == Some(dir) {
            self.unfinished = None;
        }
        self.layout.reveal(Pane::Curves);
    }

    /// Looks at the folder of the run that this window trains.
    pub(super) fn follow_live(&mut self, dir: &Path) {
        self.follow_folder(FolderReader::new(dir, None));
    }

    fn follow_folder(&mut self, reader: FolderReader) {
        self.followed += 1;
        self.following =
            Following { reader: Some(reader), looked: None, generation: self.followed, watch: None };
    }

    /// Looks at the run's folder again in the next frame.
    pub(super) fn look_soon(&mut self) {
        self.following.looked = None;
    }

    /// Starts a look at the run's folder every second, as long as frames are drawn. An opened folder asks for
    /// none: its watch does, once something has changed.
    pub(super) fn follow(&mut self) {
        let is_opened = self.run.phase == RunPhase::Opened;
        let has_changed = self.following.watch.as_ref().is_some_and(Watch::has_changed);
        if !has_changed && self.following.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        let Some(mut reader) = self.following.reader.take() else { return };
        self.following.looked = Some(Instant::now());
        let generation = self.following.generation;
        self.on_disk(
            move || {
                let stamp = stamp_of(&reader.files);
                let update = reader.look(is_opened);
                (reader, update, stamp)
            },
            move |window, (reader, update, stamp)| {
                // The run that is being started in its place may yet fail.
                let is_before = window.was_followed_before(generation);
                if is_before {
                    window.swap_before();
                }
                if window.following.is(generation) {
                    if is_opened {
                        window.watch_folder(&reader.files, stamp);
                    }
                    window.following.reader = Some(reader);
                    window.take_update(update);
                }
                if is_before {
                    window.swap_before();
                }
            },
        );
    }

    fn watch_folder(&mut self, files: &RunFiles, stamp: Stamp) {
        if self.following.watch.as_ref().is_none_or(Watch::has_changed) {
            let files = files.clone();
            let changed = move || stamp_of(&files) != stamp;
            self.following.watch = Watch::begin(LOOK_EVERY, changed, Arc::clone(&self.wake));
        }
    }

    fn take_update(&mut self, update: FolderUpdate) {
        let mut more = false;
        let Checkpoints { last, best } = update.checkpoints;
        if self.run.phase == RunPhase::Opened {
            self.run.checkpoints = update.checkpoints;
        } else {
            // The run may have told of a checkpoint that was not there yet when the look began.
            self.run.checkpoints.last |= last;
            self.run.checkpoints.best |= best;
        }
        if let Some(opened) = update.opened.filter(|_| self.run.phase == RunPhase::Opened) {
            more = self.take_opened(opened);
        }
        more |= self.run.bn_history.add(update.distances);
        if more {
            self.look_soon();
            (self.wake)();
        }
    }

    /// True while there is more to read at once.
    fn take_opened(&mut self, update: OpenedUpdate) -> bool {
        let mut more = false;
        match update.metrics {
            Some(Ok(MetricsUpdate::Grown(new))) => more = history::take_in(&mut self.run, new),
            Some(Ok(MetricsUpdate::Cut(run))) => {
                self.run = *run;
                more = true;
            }
            Some(Err(error)) => {
                self.run.log(Level::Warning, format!("The run folder is no longer followed: {error:#}"));
            }
            None => {}
        }
        self.run.at_work_elsewhere = update.is_at_work;
        if let Some(ended) = update.ended {
            self.run.ended = ended;
        }
        if let Some((step, layers)) = update.statistics {
            self.run.bn = Some((step, Arc::new(layers)));
        }
        for pictures in update.pictures {
            match pictures {
                Ok(snapshot) => self.run.show(snapshot),
                Err(error) => {
                    self.run.log(Level::Warning, format!("The pictures were left out: {error:#}"));
                }
            }
        }
        more
    }
}
