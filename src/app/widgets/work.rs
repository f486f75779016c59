//! A bar of the work that no step reports: its name, how far it is, and on hover what comes next.

use crate::app::format;
use crate::app::theme::tokens::Tokens;
use crate::training::events::Work;
use egui::{ProgressBar, RichText, Ui};

/// Draws the bar. Work without parts shows that it goes on, and no share.
pub fn work_bar(ui: &mut Ui, work: &Work, width: f32) {
    let tokens = Tokens::of(ui);
    let text = RichText::new(words(work)).color(tokens.text_strong).small();
    let bar = ProgressBar::new(work.share().unwrap_or(0.0)).animate(work.share().is_none());
    let bar = bar.desired_width(width).desired_height(16.0).fill(tokens.accent_soft).corner_radius(4);
    ui.add(bar.text(text)).on_hover_text(format!("{}. Then: {}.", words(work), work.next));
}

/// The work and its progress: `Compiling shaders 3/24`.
pub fn words(work: &Work) -> String {
    let (done, total) = (work.done as u64, work.total as u64);
    match work.share() {
        Some(_) => format!("{} {}/{}", work.what, format::count(done), format::count(total)),
        None => work.what.clone(),
    }
}
