//! What needs an answer or tells of one, as cards over the lower right corner, where they move nothing:
//! faults of the set-up, a failed run, a run that was cut off, sentences of the window's own.

use super::first_steps::{self, FirstAnswer, FirstSteps};
use crate::app::commands::{self, UiCommand};
use crate::app::model::form::SetUpForm;
use crate::app::model::run::RunView;
use crate::app::panes::Pane;
use crate::app::panes::set_up::fields;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::{ButtonStyle, command_button};
use egui::{Align2, Area, Color32, Context, Frame, Id, Link, Margin, RichText, ScrollArea, Ui, vec2};
use std::path::Path;
use std::time::Duration;

/// How long a notice of something done stays, seconds.
const TOAST_SECONDS: f64 = 8.0;
/// Width of the text of a card, points; the smallest window is 960 wide.
const WIDTH: f32 = 440.0;
/// Height of a list of faults from which on it scrolls, points.
const LIST_HEIGHT: f32 = 220.0;
/// From the window's corner, above the status bar.
const CORNER: egui::Vec2 = vec2(-12.0, -40.0);

/// A sentence of the window's own, such as why a command was refused.
#[derive(Clone, Debug)]
pub struct Notice {
    pub kind: NoticeKind,
    pub text: String,
    /// Tells it from others of the same words.
    pub number: u64,
}

/// What a notice tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// What was done; it goes after some seconds.
    Done,
    /// Why something cannot be done.
    Refused,
    /// What a preflight or a start of a run found.
    Failed,
}

/// What there may be to tell.
#[derive(Debug)]
pub struct Messages<'a> {
    pub run: &'a RunView,
    pub form: &'a SetUpForm,
    pub notice: Option<&'a Notice>,
    /// A run that a crash left unfinished.
    pub unfinished: Option<&'a Path>,
    /// The faults that the user has put away.
    pub put_away: &'a [(String, String)],
    /// The steps of the first minute, while they lead through the sample run.
    pub first_steps: Option<&'a FirstSteps>,
}

/// What the user answered.
#[derive(Debug)]
pub enum MessageAnswer {
    /// Show the field of this key.
    GoTo(String),
    PutFaultsAway,
    PutFailureAway,
    PutNoticeAway,
    ContinueUnfinished,
    LeaveUnfinished,
    First(FirstAnswer),
}

/// Draws the cards; chosen commands go to `queue`.
pub fn ui(ctx: &Context, messages: &Messages<'_>, queue: &mut Vec<UiCommand>) -> Option<MessageAnswer> {
    let mut answer = None;
    let is_active = messages.run.phase.is_active();
    let mut faults = if is_active { vec![] } else { messages.form.faults() };
    if faults.iter().copied().eq(messages.put_away.iter().map(|(key, text)| (key.as_str(), text.as_str()))) {
        faults.clear();
    }
    let unfinished = messages.unfinished.filter(|_| !is_active);
    let failure = messages.run.failure().filter(|_| !messages.run.failure_is_put_away);
    let unsaved = messages.run.unsaved.as_deref();
    let is_quiet = faults.is_empty() && unfinished.is_none() && failure.is_none() && unsaved.is_none();
    if let Some(steps) = messages.first_steps {
        answer = first_steps::ui(ctx, steps).map(MessageAnswer::First);
    }
    if is_quiet && messages.notice.is_none() {
        return answer;
    }
    let area = Area::new(Id::unique("messages")).anchor(Align2::RIGHT_BOTTOM, CORNER);
    area.show(ctx, |ui| {
        let tokens = Tokens::of(ui);
        ui.spacing_mut().item_spacing.y = tokens::GAP_SMALL;
        if let Some(dir) = unfinished {
            card(ui, tokens.warning_soft, |ui| unfinished_ui(ui, dir, &mut answer));
        }
        if let Some(reason) = unsaved {
            card(ui, tokens.error_soft, |ui| unsaved_ui(ui, messages.run, reason, queue));
        }
        if let Some(sentence) = failure {
            card(ui, tokens.error_soft, |ui| failure_ui(ui, messages.run, sentence, queue, &mut answer));
        }
        if !faults.is_empty() {
            card(ui, tokens.error_soft, |ui| faults_ui(ui, &faults, &mut answer));
        }
        let Some(Notice { kind, text, number }) = messages.notice else { return };
        match kind {
            NoticeKind::Done => card(ui, tokens.accent_soft, |ui| {
                if done_ui(ui, text, *number) {
                    answer = Some(MessageAnswer::PutNoticeAway);
                }
            }),
            NoticeKind::Refused => {
                card(ui, tokens.warning_soft, |ui| refused_ui(ui, text, tokens.warning, &mut answer));
            }
            NoticeKind::Failed => {
                card(ui, tokens.error_soft, |ui| refused_ui(ui, text, tokens.error, &mut answer));
            }
        }
    });
    answer
}

fn card(ui: &mut Ui, fill: Color32, contents: impl FnOnce(&mut Ui)) {
    let frame = Frame::popup(ui.style()).fill(fill).inner_margin(Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.set_width(WIDTH);
        contents(ui);
    });
}

