//! The Runs pane's requests: the search for run folders, again whenever something in them changes while the
//! pane is seen, and what is done with a run.

use super::folder::Following;
use super::notices::Cause;
use super::watch::Watch;
use super::{Window, disk};
use crate::app::commands::UiCommand;
use crate::app::model::kinds::Level;
use crate::app::model::run::Checkpoints;
use crate::app::model::runs::list::{self, Scan};
use crate::app::panes::runs::RunsRequest;
use crate::app::shell::dialogs::Dialog;
use crate::app::shell::dialogs::run_folder::{EditedNotes, Trashed};
use crate::training::run_folder::RunNotes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at the dates of all run folders.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// What the list of runs was made from, and what waits for its change.
#[derive(Default)]
pub(super) struct FollowedRuns {
    /// The pane was drawn in the last frame.
    pub(super) is_seen: bool,
    watch: Option<Watch>,
    scan: Arc<Scan>,
    places: Places,
}

/// Where run folders are looked for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Places {
    /// Known run folders, beside which others may lie.
    known: Vec<PathBuf>,
    /// Folders of run folders.
    parents: Vec<PathBuf>,
}

impl Window {
    pub(super) fn answer_runs_pane(&mut self, request: RunsRequest) {
        match request {
            RunsRequest::Search => self.search_runs(),
            RunsRequest::Open(_) | RunsRequest::Duplicate(_) if self.run.phase.is_active() => {
                let text = "A run is at work; stop it to have another in its place";
                self.refuse(Cause::Command(UiCommand::OpenRun), text);
            }
            RunsRequest::Open(dir) => self.begin_open_run(dir, Self::refuse_if_failed),
            RunsRequest::Duplicate(dir) => self.duplicate(dir),
            RunsRequest::Edit(dir) => {
                let Some(run) = self.runs.of_dir(&dir) else { return };
                let (folder, notes, fault) = (run.folder.clone(), run.notes.clone(), run.notes_fault.clone());
                self.dialog = Some(Dialog::Notes(EditedNotes { dir, folder, notes, fault }));
            }
            RunsRequest::Star(dir) => {
                let starred = dir.clone();
                self.on_disk(
                    move || disk::toggle_star(&starred),
                    move |window, notes| window.take_notes(&dir, notes),
                );
            }
            RunsRequest::OpenFolder(dir) => {
                let open = self.launcher.open_path();
                self.on_disk(move || disk::open_folder(&dir, open), Self::refuse_if_failed);
            }
            RunsRequest::Trash(dirs) => {
                let at_work = dirs.iter().filter_map(|dir| self.runs.of_dir(dir)).find(|run| run.is_at_work);
                if let Some(run) = at_work {
                    let text = format!("{} is at work; stop it before it goes to the trash", run.label());
                    self.refuse(Cause::Attempt, text);
                    return;
                }
                let named = |dir: PathBuf| Some((self.runs.of_dir(&dir)?.label(), dir));
                let runs = dirs.into_iter().filter_map(named).map(|(name, dir)| (dir, name)).collect();
                self.dialog = Some(Dialog::Trash(Trashed { runs }));
            }
        }
    }

    pub(super) fn save_notes(&mut self, dir: PathBuf, notes: RunNotes) {
        let written = dir.clone();
        self.on_disk(
            move || disk::save_notes(&written, &notes),
            move |window, notes| window.take_notes(&dir, notes),
        );
    }

    fn take_notes(&mut self, dir: &Path, notes: anyhow::Result<RunNotes>) {
        match notes {
            Ok(notes) => {
                self.attempt_went_well();
                self.runs.annotate(dir, notes);
            }
            Err(error) => self.refuse(Cause::Attempt, format!("{error:#}")),
        }
    }

    /// Moves run folders to the trash, and says where each is.
    pub(super) fn move_to_trash(&mut self, dirs: Vec<PathBuf>) {
        let trash = self.launcher.trash();
        let work = move || {
            let moved = dirs.into_iter().map(|dir| {
                let result = disk::to_trash(&dir, trash);
                (dir, result)
            });
            moved.collect::<Vec<_>>()
        };
        self.on_disk(work, |window, moved| {
            let (mut gone, mut kept) = (Vec::new(), Vec::new());
            for (dir, result) in moved {
                match result {
                    Ok(sentence) => {
                        window.forget_run(&dir);
                        gone.push(sentence);
                    }
                    Err(error) => kept.push(format!("{error:#}")),
                }
            }
            let text = gone.iter().chain(&kept).cloned().collect::<Vec<_>>().join("\n");
            window.run.log(Level::Info, text.clone());
            match kept.is_empty() {
                true => window.tell(text),
                false => window.refuse(Cause::Attempt, text),
            }
            window.search_runs();
        });
    }

    /// Forgets a run whose folder is gone. Its curves stay on screen until another run takes their place.
    pub(super) fn forget_run(&mut self, dir: &Path) {
        self.recents.forget_run(dir);
        self.runs.chosen.remove(dir);
        self.form.look_for_folder();
        if self.run.dir.as_deref() == Some(dir) {
            self.following = Following::default();
            self.run.dir = None;
            self.run.checkpoints = Checkpoints::default();
        }
    }

    fn search_runs(&mut self) {
        if self.runs.searching {
            return;
        }
        let known: Vec<PathBuf> = self.run.dir.iter().chain(&self.recents.runs).cloned().collect();
        let parents: Vec<PathBuf> = self.form.out_dir().parent().map(Path::to_owned).into_iter().collect();
        let places = Places { known, parents };
        self.runs.searching = true;
        self.followed_runs.watch = None;
        self.runs.progress = Arc::default();
        let (cache, progress) = (Arc::clone(&self.runs.cache), Arc::clone(&self.runs.progress));
        self.on_disk(
            move || {
                // What changes while it is read differs from this, and is read by the next search.
                let scan = Scan::of(&places.known, &places.parents);
                let (found, left_out) = list::list(&scan, &cache, &progress);
                let sweeps = list::sweeps(&scan, &found);
                (places, scan, found, left_out, sweeps)
            },
            |window, (places, scan, found, left_out, sweeps)| {
                window.followed_runs.scan = Arc::new(scan);
                window.followed_runs.places = places;
                window.runs.take(found, left_out, sweeps);
            },
        );
    }

    /// Searches again when something has changed, as long as the pane is seen. Draws nothing.
    pub(super) fn follow_runs(&mut self) {
        let followed = &mut self.followed_runs;
        if !followed.is_seen {
            followed.watch = None;
            return;
        }
        if self.runs.searching || self.runs.listed.is_none() {
            return;
        }
        match &followed.watch {
            Some(watch) if watch.has_changed() => self.search_runs(),
            Some(_) => {}
            None => {
                let (seen, places) = (Arc::clone(&followed.scan), followed.places.clone());
                let changed = move || Scan::of(&places.known, &places.parents) != *seen;
                followed.watch = Watch::begin(LOOK_EVERY, changed, Arc::clone(&self.wake));
            }
        }
    }
}
