//! One small picture of every pane, on made data, held to the one in `tests/window/panes`. Pictures are drawn
//! at twice their size and shrunk, and single pixels may differ, so that another rasteriser's edges pass; a
//! pane that is blank, lost a widget or is laid out otherwise does not.
//!
//! After a wanted change: look at the `.new.png` beside the picture, take it over with `UPDATE_SNAPSHOTS=1
//! cargo test --test window panes::`, and make it small: `mogrify -strip -alpha off -define
//! png:compression-level=9 -define png:compression-filter=5` for those of many colours (Attention, Gallery,
//! Lab, the severities and pictures of Robustness), `mogrify -strip +dither -colors 256 -define
//! png:format=png8` for the others.

use super::frame::{wait_for, write_run};
use super::{Stage, demo, tell, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::Pane;
use dualprop::app::widgets::picture_size::PictureSize;
use dualprop::session::preflight::{BranchPreview, Forecast, MixedPreview, Preflight};
use dualprop::training::events::{Event, Finish};
use egui::{Theme, Vec2, vec2};
use egui_kittest::{SnapshotOptions, image_snapshot_options};
use image::RgbaImage;
use image::imageops::{FilterType, crop_imm, resize};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const SIZE: Vec2 = vec2(960.0, 640.0);
/// The form is longer than wide.
const SIZE_OF_FORM: Vec2 = vec2(640.0, 1400.0);
/// Menus and tabs above the pane, the status below it, pixels.
const ABOVE: u32 = 72;
const BELOW: u32 = 30;
/// Squared distance of two colours that count as one: some 12 of 255 levels of grey. A button differs from
/// its pane by 20.
const COLOUR_TOLERANCE: f32 = 80.0;
/// Pixels of some 130 000 that may be further apart. The smallest button has some 110.
const STRAY_PIXELS: usize = 60;

/// The pane alone, at half its size.
fn picture(stage: &mut Stage, pane: Pane) -> RgbaImage {
    stage.show(pane);
    stage.harness.event(egui::Event::PointerGone);
    // Until what fades in is there.
    stage.harness.run_steps(12);
    let window = stage.harness.render().expect("an adapter to draw with");
    let (width, height) = (window.width(), window.height() - ABOVE - BELOW);
    let pane = crop_imm(&window, 0, ABOVE, width, height).to_image();
    resize(&pane, width / 2, height / 2, FilterType::Triangle)
}

#[track_caller]
fn compare(stage: &mut Stage, pane: Pane) {
    compare_as(stage, pane, &format!("{pane:?}"));
}

/// As [`compare`], of a pane that has several pictures.
#[track_caller]
fn compare_as(stage: &mut Stage, pane: Pane, name: &str) {
    let options = SnapshotOptions::new().threshold(COLOUR_TOLERANCE).max_failed_pixels(STRAY_PIXELS);
    let options = options.output_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/window/panes"));
    image_snapshot_options(&picture(stage, pane), name, &options);
}

/// A window in which one pane has all the room.
fn stage(size: Vec2) -> Stage {
    let mut stage = Stage::sized(size);
    let ctx = stage.harness.ctx.clone();
    ctx.set_theme(Theme::Dark);
    stage.window().form.run_dir = "runs/first".into();
    // Three pixels for one of the images: no rasteriser has to choose between two.
    let views = &mut stage.window().views;
    for size in [&mut views.gallery.size, &mut views.lab.size, &mut views.attention.size] {
        *size = PictureSize::of(96.0);
    }
    stage.window().carry_out(&ctx, UiCommand::EnlargePane);
    stage.frames();
    stage
}

/// A run of 260 steps that is over: nothing on screen moves.
fn trained() -> Stage {
    let mut stage = stage(SIZE);
    let ends = stage.start();
    for n in (20..=260).step_by(20) {
        train(&ends, n - 19..=n);
        tell(&ends, Event::Evaluated(demo::evaluation(n)));
        stage.frames();
    }
    ends.snapshot.put(demo::snapshot(260));
    tell(&ends, Event::Warning("2 damaged images were left out: train/moon/0031.png".into()));
    stage.frames();
    tell(&ends, Event::Finished(Finish::Completed));
    stage.frames();
    stage
}

#[test]
fn set_up() {
    let mut stage = stage(SIZE_OF_FORM);
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::Preflight);
    stage.frames();
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let image = |n: usize| demo::snapshot(1).gallery[n].clean.clone();
    let pairs: Vec<_> = (0..4).map(|n| [image(n), image(n + 4)]).collect();
    let mixed = MixedPreview { lambda: 0.62, pairs };
    let (images, domain) = (mixed.at(mixed.lambda), "aux".into());
    let preview = BranchPreview { source: "mixup", domain, size: 32, images, mixed: Some(mixed) };
    let forecast =
        Forecast { steps_per_epoch: 100, total_steps: 800, seconds_per_step: 0.5, planned_bytes: 1 << 30 };
    for event in [
        Preflight::Passed { what: "Data", finding: "10000 training images".into() },
        Preflight::Previews(Arc::new(vec![preview])),
        Preflight::Ready(forecast),
    ] {
        events.try_send(event).expect("room");
    }
    stage.frames();
    stage.expect("Preflight passed: about 6m 40s");
    stage.click("Dismiss");
    compare(&mut stage, Pane::SetUp);
}

