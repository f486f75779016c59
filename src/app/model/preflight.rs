//! What the last preflight found, folded from its events for the set-up.

use super::form::SetUpForm;
use super::start_check::Tried;
use crate::app::format;
use crate::session::preflight::{BranchPreview, Forecast, Preflight};
use crossbeam_channel::{Receiver, TryRecvError};
use std::sync::Arc;

/// One line of the report.
#[derive(Clone, Debug)]
pub enum Finding {
    Passed { what: &'static str, finding: String },
    Warning(String),
    Refused { what: &'static str, reason: String },
}

/// A preflight under way or done.
#[derive(Debug, Default)]
pub struct PreflightReport {
    events: Option<Receiver<Preflight>>,
    pub findings: Vec<Finding>,
    /// The work at hand: its name, done, of all.
    pub working: Option<(String, usize, usize)>,
    pub previews: Option<Arc<Vec<BranchPreview>>>,
    pub forecast: Option<Forecast>,
    /// The set-up that was tried out.
    made_for: Option<Tried>,
    /// Grows with each new set of previews; textures are made again when it changes.
    pub generation: u64,
}

impl PreflightReport {
    /// Takes the place of what an earlier preflight found.
    pub fn begin(&mut self, events: Receiver<Preflight>, tried: Tried) {
        let generation = self.generation + 1;
        *self = Self { events: Some(events), generation, made_for: Some(tried), ..Self::default() };
        self.working = Some(("Starting".to_owned(), 0, 1));
    }

    /// Whether the report is of another set-up than the form's.
    pub fn is_outdated(&self, form: &SetUpForm) -> bool {
        self.made_for.as_ref().is_some_and(|made_for| !made_for.is(form))
    }

    /// The set-up that was tried out last.
    pub fn tried(&self) -> Option<&Tried> {
        self.made_for.as_ref()
    }

    /// Forgets all that was found: it was of another run. A preflight at work ends.
    pub fn forget(&mut self) {
        *self = Self { generation: self.generation + 1, ..Self::default() };
    }

    /// Whether a preflight is at work.
    pub fn is_running(&self) -> bool {
        self.events.is_some()
    }

    /// The check that refused the set-up, and why.
    pub fn refused(&self) -> Option<(&'static str, &str)> {
        self.findings.iter().find_map(|finding| match finding {
            Finding::Refused { what, reason } => Some((*what, reason.as_str())),
            _ => None,
        })
    }

    /// How it ended, in a sentence: passed or refused.
    pub fn verdict(&self) -> Result<String, String> {
        match (self.refused(), &self.forecast) {
            (Some((what, reason)), _) => Err(format!("Preflight found a fault. {what}: {reason}")),
            (None, Some(forecast)) => {
                let time = format::duration(forecast.seconds());
                Ok(format!(
                    "Preflight passed: about {time} for {}",
                    format::counted(forecast.total_steps, "step")
                ))
            }
            (None, None) => Ok("Preflight ended".to_owned()),
        }
    }

    /// Folds in the events that have come.
    pub fn take_events(&mut self) {
        loop {
            let Some(events) = &self.events else { return };
            match events.try_recv() {
                Ok(event) => self.apply(event),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    let reason = "it ended without a report".to_owned();
                    self.apply(Preflight::Refused { what: "Preflight", reason });
                }
            }
        }
    }

    fn apply(&mut self, event: Preflight) {
        match event {
            Preflight::Working { what, done, total } => self.working = Some((what, done, total)),
            Preflight::Passed { what, finding } => self.findings.push(Finding::Passed { what, finding }),
            Preflight::Warning(text) => self.findings.push(Finding::Warning(text)),
            Preflight::Previews(previews) => {
                self.previews = Some(previews);
                self.generation += 1;
            }
            Preflight::Ready(forecast) => {
                self.forecast = Some(forecast);
                (self.events, self.working) = (None, None);
            }
            Preflight::Refused { what, reason } => {
                self.findings.push(Finding::Refused { what, reason });
                (self.events, self.working) = (None, None);
            }
        }
    }
}
