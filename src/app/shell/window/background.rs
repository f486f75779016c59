//! What the window does on threads of its own, so that no frame waits for a disk or a dialog: the search for
//! adapters and run folders, file dialogs, exports.

use super::Window;
use super::disk::{self, Contents};
use super::notices::Cause;
use crate::app::model::kinds::Level;
use crate::app::model::launcher::DeviceItem;
use crate::app::shell::dialogs::{Dialog, FileKind, PathFor};
use crate::app::widgets::export::{self, ExportRequest, Exported};
use crate::app::widgets::figure::{png, svg};
use crate::app::widgets::table::TableFormat;
use crate::session::augmented;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use egui::{ColorImage, Context, Rect};
use std::path::PathBuf;
use std::sync::Arc;

/// Answers that are waited for.
#[derive(Default)]
pub(super) struct Background {
    devices: Option<Receiver<Vec<DeviceItem>>>,
    pub(super) browsed: Option<(PathFor, Receiver<Option<Vec<PathBuf>>>)>,
    /// Work under way on helper threads; each sends what is to be done with its result.
    jobs: Vec<Receiver<Done>>,
    shot: Option<(String, Rect, Receiver<Arc<ColorImage>>)>,
    /// What the open save dialog will write.
    pending: Option<Arc<Contents>>,
}

