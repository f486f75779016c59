//! Parts of chapters that are made from the program's tables. Each stands between `<!-- NAME -->` and
//! `<!-- end -->`; the reference is a file of its own.

use super::{chapters, read, reference};
use dualprop::config::presets::{Group, PRESETS};
use std::fmt::Write as _;

const END: &str = "<!-- end -->";

/// Text of the program as Markdown: what stands between backticks is code already.
pub(super) fn prose(text: &str) -> String {
    let mut escaped = String::new();
    for (place, part) in text.split('`').enumerate() {
        let is_code = place % 2 == 1;
        if place > 0 {
            escaped.push('`');
        }
        for c in part.chars() {
            if c == '|' || (!is_code && "\\<>*_[]".contains(c)) {
                escaped.push('\\');
            }
            escaped.push(if c == '\n' { ' ' } else { c });
        }
    }
    escaped
}

/// A word of the program as code within a table.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// `text` with the part called `name` replaced by `content`.
fn with_part(text: &str, name: &str, content: &str) -> String {
    let mark = format!("<!-- {name} -->\n");
    let at = text.find(&mark).unwrap_or_else(|| panic!("there is no {mark}")) + mark.len();
    let end = at + text[at..].find(END).unwrap_or_else(|| panic!("{mark} has no end"));
    format!("{}\n{}\n\n{}", &text[..at], content.trim(), &text[end..])
}

/// Compares a chapter with what it should be, or writes that.
fn hold(file: &str, expected: &str) {
    let path = chapters().join(file);
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        std::fs::write(&path, expected).expect("writable");
        return;
    }
    let found = read(&path);
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{file} is not up to date; `UPDATE_GUIDE=1 cargo test --test guide` rewrites it: {differs:?}"
    );
}

fn presets() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let _ = writeln!(text, "**{}**\n\n| preset | | what it trains |\n| --- | --- | --- |", group.title());
        for preset in PRESETS.iter().filter(|preset| preset.group == group) {
            let (name, title, about) = (code(preset.name), prose(preset.title), prose(&preset.about()));
            let _ = writeln!(text, "| {name} | {title} | {about} |");
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_presets_are_those_of_the_program() {
    let text = read(&chapters().join("recipes.md"));
    hold("recipes.md", &with_part(&text, "presets", &presets()));
}

#[test]
fn the_reference_is_that_of_the_program() {
    hold("reference.md", &reference::page());
}

/// One test writes all of the chapter: two would overwrite each other.
#[test]
#[cfg(feature = "gui")]
fn the_panes_and_keys_are_those_of_the_window() {
    use dualprop::app::panes::PANES;
    let mut text = read(&chapters().join("panes.md"));
    for info in &PANES {
        let explained = info.explained;
        let mut part = format!("> {}\n", prose(explained.text));
        if !explained.formula.is_empty() {
            let _ = write!(part, ">\n> ```text\n> {}\n> ```\n", explained.formula.replace('\n', "\n> "));
        }
        if explained.source != "Ours" {
            let _ = writeln!(part, ">\n> *{}*", prose(explained.source));
        }
        text = with_part(&text, &format!("pane: {}", info.title), &part);
    }
    hold("panes.md", &with_part(&text, "keys", &keys()));
}

#[cfg(feature = "gui")]
fn keys() -> String {
    use dualprop::app::commands::UiCommand;
    use dualprop::app::model::run::RunView;
    let run = RunView::default();
    let mut text = "| key | | what it does |\n| --- | --- | --- |\n".to_owned();
    for command in UiCommand::all() {
        if let Some(shortcut) = command.shortcut() {
            let key = shortcut.format(&egui::ModifierNames::NAMES, false);
            let (name, help) = (prose(command.text(&run)), prose(command.help()));
            let _ = writeln!(text, "| {} | {name} | {help} |", code(&key));
        }
    }
    text
}
