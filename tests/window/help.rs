//! What explains the window, and what keeps it calm: texts on every pane, what the program is, zoom, and bars
//! in which nothing jumps.

use super::{Stage, demo, tell, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::{PANES, Pane};
use dualprop::training::events::{Event, StepReport};
use egui::{Key, vec2};
use egui_kittest::kittest::Queryable as _;

fn carry_out(stage: &mut Stage, command: UiCommand) {
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, command);
    stage.frames();
}

#[test]
fn every_pane_says_what_it_shows() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    for info in &PANES {
        stage.show(info.pane);
        stage.harness.key_press(Key::F2);
        stage.frames();
        stage.expect(&format!("What {} shows", info.title));
        stage.expect(info.explained.text);
        stage.expect(info.explained.formula);
        stage.expect("In every pane");
        for words in ["■ clean", "■ attacked", "■ mixed", "● main", "◆ aux", "▲ aux3"] {
            stage.expect(words);
        }
        stage.click("Close");
    }
    stage.show(Pane::Curves);
    stage.click("What Curves shows");
    stage.expect("log softmax");
}

#[test]
fn the_window_says_what_it_is() {
    let mut stage = Stage::new();
    stage.window().look_for_devices();
    for _ in 0..100 {
        stage.frames();
        if !stage.window().form.devices.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    carry_out(&mut stage, UiCommand::About);
    for text in [concat!("DualProp ", env!("CARGO_PKG_VERSION")), "driver played 1.0", "Apache", "README.md"]
    {
        stage.expect(text);
    }
    stage.harness.get_by_label("Copy for a report").click();
    let mut copied = String::new();
    for _ in 0..4 {
        stage.harness.run_steps(1);
        for command in &stage.harness.output().platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                copied.clone_from(text);
            }
        }
    }
    assert!(copied.contains("Scripted adapter (demo), driver played 1.0"), "{copied}");
}

#[test]
fn the_help_menu_opens_the_guide() {
    let mut stage = Stage::new();
    carry_out(&mut stage, UiCommand::Guide);
    stage.expect("the system names no cache folder");
    let cache = stage.folder.path().join("cache");
    stage.window().cache = Some(cache.clone());
    stage.click("Help");
    stage.click("Guide");
    stage.expect("The guide is");
    let page = std::fs::read_to_string(cache.join("guide.html")).expect("the page");
    assert!(page.contains("Reading each pane"), "the chapters are on it");
    std::fs::remove_dir_all(&cache).expect("it is there");
    std::fs::write(&cache, "").expect("writable");
    carry_out(&mut stage, UiCommand::Guide);
    stage.expect("is a file; expected a folder");
}

#[test]
fn everything_grows_and_shrinks() {
    let mut stage = Stage::new();
    let zoom = |stage: &Stage| stage.harness.ctx.zoom_factor();
    carry_out(&mut stage, UiCommand::ZoomIn);
    assert!(zoom(&stage) > 1.05, "{}", zoom(&stage));
    carry_out(&mut stage, UiCommand::ZoomReset);
    assert_eq!(zoom(&stage), 1.0);
    stage.harness.key_press_modifiers(egui::Modifiers::COMMAND, Key::Minus);
    stage.frames();
    assert!(zoom(&stage) < 0.95 && zoom(&stage) > 0.85, "once: {}", zoom(&stage));
}

#[test]
fn the_set_up_makes_room_and_comes_back() {
    let mut stage = Stage::new();
    stage.expect("Essentials");
    let left = |stage: &Stage| stage.harness.get_by_label("What Curves shows").rect().left();
    let before = stage.harness.get_by_label("No curves yet").rect().center().x;
    let corner = left(&stage);
    carry_out(&mut stage, UiCommand::HideSetUp);
    assert!(!stage.sees("Essentials"));
    let after = stage.harness.get_by_label("No curves yet").rect().center().x;
    assert!(after < before - 100.0, "the curves have its room: {before} {after}");
    assert!((left(&stage) - corner).abs() < 1.0);
    stage.show(Pane::SetUp);
    stage.expect("Essentials");
}

#[test]
fn a_word_that_changes_moves_none_of_its_neighbours() {
    let mut stage = Stage::new();
    let ends = stage.start();
    train(&ends, 1..=30);
    tell(&ends, Event::Evaluated(demo::evaluation(30)));
    tell(&ends, Event::Step(StepReport { images_per_s: 123.456, ..demo::step(31) }));
    stage.frames();
    let button = |stage: &Stage| stage.harness.get_by_label("Single step").rect();
    let left = |stage: &Stage| {
        stage.harness.query_all_by_label_contains(" left").map(|label| label.rect().left()).next()
    };
    let (first, figure) = (button(&stage), left(&stage));
    assert!(figure.is_some());
    stage.click("Pause");
    assert_eq!(button(&stage), first, "Pause has become Continue");
    tell(&ends, Event::Paused);
    stage.frames();
    tell(&ends, Event::Resumed);
    tell(&ends, Event::Step(StepReport { images_per_s: 9.0, ..demo::step(32) }));
    stage.frames();
    stage.expect("9.00 images/s");
    assert_eq!(button(&stage), first);
}
