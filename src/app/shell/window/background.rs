//! What the window does on threads of its own, so that no frame waits for a disk or a dialog: the search for adapters
//! and run folders, file dialogs, exports.

use super::Window;
use crate::app::model::kinds::Level;
use crate::app::model::launcher::DeviceItem;
use crate::app::model::runs::{self, ListedRun};
use crate::app::panes::runs::RunsWish;
use crate::app::shell::chrome::Notice;
use crate::app::shell::dialogs::{Dialog, PathFor};
use crate::app::widgets::export::{self, Export, Exported};
use crate::interop::atomic::create_folder;
use crossbeam_channel::{Receiver, bounded};
use egui::{ColorImage, Context, Rect};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Answers that are waited for.
#[derive(Default)]
pub(super) struct Background {
    devices: Option<Receiver<Vec<DeviceItem>>>,
    pub(super) browsed: Option<(PathFor, Receiver<Option<Vec<PathBuf>>>)>,
    /// A sentence on what was written, or why not.
    written: Option<Receiver<anyhow::Result<String>>>,
    runs: Option<Receiver<Vec<ListedRun>>>,
    shot: Option<(String, Rect, Receiver<Arc<ColorImage>>)>,
    /// What the open save dialog will write.
    pending: Option<Pending>,
}

#[derive(Clone)]
enum Pending {
    Bytes(Vec<u8>),
    Images(Vec<(String, usize, Vec<u8>)>),
}

fn taken<T>(slot: &mut Option<Receiver<T>>) -> Option<T> {
    let came = slot.as_ref()?.try_recv().ok()?;
    *slot = None;
    Some(came)
}

impl Window {
    /// Looks for adapters on a thread of its own; the set-up offers them when they are known.
    pub fn look_for_devices(&mut self) {
        let list = self.launcher.list_devices();
        self.background.devices = self.in_background("dualprop-devices", list);
    }

    /// Offers the newest run if a crash left it unfinished.
    pub fn look_for_unfinished(&mut self) {
        self.unfinished = self.recents.unfinished();
    }

    pub(super) fn in_background<T: Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<Receiver<T>> {
        let (sender, receiver) = bounded(1);
        let wake = self.wake.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            // Nobody waits for the answer when the window is gone.
            let _ = sender.send(work());
            wake();
        });
        match thread {
            Ok(_) => Some(receiver),
            Err(error) => {
                self.run.log(Level::Warning, format!("Cannot start a helper thread: {error}"));
                None
            }
        }
    }

    /// Takes in what helper threads found.
    pub(super) fn take_answers(&mut self, ctx: &Context) {
        self.study.take_answers();
        let was_at_work = self.report.is_running();
        self.report.take_events();
        if was_at_work && !self.report.is_running() {
            self.notice = Some(self.report.verdict().map_or_else(Notice::Refused, Notice::Done));
        }
        if let Some(devices) = taken(&mut self.background.devices) {
            self.form.devices = devices;
        }
        if let Some((wanted, answer)) =
            self.background.browsed.as_ref().and_then(|(w, receiver)| Some((*w, receiver.try_recv().ok()?)))
        {
            self.background.browsed = None;
            self.take_browsed(wanted, answer.unwrap_or_default());
        }
        if let Some(written) = taken(&mut self.background.written) {
            self.notice = Some(match written {
                Ok(sentence) => Notice::Done(sentence),
                Err(error) => Notice::Refused(format!("{error:#}")),
            });
        }
        if let Some(found) = taken(&mut self.background.runs) {
            self.runs.searching = false;
            self.runs.listed = Some(Arc::new(found));
        }
        self.take_shot(ctx);
    }

    /// Uses what the system's dialog was answered with; without a path the typed one is still to be had.
    pub fn take_browsed(&mut self, wanted: PathFor, paths: Vec<PathBuf>) {
        if !paths.is_empty() {
            self.use_paths(wanted, &paths);
        } else if let Some(Dialog::Path { wanted: asked, empty_handed, .. }) = &mut self.dialog {
            *empty_handed = *asked == wanted;
        }
    }

    pub(super) fn grant_runs(&mut self, wish: RunsWish) {
        match wish {
            RunsWish::Search => {
                let known: Vec<PathBuf> = self.run.dir.iter().chain(&self.recents.runs).cloned().collect();
                let parents: Vec<PathBuf> =
                    self.form.out_dir().parent().map(Path::to_owned).into_iter().collect();
                self.runs.searching = true;
                self.background.runs =
                    self.in_background("dualprop-runs", move || runs::list(&known, &parents));
            }
            RunsWish::Open(dir) => {
                if self.run.phase.is_active() {
                    let text = "A run is at work; stop it to open another in its place";
                    self.notice = Some(Notice::Refused(text.into()));
                } else if let Err(error) = self.open_run(&dir) {
                    self.notice = Some(Notice::Refused(format!("{error:#}")));
                }
            }
        }
    }

    /// Asks where to write an export. A picture is taken in the next frame, when its menu is closed.
    pub(super) fn begin_export(&mut self, ctx: &Context, export: Export) {
        let Export { name, what } = export;
        match what {
            Exported::Picture(area) => {
                let (sender, receiver) = bounded(1);
                let wake = self.wake.clone();
                ctx.request_screenshot(move |image| {
                    let _ = sender.send(image);
                    wake();
                });
                self.background.shot = Some((name, area, receiver));
            }
            Exported::Table(text) => {
                self.background.pending = Some(Pending::Bytes(text.into_bytes()));
                self.ask_where(PathFor::SaveTable, &format!("{name}.csv"));
            }
            Exported::Images(images) => {
                self.background.pending = Some(Pending::Images(images));
                self.ask_where(PathFor::SaveImages, &name);
            }
        }
    }

    fn take_shot(&mut self, ctx: &Context) {
        let Some((name, area, receiver)) = &self.background.shot else { return };
        let Ok(image) = receiver.try_recv() else { return };
        let (name, area) = (name.clone(), *area);
        self.background.shot = None;
        match export::crop_png(&image, area, ctx.pixels_per_point()) {
            Ok(bytes) => {
                self.background.pending = Some(Pending::Bytes(bytes));
                self.ask_where(PathFor::SavePicture, &format!("{name}.png"));
            }
            Err(error) => self.notice = Some(Notice::Refused(format!("No picture was made: {error:#}"))),
        }
    }

    /// Opens the save dialog with a file name beside the run's files.
    fn ask_where(&mut self, wanted: PathFor, name: &str) {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let path = self.run.dir.as_ref().map_or_else(|| PathBuf::from(&name), |dir| dir.join(&name));
        self.dialog = Some(Dialog::proposing(wanted, path.display().to_string()));
    }

    /// Writes what is pending; a fault is for the dialog.
    pub(super) fn write_pending(&mut self, path: &Path) -> anyhow::Result<()> {
        let Some(pending) = self.background.pending.clone() else { return Ok(()) };
        match pending {
            Pending::Bytes(bytes) => export::write(path, &bytes)?,
            Pending::Images(images) => {
                create_folder(path)?;
                for (name, size, rgb) in &images {
                    export::write(&path.join(name), &export::png(rgb, *size, *size)?)?;
                }
            }
        }
        self.background.pending = None;
        self.notice = Some(Notice::Done(format!("Wrote {}", path.display())));
        Ok(())
    }

    /// Does work that ends in a sentence, and shows that.
    pub(super) fn write_in_background(
        &mut self,
        work: impl FnOnce() -> anyhow::Result<String> + Send + 'static,
    ) {
        self.background.written = self.in_background("dualprop-export", work);
    }
}
