//! A run's side of its front end: commands in, events and pictures out.

use crate::training::events::{Command, Event, LatestSlot, Snapshot, Work};
use crossbeam_channel::{Receiver, Sender};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between gallery snapshots while a front end takes them.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(4);

/// The run's ends of the channels to its front end.
pub(in crate::session) struct FrontEnd<'a> {
    commands: &'a Receiver<Command>,
    events: &'a Sender<Event>,
    pictures: &'a Arc<LatestSlot<Snapshot>>,
    wants_pictures: bool,
    /// Commands that came while the run looked for a stop.
    waiting: VecDeque<Command>,
    last_picture: Option<Instant>,
}

impl<'a> FrontEnd<'a> {
    pub(in crate::session) fn new(
        commands: &'a Receiver<Command>,
        events: &'a Sender<Event>,
        pictures: &'a Arc<LatestSlot<Snapshot>>,
        wants_pictures: bool,
    ) -> Self {
        Self { commands, events, pictures, wants_pictures, waiting: VecDeque::new(), last_picture: None }
    }

    /// Sends an event. A front end that went away is no reason to stop a run that writes its folder.
    pub(super) fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells that `done` of `total` of the named work is done, and what comes after it.
    pub(super) fn working(&self, what: impl Into<String>, next: &'static str, done: usize, total: usize) {
        self.send(Event::Working(Work { what: what.into(), done, total, next }));
    }

    /// The next command; `wait` waits for one. `None` where none has come, and with `wait` where the front
    /// end is gone.
    pub(super) fn command(&mut self, wait: bool) -> Option<Command> {
        let queued = self.waiting.pop_front();
        queued.or_else(|| if wait { self.commands.recv().ok() } else { self.commands.try_recv().ok() })
    }

    /// Puts a command back that was taken too early.
    pub(super) fn put_back(&mut self, command: Command) {
        self.waiting.push_front(command);
    }

    /// Whether a stop is among the commands that have come; all of them stay for [`Self::command`].
    pub(super) fn asks_to_stop(&mut self) -> bool {
        self.waiting.extend(self.commands.try_iter());
        self.waiting.iter().any(|c| matches!(c, Command::StopAndSave | Command::StopAndDiscard))
    }

    /// Whether pictures are due: the front end has taken the last ones and some time has passed. `now` asks
    /// only whether it wants pictures at all.
    pub(super) fn pictures_are_due(&self, now: bool) -> bool {
        let due = self.last_picture.is_none_or(|t| t.elapsed() >= SNAPSHOT_EVERY);
        self.wants_pictures && (now || (due && self.pictures.is_empty()))
    }

    /// Hands pictures to a front end that wants them.
    pub(super) fn show(&mut self, made: Snapshot) {
        if self.wants_pictures {
            self.pictures.put(made);
            self.last_picture = Some(Instant::now());
        }
    }
}
