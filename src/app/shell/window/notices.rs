//! The window's own sentences over its corner: one at a time, and none longer than its cause lasts.

use super::Window;
use crate::app::commands::UiCommand;
use crate::app::model::start_check::Tried;
use crate::app::shell::messages::{Notice, NoticeKind};
use std::path::PathBuf;

/// A notice and what ends it.
pub(super) struct Posted {
    notice: Notice,
    cause: Cause,
}

impl Posted {
    /// What is said.
    pub(super) fn notice(&self) -> &Notice {
        &self.notice
    }
}

/// What a notice is about. When that is over, so is the notice.
pub(super) enum Cause {
    /// Nothing that ends while the window is open.
    Lasting,
    /// A command that cannot be done, until it can.
    Command(UiCommand),
    /// The run in this folder, until another is on screen.
    Run(Option<PathBuf>),
    /// Something that could not be opened or written, until another attempt goes well.
    Attempt,
    /// Images that wait for a model.
    NoModel,
    /// The set-up, which is not in a file yet.
    NoFile,
    /// The set-up as it was tried, until it is another.
    SetUp(Box<Tried>),
}

impl Window {
    /// Tells of something done, for some seconds and while the run on screen is the same.
    pub(super) fn tell(&mut self, text: impl Into<String>) {
        let cause = Cause::Run(self.run.dir.clone());
        self.post(NoticeKind::Done, text.into(), cause);
    }

    /// As [`Self::tell`], until its cause is over.
    pub(super) fn tell_until(&mut self, cause: Cause, text: impl Into<String>) {
        self.post(NoticeKind::Done, text.into(), cause);
    }

    /// Says why something cannot be done, until it is put away or its cause is over.
    pub(super) fn refuse(&mut self, cause: Cause, text: impl Into<String>) {
        self.post(NoticeKind::Refused, text.into(), cause);
    }

    /// Tells what a preflight or a start of a set-up found.
    pub(super) fn tell_failure(&mut self, tried: Tried, text: impl Into<String>) {
        self.post(NoticeKind::Failed, text.into(), Cause::SetUp(Box::new(tried)));
    }

    fn post(&mut self, kind: NoticeKind, text: String, cause: Cause) {
        self.notices += 1;
        self.posted = Some(Posted { notice: Notice { kind, text, number: self.notices }, cause });
    }

    /// Takes the notice away, whatever its cause.
    pub(super) fn put_notice_away(&mut self) {
        self.posted = None;
    }

    /// Hears that something was opened or written well: a failure of it before is no news any more.
    pub(super) fn attempt_went_well(&mut self) {
        self.posted.take_if(|posted| matches!(posted.cause, Cause::Attempt));
    }

    /// Takes the notice away when its cause is over.
    pub(super) fn end_notice(&mut self) {
        let Some(Posted { cause, .. }) = &self.posted else { return };
        let is_over = match cause {
            Cause::Lasting | Cause::Attempt => false,
            Cause::Command(command) => command.available(&self.run).is_ok(),
            Cause::Run(dir) => self.run.dir != *dir,
            Cause::NoModel => self.study.choice.is_some(),
            Cause::NoFile => self.form.file.is_some(),
            Cause::SetUp(tried) => !tried.is(&self.form),
        };
        if is_over {
            self.posted = None;
        }
    }
}
