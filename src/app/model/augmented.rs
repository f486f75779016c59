//! The preview of augmentation: what was asked for last, and what came.

use super::form::SetUpForm;
use crate::session::augmented::{Asked, Augmented, Opened};
use std::sync::Arc;

/// The preview as the set-up shows it.
#[derive(Debug, Default)]
pub struct AugmentedView {
    /// The user wants to see it.
    pub is_open: bool,
    /// Which of the endless draws.
    draw: u64,
    asked: Option<Asked>,
    at_work: bool,
    opened: Option<Opened>,
    /// What is shown, or a sentence on why nothing is.
    pub shown: Option<Result<Arc<Augmented>, String>>,
    /// Grows with each answer; textures are made again when it changes.
    pub generation: u64,
}

impl AugmentedView {
    /// Asks for other images and another draw.
    pub fn reroll(&mut self) {
        self.draw += 1;
    }

    /// Whether an answer is still to come.
    pub fn is_waiting(&self) -> bool {
        self.at_work
    }

    /// What is to be drawn anew, once: the set-up has changed, or another draw is wanted.
    pub fn take_request(&mut self, form: &SetUpForm) -> Option<(Asked, Option<Opened>)> {
        if !self.is_open || self.at_work {
            return None;
        }
        let config = form.config();
        let wanted = Asked { data: config.data.clone(), seed: config.run.seed, draw: self.draw };
        if self.asked.as_ref() == Some(&wanted) {
            return None;
        }
        self.asked = Some(wanted.clone());
        self.at_work = true;
        Some((wanted, self.opened.clone()))
    }

    /// Takes an answer in.
    pub fn take(&mut self, answer: anyhow::Result<(Augmented, Opened)>) {
        self.at_work = false;
        self.generation += 1;
        self.shown = Some(match answer {
            Ok((augmented, opened)) => {
                self.opened = Some(opened);
                Ok(Arc::new(augmented))
            }
            Err(error) => Err(format!("{error:#}")),
        });
    }
}
