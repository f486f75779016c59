//! What an evaluation prints.

use crate::cli::common::{print_json, print_line};
use crate::evaluation::interval;
use serde::Serialize;

/// What `--json` prints. Fractions are 0..1.
#[derive(Serialize)]
pub(super) struct Figures<'a> {
    pub(super) data: &'a str,
    pub(super) split: &'a str,
    pub(super) domain: &'a str,
    pub(super) attack: Option<&'a str>,
    /// How labels were matched with the checkpoint's classes: `name`, `number` or a file.
    pub(super) classes_by: &'a str,
    /// Images that were measured.
    pub(super) images: usize,
    /// Images of classes that the checkpoint lacks.
    pub(super) left_out: usize,
    pub(super) loss: f32,
    pub(super) top1: f32,
    pub(super) top5: f32,
}

impl Figures<'_> {
    /// Prints them as one JSON object.
    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        print_json(self)
    }

    /// Prints them as a sentence; `plain_classes` leaves out how the classes were matched.
    pub(super) fn print(&self, plain_classes: bool) -> anyhow::Result<()> {
        let under = self.attack.map(|spec| format!(" under {spec}")).unwrap_or_default();
        let classes = match plain_classes {
            true => String::new(),
            false => format!(", classes by {}", self.classes_by),
        };
        print_line(&format!(
            "{} {}, domain {}{under}: top-1 {:.2}%{}, top-5 {:.2}%{}, loss {:.4} on {} images{classes}",
            self.data,
            self.split,
            self.domain,
            100.0 * self.top1,
            interval::words(self.top1, self.images),
            100.0 * self.top5,
            interval::words(self.top5, self.images),
            self.loss,
            self.images
        ))
    }
}
