//! Weights are never thrown away: a checkpoint that cannot be written holds the run until it is told what to
//! do, and a run that fails for want of images saves what it has. A file that is not the checkpoint never
//! ends a run.

use super::Run;
use crate::gpu::GpuError;
use crate::training::checkpoint::Checkpoint;
use crate::training::events::{Command, Event};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Which of a run's checkpoints is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Last,
    Best,
}

/// What a front end answers where a checkpoint cannot be written.
enum Answer {
    Again,
    Elsewhere(PathBuf),
}

impl Run<'_> {
    /// Adds a line to the log.
    pub(super) fn log(&mut self, line: &str) {
        let written = self.folder.log(line);
        self.spare(written);
    }

    /// Tells once that a file besides the checkpoint could not be written; the run goes on.
    pub(super) fn spare(&mut self, written: anyhow::Result<()>) {
        let Err(error) = written else { return };
        let sentence = format!("{error:#}; the run goes on without it");
        if self.spared.insert(sentence.clone()) {
            self.front.send(Event::Warning(sentence));
        }
    }

    /// Writes a checkpoint; where that fails, waits for the front end to say how to go on. The error is that
    /// of the file, after a stop.
    pub(super) fn keep(&mut self, checkpoint: &Checkpoint, kind: Kind) -> anyhow::Result<PathBuf> {
        let trains = self.stopwatch.stop(Instant::now());
        let mut stop = None;
        let kept = self.keep_waiting(checkpoint, kind, &mut stop);
        if trains {
            self.stopwatch.start(Instant::now());
        }
        if let (Ok(_), Some(stop)) = (&kept, stop) {
            self.front.put_back(stop);
        }
        kept
    }

    fn keep_waiting(
        &mut self,
        checkpoint: &Checkpoint,
        kind: Kind,
        stop: &mut Option<Command>,
    ) -> anyhow::Result<PathBuf> {
        let mut written = self.write(checkpoint, kind);
        loop {
            let error = match written {
                Ok(path) => return Ok(path),
                Err(error) => error,
            };
            written = match self.ask(error, stop)? {
                Answer::Again if self.folder.is_there() => self.write(checkpoint, kind),
                Answer::Again => {
                    let own = self.folder.dir().to_owned();
                    self.move_to(&own, checkpoint, kind)
                }
                Answer::Elsewhere(dir) => self.move_to(&dir, checkpoint, kind),
            };
        }
    }

    fn write(&mut self, checkpoint: &Checkpoint, kind: Kind) -> anyhow::Result<PathBuf> {
        match kind {
            Kind::Last => {
                let durable = self.folder.sync_lines();
                self.spare(durable);
                self.folder.save_last(checkpoint)
            }
            Kind::Best => self.folder.save_best(checkpoint),
        }
    }

    fn move_to(&mut self, dir: &Path, checkpoint: &Checkpoint, kind: Kind) -> anyhow::Result<PathBuf> {
        let path = self.folder.save_elsewhere(dir, checkpoint)?;
        self.front.send(Event::Moved { run_dir: dir.to_owned() });
        if kind == Kind::Last { Ok(path) } else { self.write(checkpoint, kind) }
    }

    /// Waits for an answer to a checkpoint that could not be written; the error comes back after a stop.
    fn ask(&mut self, error: anyhow::Error, stop: &mut Option<Command>) -> anyhow::Result<Answer> {
        self.front
            .send(Event::CannotSave { run_dir: self.folder.dir().to_owned(), reason: format!("{error:#}") });
        loop {
            match self.front.command(true) {
                // Where the front end is gone nobody can say how to go on.
                None | Some(Command::StopAndDiscard) => return Err(error),
                Some(Command::SaveElsewhere(dir)) => return Ok(Answer::Elsewhere(dir)),
                Some(command @ Command::StopAndSave) => {
                    *stop = Some(command);
                    return Ok(Answer::Again);
                }
                Some(Command::Resume | Command::SaveNow) => return Ok(Answer::Again),
                Some(Command::ScaleLearningRate(factor)) => self.scale_learning_rate(factor),
                Some(Command::LimitWork(limit)) => self.limit_work(limit),
                Some(Command::ShareWeights(reply)) => self.share_weights(&reply)?,
                Some(Command::Pause | Command::SingleStep | Command::EvaluateNow) => {}
            }
        }
    }

    /// Saves what a run has that fails for want of an image or the like; nothing of one that diverged or
    /// whose GPU failed. Returns the steps that were saved.
    pub(super) fn rescue(&mut self, error: &anyhow::Error) -> Option<u64> {
        let is_sound = !self.diverged && !error.chain().any(|cause| cause.is::<GpuError>());
        if !is_sound || self.step <= self.last_saved {
            return None;
        }
        self.settle().ok()?;
        let durable = self.folder.sync_lines();
        self.spare(durable);
        self.folder.save_last(&self.checkpoint().ok()?).ok()?;
        Some(self.step)
    }
}
