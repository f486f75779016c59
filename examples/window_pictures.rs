//! Draws the window's main states in both themes and three sizes, on made data, to be looked at.
//!
//! `cargo run --example window_pictures -- [FOLDER]` (by default `target/window-pictures`)

#[path = "../tests/window/demo.rs"]
mod demo;
#[allow(dead_code, reason = "the tests of the window use the rest")]
#[path = "../tests/window/stage.rs"]
mod stage;

use anyhow::Context as _;
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::Pane;
use dualprop::training::events::{Event, Finish};
use egui::{Key, vec2};
use stage::{Stage, tell, train};
use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let folder: PathBuf =
        std::env::args_os().nth(1).unwrap_or_else(|| "target/window-pictures".into()).into();
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let sizes = [(vec2(1280.0, 720.0), ""), (vec2(960.0, 540.0), "small-"), (vec2(1920.0, 1080.0), "large-")];
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        for (size, prefix) in sizes {
            take_pictures(&folder, theme, size, prefix);
        }
    }
    println!("{}", folder.display());
    Ok(())
}

/// The main states of a window of `size` points, each as a file that begins with `prefix`.
fn take_pictures(folder: &Path, theme: egui::Theme, size: egui::Vec2, prefix: &str) {
    let mut stage = Stage::sized(size);
    stage.harness.ctx.set_theme(theme);
    let shoot = |stage: &mut Stage, name: &str| {
        stage.frames();
        let image = stage.harness.render().expect("an adapter to draw with");
        image.save(folder.join(format!("{theme:?}-{prefix}{name}.png"))).expect("writable");
    };
    shoot(&mut stage, "1-empty");
    let ends = stage.start();
    for n in (20..=260).step_by(20) {
        train(&ends, n - 19..=n);
        tell(&ends, Event::Evaluated(demo::evaluation(n)));
    }
    ends.snapshot.put(demo::snapshot(260));
    tell(&ends, Event::Warning("2 damaged images were left out: train/moon/0031.png".into()));
    shoot(&mut stage, "2-gallery");
    stage.show(Pane::Attention);
    shoot(&mut stage, "3-attention");
    stage.show(Pane::Domains);
    shoot(&mut stage, "4-domains");
    stage.show(Pane::Log);
    shoot(&mut stage, "5-log");
    stage.show(Pane::SetUp);
    tell(
        &ends,
        Event::Finished(Finish::Failed("The loss became NaN at step 261; lower optimizer.lr".into())),
    );
    stage.frames();
    stage.click("All options");
    shoot(&mut stage, "6-failed");
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::Palette);
    shoot(&mut stage, "7-palette");
    stage.harness.key_press(Key::Escape);
    stage.frames();
    stage.window().carry_out(&ctx, UiCommand::OpenRun);
    shoot(&mut stage, "8-open");
    stage.harness.key_press(Key::Escape);
    stage.frames();
    stage.window().carry_out(&ctx, UiCommand::Shortcuts);
    shoot(&mut stage, "9-keys");
    stage.harness.key_press(Key::Escape);
    stage.frames();
    let study = stage.open_model();
    stage.serve(&study);
    shoot(&mut stage, "10-lab");
    stage.click("Sweep ε");
    stage.serve(&study);
    shoot(&mut stage, "11-sweep");
    stage.show(Pane::Attention);
    shoot(&mut stage, "12-attention");
    stage.show(Pane::Domains);
    stage.click("Inputs");
    stage.serve(&study);
    shoot(&mut stage, "13-inputs");
    stage.show(Pane::Results);
    stage.click("Measure");
    stage.serve(&study);
    shoot(&mut stage, "14-confusion");
    stage.click("Classes");
    shoot(&mut stage, "15-classes");
    stage.click("Worst first");
    shoot(&mut stage, "16-worst");
    stage.show(Pane::Robustness);
    stage.click("Measure");
    stage.serve(&study);
    shoot(&mut stage, "17-robustness");
    stage.click("Corruption × severity");
    shoot(&mut stage, "18-severities");
    stage.click("Pictures");
    stage.serve(&study);
    shoot(&mut stage, "19-corrupted");
    stage.window().carry_out(&ctx, UiCommand::ExportModel);
    shoot(&mut stage, "20-export");
}