/// An icon and a sentence in as many lines as it takes.
fn sentence_ui(ui: &mut Ui, (icon, colour, meaning): (Icon, Color32, &str), text: RichText) {
    ui.horizontal_top(|ui| {
        icons::show(ui, icon, colour, meaning);
        ui.add(egui::Label::new(text).wrap());
    });
}

fn refused_ui(ui: &mut Ui, text: &str, colour: Color32, answer: &mut Option<MessageAnswer>) {
    let strong = Tokens::of(ui).text_strong;
    sentence_ui(ui, (Icon::Warning, colour, "notice"), RichText::new(text).color(strong));
    if ui.button("Dismiss").clicked() {
        *answer = Some(MessageAnswer::PutNoticeAway);
    }
}

/// Good news, for some seconds; true when it is to go.
fn done_ui(ui: &mut Ui, text: &str, number: u64) -> bool {
    let strong = Tokens::of(ui).text_strong;
    let id = Id::unique(("notice", number));
    let now = ui.input(|input| input.time);
    let since = ui.data_mut(|data| *data.get_temp_mut_or(id, now));
    sentence_ui(ui, (Icon::Check, strong, "notice"), RichText::new(text).color(strong));
    let over = ui.button("Dismiss").clicked() || now - since > TOAST_SECONDS;
    if over {
        ui.data_mut(|data| data.remove_temp::<f64>(id));
    } else {
        ui.ctx().request_repaint_after(Duration::from_secs(1));
    }
    over
}

/// Everything that Start would refuse; a click leads to the field.
fn faults_ui(ui: &mut Ui, faults: &[(&str, &str)], answer: &mut Option<MessageAnswer>) {
    let tokens = Tokens::of(ui);
    let text = RichText::new("Start needs a change in the set-up").strong().color(tokens.text_strong);
    sentence_ui(ui, (Icon::Warning, tokens.error, "faults"), text);
    ScrollArea::vertical().max_height(LIST_HEIGHT).show(ui, |ui| {
        for (key, sentence) in faults {
            let text = RichText::new(format!("{}: {sentence}", fields::label_of(key)));
            let link = ui.add(Link::new(text.color(tokens.text_strong)));
            if link.on_hover_text("Show the field").clicked() {
                *answer = Some(MessageAnswer::GoTo((*key).to_owned()));
            }
        }
    });
    if ui.button("Hide").on_hover_text("The fields stay marked").clicked() {
        *answer = Some(MessageAnswer::PutFaultsAway);
    }
}

/// Offers to go on with the run in `dir`.
fn unfinished_ui(ui: &mut Ui, dir: &Path, answer: &mut Option<MessageAnswer>) {
    let tokens = Tokens::of(ui);
    let text = format!("The run in {} did not come to its end.", dir.display());
    let text = RichText::new(text).color(tokens.text_strong);
    sentence_ui(ui, (Icon::Warning, tokens.warning, "notice"), text);
    ui.horizontal(|ui| {
        let help = "Go on from its last checkpoint, to the same bits as without the break";
        if ui.button("Continue the run").on_hover_text(help).clicked() {
            *answer = Some(MessageAnswer::ContinueUnfinished);
        }
        if ui.button("Not now").on_hover_text("It stays as it is and can be opened later").clicked() {
            *answer = Some(MessageAnswer::LeaveUnfinished);
        }
    });
}

/// A checkpoint that could not be written, and how the run may go on.
fn unsaved_ui(ui: &mut Ui, run: &RunView, reason: &str, queue: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let title = RichText::new("The run waits with its weights").color(tokens.error).strong();
    sentence_ui(ui, (Icon::Warning, tokens.error, "failure"), title);
    ui.add(egui::Label::new(RichText::new(reason).color(tokens.text_strong)).wrap());
    ui.horizontal_wrapped(|ui| {
        command_button(ui, UiCommand::RetrySave, run, queue, ButtonStyle::Primary);
        command_button(ui, UiCommand::SaveElsewhere, run, queue, ButtonStyle::Plain);
        command_button(ui, UiCommand::StopAndDiscard, run, queue, ButtonStyle::Plain);
    });
}

/// How the run on screen failed, with the next thing to do.
fn failure_ui(
    ui: &mut Ui,
    run: &RunView,
    sentence: &str,
    queue: &mut Vec<UiCommand>,
    answer: &mut Option<MessageAnswer>,
) {
    let tokens = Tokens::of(ui);
    let title = RichText::new("Training failed").color(tokens.error).strong();
    sentence_ui(ui, (Icon::Warning, tokens.error, "failure"), title);
    ui.add(egui::Label::new(RichText::new(sentence).color(tokens.text_strong)).wrap());
    let can_resume = commands::can_resume(run);
    if !can_resume {
        let text = "Nothing was saved yet; change the set-up and start again";
        ui.label(RichText::new(text).color(tokens.text));
    }
    ui.horizontal(|ui| {
        if can_resume {
            command_button(ui, UiCommand::Resume, run, queue, ButtonStyle::Primary);
        }
        if ui.button("Show log").clicked() {
            queue.push(UiCommand::Show(Pane::Log));
        }
        if ui.button("Dismiss").clicked() {
            *answer = Some(MessageAnswer::PutFailureAway);
        }
    });
}