/// What is done in the window with the result of a job.
type Done = Box<dyn FnOnce(&mut Window) + Send>;

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
        let recents = self.recents.clone();
        self.on_disk(move || recents.unfinished(), |window, found| window.unfinished = found);
    }

    /// Does `work` on a helper thread, and `then` with its result in the first frame after it. Whatever reads
    /// or writes files goes through here, so that no frame waits for a disk.
    pub(super) fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(&mut Self, T) + Send + 'static,
    ) {
        let job = move || -> Done {
            let result = work();
            Box::new(move |window| then(window, result))
        };
        let job = self.in_background("dualprop-disk", job);
        self.background.jobs.extend(job);
    }

    /// Whether a helper thread is at work for the window, or its result still to be taken in.
    pub fn is_at_disk(&self) -> bool {
        !self.background.jobs.is_empty()
    }

    /// Looks for a free run folder when the set-up has another name; and once a start was asked for, whether
    /// its faults are still there, when it has changed and when the user comes back from another program.
    pub(super) fn look_for_free_folder(&mut self, ctx: &Context) {
        let is_back = |event: &egui::Event| matches!(event, egui::Event::WindowFocused(true));
        if self.form.has_faults_on_disk() && ctx.input(|input| input.events.iter().any(is_back)) {
            self.form.look_for_folder();
        }
        if let Some(check) = self.form.take_start_check() {
            self.on_disk(move || disk::check_start(check), |window, found| window.form.take_check(found));
        }
    }

    /// Draws the preview of augmentation anew, where the set-up has changed or another draw is wanted.
    pub(super) fn look_at_augmented(&mut self) {
        if let Some((asked, opened)) = self.augmented.take_request(&self.form) {
            self.on_disk(
                move || augmented::show(&asked, opened),
                |window, answer| window.augmented.take(answer),
            );
        }
    }

    /// Does what finished jobs ask for.
    fn take_jobs(&mut self) {
        let mut done = Vec::new();
        self.background.jobs.retain(|job| match job.try_recv() {
            Ok(result) => {
                done.push(result);
                false
            }
            Err(error) => error == TryRecvError::Empty,
        });
        for done in done {
            done(self);
        }
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
        if let Some(key) = self.form.browse.take() {
            self.browse(PathFor::Field(key), PathBuf::new());
        }
        let was_open = self.study.info.is_some();
        self.study.take_answers();
        if !was_open && self.study.info.is_some() {
            self.attempt_went_well();
        }
        if !was_open && self.study.info.as_ref().is_some_and(|info| info.taken_for.is_some()) {
            self.ask_for_photos();
        }
        let was_at_work = self.report.is_running();
        self.report.take_events();
        if was_at_work && !self.report.is_running() {
            self.preflight_ended();
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
        self.take_jobs();
        self.take_shot(ctx);
    }

    /// Uses what the system's dialog was answered with; without a path the typed one is still to be had.
    pub fn take_browsed(&mut self, wanted: PathFor, paths: Vec<PathBuf>) {
        if !paths.is_empty() {
            self.use_paths(wanted, paths);
        } else if let Some(Dialog::Path { wanted: asked, empty_handed, .. }) = &mut self.dialog {
            *empty_handed = *asked == wanted;
        }
    }

    /// Asks where to write an export. A picture is taken in the next frame, when its menu is closed.
    pub(super) fn begin_export(&mut self, ctx: &Context, export: ExportRequest) {
        let ExportRequest { name, what } = export;
        match what {
            Exported::Seen(area) => {
                let (sender, receiver) = bounded(1);
                let wake = self.wake.clone();
                ctx.request_screenshot(move |image| {
                    let _ = sender.send(image);
                    wake();
                });
                self.background.shot = Some((name, area, receiver));
            }
            Exported::Figure { figure, size, is_transparent, is_png } => {
                // Large maps take a moment to write, and their pixels longer.
                let draw = move || match is_png {
                    true => png::write(&figure, size, is_transparent),
                    false => Ok(svg::write(&figure, size, is_transparent).into_bytes()),
                };
                let kind = if is_png { FileKind::Png } else { FileKind::Svg };
                self.on_disk(draw, move |window, drawn| match drawn {
                    Ok(bytes) => window.ask_where_to_save(&name, kind, bytes),
                    Err(error) => {
                        window.refuse(Cause::Attempt, format!("No figure was made: {error:#}"));
                    }
                });
            }
            Exported::Table(table, format) => {
                let kind = match format {
                    TableFormat::Csv => FileKind::Csv,
                    TableFormat::Markdown => FileKind::Markdown,
                    TableFormat::Latex => FileKind::Latex,
                };
                self.ask_where_to_save(&name, kind, table.text(format).into_bytes());
            }
            Exported::Drawing(drawing) => {
                self.background.pending = Some(Arc::new(Contents::Drawing(drawing)));
                self.ask_where(PathFor::Save(FileKind::Png), &format!("{name}.png"));
            }
            Exported::Json(text) => self.ask_where_to_save(&name, FileKind::Json, text.into_bytes()),
            Exported::Images(images) => {
                self.background.pending = Some(Arc::new(Contents::Images(images)));
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
            Ok(bytes) => self.ask_where_to_save(&name, FileKind::Png, bytes),
            Err(error) => self.refuse(Cause::Attempt, format!("No picture was made: {error:#}")),
        }
    }

    fn ask_where_to_save(&mut self, name: &str, kind: FileKind, bytes: Vec<u8>) {
        self.background.pending = Some(Arc::new(Contents::Bytes(bytes)));
        self.ask_where(PathFor::Save(kind), &format!("{name}.{}", kind.ending()));
    }

    /// Opens the save dialog with a file name beside the run's files.
    fn ask_where(&mut self, wanted: PathFor, name: &str) {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let path = self.run.dir.as_ref().map_or_else(|| PathBuf::from(&name), |dir| dir.join(&name));
        self.dialog = Some(Dialog::proposing(wanted, path.display().to_string()));
    }

    /// Writes what is pending to `path`, and says so; a fault is for the dialog, in which another path can be
    /// typed.
    pub(super) fn write_pending(&mut self, wanted: PathFor, path: PathBuf) {
        let Some(pending) = self.background.pending.clone() else { return self.dialog = None };
        let written = path.clone();
        if let (PathFor::Save(kind), Some(ending)) = (wanted, path.extension())
            && !ending.eq_ignore_ascii_case(kind.ending())
        {
            let (name, expected) = (path.display(), kind.ending());
            let fault = format!("{name} would hold .{expected}; expected a name that ends in .{expected}");
            return self.settle_path(wanted, &written, Err(anyhow::anyhow!(fault)));
        }
        self.on_disk(
            move || disk::write(&path, &pending),
            move |window, result| {
                if result.is_ok() {
                    window.background.pending = None;
                    window.tell(format!("Wrote {}", written.display()));
                }
                window.settle_path(wanted, &written, result);
            },
        );
    }

    /// Shows a failure as a notice.
    pub(super) fn refuse_if_failed(&mut self, result: anyhow::Result<()>) {
        if let Err(error) = result {
            self.refuse(Cause::Attempt, format!("{error:#}"));
        }
    }
}
