//! Work under way: a bar with words over it, the button that begins or cancels it, and the sign that an
//! answer is awaited. Nothing beside them moves when the work begins or ends.
//!
//! A training is stopped, and may be saved; whatever else is at work is cancelled, in these words everywhere.

use crate::app::format;
use crate::app::model::progress::Progress;
use crate::app::theme::tokens::Tokens;
use crate::training::events::Work;
use egui::{
    Align2, Button, ProgressBar, Rect, Response, RichText, Role, Sense, TextStyle, Ui, WidgetInfo, vec2,
};
use std::time::Duration;

/// Height of a bar, points.
const HEIGHT: f32 = 16.0;
/// Width of a measurement's bar, points.
const NARROWEST: f32 = 90.0;
const WIDEST: f32 = 210.0;
/// Of the button that begins or cancels, points: both words have room.
const BUTTON_WIDTH: f32 = 72.0;
/// Of a bar without a share: the part that goes to and fro, and its radians a second.
const MOVING_PART: f32 = 0.25;
const PACE: f64 = 2.0;
/// Time between two of its pictures; a window that is drawn by the processor has others to wait for.
const EACH: Duration = Duration::from_millis(50);

/// A bar with `text` over it. Without a `share`, 0..1, a part of it goes to and fro behind the words.
pub fn bar(ui: &mut Ui, share: Option<f32>, text: &str, width: f32) -> Response {
    let tokens = Tokens::of(ui);
    if let Some(share) = share {
        let text = RichText::new(text).color(tokens.text_strong).small();
        let bar = ProgressBar::new(share).desired_width(width).desired_height(HEIGHT);
        return ui.add(bar.fill(tokens.accent_soft).corner_radius(4).text(text));
    }
    let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, ui.is_enabled(), text));
    let place = 0.5 - 0.5 * (PACE * ui.input(|input| input.time)).cos() as f32;
    let left = rect.left() + place * (1.0 - MOVING_PART) * rect.width();
    let part = Rect::from_x_y_ranges(left..=left + MOVING_PART * rect.width(), rect.y_range());
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.rect_filled(rect, 4.0, ui.visuals().extreme_bg_color);
    painter.rect_filled(part, 4.0, tokens.accent_soft);
    let at = rect.left_center() + vec2(ui.spacing().item_spacing.x, 0.0);
    let font = TextStyle::Small.resolve(ui.style());
    painter.text(at, Align2::LEFT_CENTER, text, font, tokens.text_strong);
    ui.ctx().request_repaint_after(EACH);
    response
}

/// The bar of a run's work that no step reports, and on hover what comes next.
pub fn work_bar(ui: &mut Ui, work: &Work, width: f32) {
    let text = words(work);
    bar(ui, work.share(), &text, width).on_hover_text(format!("{text}. Then: {}.", work.next));
}

/// The work and its progress: `Compiling shaders 3/24`.
pub fn words(work: &Work) -> String {
    let (done, total) = (work.done as u64, work.total as u64);
    match work.share() {
        Some(_) => format!("{} {}/{}", work.what, format::count(done), format::count(total)),
        None => work.what.clone(),
    }
}

/// What a click on the button of a measurement asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Begin,
    Cancel,
}

/// A measurement that a button begins.
#[derive(Debug)]
pub struct Measuring<'a> {
    /// The words on the button.
    pub name: &'a str,
    pub help: &'a str,
    /// Why it cannot begin now.
    pub refused: Option<&'a str>,
    /// How far it is; `None` while it is not at work.
    pub progress: Option<Progress>,
    /// It was asked to end, and does so soon.
    pub cancelling: bool,
    /// What its parts are: `images`.
    pub parts: &'a str,
}

/// Draws the button and room for the bar, which is empty until the measurement is at work.
pub fn measuring_ui(ui: &mut Ui, measuring: &Measuring<'_>) -> Option<Asked> {
    let button = |text: &str| Button::new(text).min_size(vec2(BUTTON_WIDTH, 0.0));
    let asked = match measuring.progress {
        Some(_) => {
            let help = "End it here; the figures so far stay on screen";
            let response = ui.add_enabled(!measuring.cancelling, button("Cancel"));
            response.on_hover_text(help).clicked().then_some(Asked::Cancel)
        }
        None => {
            let response = ui.add_enabled(measuring.refused.is_none(), button(measuring.name));
            let refused = measuring.refused.unwrap_or_default();
            let response = response.on_hover_text(measuring.help).on_disabled_hover_text(refused);
            response.clicked().then_some(Asked::Begin)
        }
    };
    let width = ui.available_size_before_wrap().x.clamp(NARROWEST, WIDEST);
    match measuring.progress {
        Some(_) if measuring.cancelling => {
            let help = "It ends as soon as the images at hand are measured";
            bar(ui, None, "Cancelling…", width).on_hover_text(help);
        }
        Some(progress) => progress_ui(ui, progress, measuring.parts, width),
        None => drop(ui.allocate_space(vec2(width, HEIGHT))),
    }
    asked
}

fn progress_ui(ui: &mut Ui, progress: Progress, parts: &str, width: f32) {
    let Progress { done, total, .. } = progress;
    let counts = format!("{}/{}", format::count(done as u64), format::count(total as u64));
    let text = match (total, progress.seconds_left()) {
        (0, _) => format!("Opening the {parts}"),
        (_, None) => format!("{counts} {parts}"),
        (_, Some(seconds)) => format!("{counts}, {} left", format::duration(seconds)),
    };
    let share = (total > 0).then(|| done as f32 / total as f32);
    bar(ui, share, &text, width)
        .on_hover_text(format!("Finished {parts} of all, and the time left at this pace"));
}

/// The sign that an answer is awaited; its place stays empty when it has come.
pub fn waiting_ui(ui: &mut Ui, waits: bool, help: &str) {
    let side = ui.style().spacing.interact_size.y;
    match waits {
        true => drop(ui.spinner().on_hover_text(help)),
        false => drop(ui.allocate_space(vec2(side, side))),
    }
}