#[test]
fn panes_of_a_run() {
    let mut stage = trained();
    stage.window().run.log.iter_mut().for_each(|line| line.time = "2026-11-29T10:23:13Z".into());
    for pane in [Pane::Curves, Pane::Gallery, Pane::Attention, Pane::Domains, Pane::Log] {
        compare(&mut stage, pane);
    }
}

#[test]
fn panes_of_an_opened_model() {
    let mut stage = stage(SIZE);
    let study = stage.open_model_in("first");
    stage.show(Pane::Lab);
    stage.serve(&study);
    stage.click("Sweep ε");
    stage.serve(&study);
    compare(&mut stage, Pane::Lab);
    stage.show(Pane::Results);
    stage.click("Measure");
    stage.serve(&study);
    compare(&mut stage, Pane::Results);
}

/// In both themes: the colours of the map are the same, what stands beside them is not.
#[test]
fn robustness() {
    let mut stage = stage(vec2(1280.0, 720.0));
    let study = stage.open_model_in("first");
    stage.show(Pane::Robustness);
    stage.window().views.robustness.attacks[1].on = true;
    stage.frames();
    stage.click("Measure");
    stage.serve(&study);
    compare(&mut stage, Pane::Robustness);
    stage.click("Corruption × severity");
    compare_as(&mut stage, Pane::Robustness, "RobustnessSeverities");
    stage.harness.ctx.set_theme(Theme::Light);
    compare_as(&mut stage, Pane::Robustness, "RobustnessSeveritiesLight");
    stage.click("Pictures");
    stage.serve(&study);
    compare_as(&mut stage, Pane::Robustness, "RobustnessPicturesLight");
}

#[test]
fn runs() {
    let mut stage = stage(SIZE);
    let parent = stage.folder.path().to_owned();
    for (name, seed, top1) in [("first", 0, 0.5), ("second", 1, 0.6)] {
        write_run(&parent.join(name), seed, 10, top1);
        // The newest comes first, and both were written in one tick of some file systems' clocks.
        let written = std::fs::File::open(parent.join(name).join("metrics.jsonl")).expect("readable");
        written.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(100 - seed)).expect("settable");
    }
    stage.window().open_run(&parent.join("first")).expect("a run folder");
    stage.show(Pane::Runs);
    wait_for(&mut stage, "2 runs");
    stage.click("Compare first");
    stage.click("Compare second");
    stage.window().views.runs.loss = true;
    compare(&mut stage, Pane::Runs);
}
