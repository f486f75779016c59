//! Plots and tables that leave the window: figures drawn anew for print, and tables for programs and people.

use super::frame::{wait_for, write_run};
use super::{Stage, demo, tell, train};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dualprop::app::panes::Pane;
use dualprop::app::panes::domains::Face;
use dualprop::app::panes::robustness::Detail;
use dualprop::app::shell::dialogs::{FileKind, PathFor};
use dualprop::training::events::{Event, Finish};
use egui::vec2;
use egui_kittest::kittest::Queryable as _;
use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use std::path::{Path, PathBuf};

/// What of an SVG file a reader sees.
#[derive(Debug, Default)]
struct Seen {
    width: String,
    height: String,
    words: Vec<String>,
    sizes: Vec<f64>,
    /// Names and points of the lines of data.
    lines: Vec<(String, usize)>,
    rects: usize,
    /// Width and height of each picture, pixels.
    pictures: Vec<(u32, u32)>,
    has_ground: bool,
}

impl Seen {
    fn says(&self, words: &str) -> bool {
        self.words.iter().any(|said| said.contains(words))
    }
}

fn read(file: &Path) -> Seen {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader::from_str(&text);
    let (mut seen, mut inside, mut points) = (Seen::default(), Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}"));
        let attribute = |element: &quick_xml::events::BytesStart<'_>, name: &str| {
            let found = element.try_get_attribute(name).expect("well-formed")?;
            Some(String::from_utf8(found.value.into_owned()).expect("UTF-8"))
        };
        match event {
            Xml::Start(element) => {
                let name = String::from_utf8(element.name().as_ref().to_vec()).expect("UTF-8");
                match name.as_str() {
                    "svg" => {
                        let of = |side| attribute(&element, side).expect("a size");
                        (seen.width, seen.height) = (of("width"), of("height"));
                    }
                    "text" => {
                        seen.words.push(String::new());
                        seen.sizes.push(
                            attribute(&element, "font-size").expect("a size").parse().expect("a number"),
                        );
                    }
                    "polyline" => {
                        points = attribute(&element, "points").expect("points").split(' ').count();
                    }
                    _ => {}
                }
                inside.push(name);
            }
            Xml::End(_) => drop(inside.pop()),
            Xml::Empty(element) => {
                let name = element.name();
                seen.rects += usize::from(name.as_ref() == b"rect");
                if name.as_ref() == b"image" {
                    let data = attribute(&element, "href").expect("pixels");
                    let png = data.strip_prefix("data:image/png;base64,").expect("in the file itself");
                    let png = BASE64_STANDARD.decode(png).expect("base64");
                    let picture = image::load_from_memory(&png).expect("a PNG");
                    seen.pictures.push((picture.width(), picture.height()));
                }
                let white = attribute(&element, "fill").is_some_and(|fill| fill == "#ffffff");
                seen.has_ground |= name.as_ref() == b"rect" && white && attribute(&element, "x").is_none();
            }
            Xml::Text(words) => {
                let words = words.decode().expect("UTF-8").into_owned();
                match inside.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    [.., "text"] => seen.words.last_mut().expect("inside of one").push_str(&words),
                    [.., "polyline", "title"] => seen.lines.push((words, points)),
                    _ => {}
                }
            }
            Xml::Eof => return seen,
            _ => {}
        }
    }
}

/// Opens the export menu of `plot`, chooses `item` and saves it where the window proposes: beside the run.
fn export(stage: &mut Stage, plot: &str, item: &str) {
    stage.click(&format!("Export {plot}"));
    stage.click(item);
    stage.frames();
    stage.click("Save");
    stage.expect("Wrote");
    if stage.sees("Dismiss") {
        stage.click("Dismiss");
    }
}

/// A window on a run of 40 steps, and the folder of the run.
fn trained() -> (Stage, super::demo::Ends, PathBuf) {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.start();
    train(&ends, 1..=40);
    tell(&ends, Event::Evaluated(demo::evaluation(20)));
    tell(&ends, Event::Evaluated(demo::evaluation(40)));
    ends.snapshot.put(demo::snapshot(40));
    stage.frames();
    let dir = ends.request.out.clone();
    std::fs::create_dir_all(&dir).expect("writable");
    (stage, ends, dir)
}

#[test]
fn a_name_that_promises_another_kind_of_file_is_refused() {
    let (mut stage, _ends, dir) = trained();
    stage.click("Export Training loss");
    stage.click("Figure (SVG)…");
    let (wrong, right) = (dir.join("loss.png"), dir.join("loss.SVG"));
    stage.window().take_browsed(PathFor::Save(FileKind::Svg), vec![wrong.clone()]);
    stage.frames();
    stage.expect("expected a name that ends in .svg");
    assert!(!wrong.exists());
    stage.window().take_browsed(PathFor::Save(FileKind::Svg), vec![right.clone()]);
    stage.frames();
    assert!(right.is_file() && !stage.sees("expected a name"));
}

#[test]
fn a_figure_has_title_units_run_and_a_line_for_each_that_is_shown() {
    let (mut stage, _ends, dir) = trained();
    export(&mut stage, "Training loss", "Figure (SVG)…");
    let seen = read(&dir.join("Training-loss.svg"));
    for words in ["Training loss", "Optimizer steps", "Training loss (nats)", "run run, step 40", "smoothed"]
    {
        assert!(seen.says(words), "{words}: {seen:?}");
    }
    let names: Vec<&str> = seen.lines.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["main, clean", "aux, attacked by pgd:eps=1"], "the legend has them too");
    assert!(names.iter().all(|name| seen.says(name)), "{seen:?}");
    assert!(seen.lines.iter().all(|(_, points)| *points == 40), "a point a step: {seen:?}");
    assert!(seen.has_ground);
    assert_eq!(seen.width, "640px");

    stage.click("Line main, clean");
    export(&mut stage, "Training loss", "Figure for a column, 85 mm (SVG)…");
    let seen = read(&dir.join("Training-loss-85-mm.svg"));
    assert_eq!(seen.lines.len(), 1, "a hidden line is left out: {seen:?}");
    assert_eq!(seen.width, "85mm");
    assert!(seen.sizes.iter().all(|size| *size == 8.0), "8 pt: {seen:?}");
}

#[test]
fn pixels_are_drawn_on_white_or_on_nothing() {
    let (mut stage, _ends, dir) = trained();
    export(&mut stage, "Accuracy on val", "Figure (PNG)…");
    let file = dir.join("Accuracy-on-val.png");
    let on_white = image::open(&file).expect("a picture").into_rgba8();
    assert_eq!(on_white.width(), 1920);
    assert_eq!(on_white.get_pixel(1, 1).0, [255; 4]);
    let dark = on_white.pixels().filter(|pixel| pixel.0[..3].iter().all(|value| *value < 90)).count();
    assert!(dark > 2000, "letters and axes: {dark}");
    stage.click("Export Accuracy on val");
    stage.click("Transparent ground");
    stage.click("Figure (PNG)…");
    stage.frames();
    stage.click("Save");
    let on_nothing = image::open(&file).expect("a picture").into_rgba8();
    assert_eq!(on_nothing.get_pixel(1, 1).0[3], 0);
    assert_eq!(on_nothing.dimensions(), on_white.dimensions());
}

/// Each of the plots, with its two axes; and none of the files is a crop of the window.
#[test]
fn every_plot_becomes_a_figure_with_units_on_its_axes() {
    let (mut stage, ends, dir) = trained();
    // The set-up is locked while a run is at work.
    tell(&ends, Event::Finished(Finish::Completed));
    stage.frames();
    let check = |stage: &mut Stage, dir: &Path, plot: &str, axes: [&str; 2]| {
        export(stage, plot, "Figure for a page, 170 mm (SVG)…");
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = format!("{plot} 170 mm.svg").chars().map(plain).collect();
        let seen = read(&dir.join(name));
        assert_eq!(seen.width, "170mm");
        for axis in axes {
            assert!(seen.says(axis), "{plot}, {axis}: {seen:?}");
        }
        seen
    };
    check(&mut stage, &dir, "Training loss", ["Optimizer steps", "(nats)"]);
    let seen = check(&mut stage, &dir, "Accuracy on val", ["Optimizer steps", "Top-1 accuracy (%)"]);
    assert_eq!(seen.lines.len(), 4, "{seen:?}");
    check(&mut stage, &dir, "Learning rate schedule", ["Optimizer steps", "Learning rate"]);
    stage.show(Pane::Domains);
    check(&mut stage, &dir, "BN distances", ["BN layer", "(nats)"]);
    stage.window().views.domains.layer = "bn1".into();
    stage.frames();
    check(&mut stage, &dir, "Running mean of bn1", ["Channel", "(units of the input)"]);

    let study = stage.open_model();
    stage.show(Pane::Lab);
    stage.serve(&study);
    stage.click("Sweep ε");
    stage.serve(&study);
    check(&mut stage, &dir, "Loss per iteration", ["Iteration", "Loss (nats)"]);
    let seen = check(&mut stage, &dir, "Accuracy over ε", ["(1/255)", "Top-1 accuracy (%)"]);
    assert!(seen.says("training ε"), "{seen:?}");
    stage.show(Pane::Domains);
    stage.window().views.domains.face = Face::Inputs;
    stage.serve(&study);
    check(&mut stage, &dir, "BN inputs", ["(standard deviations)", "Share of values (%)"]);
    stage.show(Pane::Results);
    stage.click("Measure");
    stage.serve(&study);
    let seen = check(&mut stage, &dir, "main, clean val", ["True class", "Predicted class"]);
    assert!(seen.says("hexagon") && seen.rects >= 100, "ten classes: {seen:?}");
    stage.show(Pane::Robustness);
    stage.click("Measure");
    stage.serve(&study);
    stage.window().views.robustness.detail = Detail::Severities;
    stage.frames();
    let seen = check(&mut stage, &dir, "Robustness on val", ["Severity", "Corruption"]);
    assert!(seen.says("(%)") && seen.says("gaussian_noise"), "{seen:?}");
}

/// What consists of pictures is drawn anew like any plot, each with its own pixels.
#[test]
fn panes_of_pictures_become_figures() {
    let (mut stage, ends, dir) = trained();
    tell(&ends, Event::Finished(Finish::Completed));
    stage.show(Pane::Gallery);
    for (item, file, width) in [
        ("Figure for a column, 85 mm (SVG)…", "Gallery-85-mm.svg", "85mm"),
        ("Figure for a page, 170 mm (SVG)…", "Gallery-170-mm.svg", "170mm"),
    ] {
        export(&mut stage, "Gallery", item);
        let seen = read(&dir.join(file));
        assert_eq!((seen.width.as_str(), seen.pictures.len()), (width, 24), "three of each image");
        assert!(seen.pictures.iter().all(|size| *size == (32, 32)), "their own pixels: {seen:?}");
        for words in
            ["perturbation", "×31", "circle, val/00012", "92.0% circle", "through aux", "run run, step 40"]
        {
            assert!(seen.says(words), "{words}: {seen:?}");
        }
        let is_cut = |words: &String| words.starts_with("pert") && words.ends_with('…');
        assert!(seen.has_ground && !seen.words.iter().any(is_cut), "{seen:?}");
    }
    export(&mut stage, "Gallery", "Numbers (CSV)…");
    let table = std::fs::read_to_string(dir.join("Gallery.csv")).expect("the table");
    assert_eq!(table.lines().count(), 1 + 8 * 2, "an image and a domain a row: {table}");

    export(&mut stage, "Gallery", "Figure (PNG)…");
    let drawn = image::open(dir.join("Gallery.png")).expect("a picture").into_rgb8();
    let drawn: std::collections::HashSet<[u8; 3]> = drawn.pixels().map(|pixel| pixel.0).collect();
    let clean = &demo::snapshot(40).gallery[0].clean;
    assert!(clean.as_chunks().0.iter().all(|pixel| drawn.contains(pixel)), "no pixel is blurred away");

    stage.show(Pane::Attention);
    export(&mut stage, "Attention", "Figure (SVG)…");
    let seen = read(&dir.join("Attention.svg"));
    assert_eq!(seen.pictures.len(), 8 * 6, "clean and attacked, plain and through two domains");
    assert!(seen.says("by aux") && seen.says("lowest") && seen.says("circle, val/00012; "), "{seen:?}");

    let study = stage.open_model();
    stage.show(Pane::Attention);
    stage.serve(&study);
    stage.click("Keep beside");
    export(&mut stage, "Attention", "Figure (SVG)…");
    let seen = read(&dir.join("Attention.svg"));
    assert_eq!(seen.pictures.len(), 4 * 2 * 8, "two models of three views beside each other: {seen:?}");
    stage.show(Pane::Lab);
    stage.serve(&study);
    export(&mut stage, "Attacked images", "Figure (SVG)…");
    assert_eq!(read(&dir.join("Attacked-images.svg")).pictures.len(), 12);
    stage.show(Pane::Results);
    stage.click("Measure");
    stage.serve(&study);
    stage.click("Worst first");
    export(&mut stage, "main, clean val", "Figure (SVG)…");
    let seen = read(&dir.join("main--clean-val.svg"));
    assert!(seen.pictures.len() == 24 && seen.says("loss "), "{seen:?}");
    stage.show(Pane::Robustness);
    stage.window().views.robustness.detail = Detail::Pictures;
    stage.serve(&study);
    export(&mut stage, "Corrupted image", "Figure (SVG)…");
    let seen = read(&dir.join("Corrupted-image.svg"));
    assert!(seen.pictures.len() == 6 && seen.says("severity 5") && seen.says("aux "), "{seen:?}");
}

#[test]
fn compared_runs_and_a_history_of_domains_become_figures() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let parent = stage.folder.path().to_owned();
    for (name, seed) in [("a", 0), ("b", 1)] {
        write_run(&parent.join(name), seed, 10, 0.5);
    }
    stage.window().open_run(&parent.join("a")).expect("a run folder");
    stage.show(Pane::Runs);
    wait_for(&mut stage, "2 runs");
    stage.window().views.runs.loss = true;
    stage.click("Compare a");
    stage.click("Compare b");
    export(&mut stage, "Compared runs", "Figure (SVG)…");
    let seen = read(&parent.join("a/Compared-runs.svg"));
    assert!(seen.says("(mean of 2)") && seen.says("Training loss (nats)"), "{seen:?}");
    assert_eq!(seen.lines.len(), 1, "two seeds are one line: {seen:?}");
    stage.show(Pane::Domains);
    stage.window().views.domains.face = Face::Time;
    stage.frames();
    export(&mut stage, "BN distances over time", "Figure (SVG)…");
    let seen = read(&parent.join("a/BN-distances-over-time.svg"));
    assert!(seen.says("Optimizer steps") && seen.says("BN layer") && seen.says("nats"), "{seen:?}");
}

#[test]
fn a_table_is_written_for_programs_and_for_people_and_copied() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let study = stage.open_model();
    stage.show(Pane::Robustness);
    stage.click("Measure");
    stage.serve(&study);
    for word in ["Markdown", "LaTeX", "CSV"] {
        stage.click("Export Robustness on val");
        stage.click(&format!("Numbers ({word})…"));
        stage.expect(&format!("A {word} file"));
        stage.harness.key_press(egui::Key::Escape);
        stage.frames();
    }
    stage.click("Export Robustness on val");
    stage.harness.get_all_by_label("Copy numbers (Markdown)").next().expect("in the menu").click();
    let mut copied = None;
    for _ in 0..6 {
        stage.harness.run_steps(1);
        let commands = &stage.harness.output().platform_output.commands;
        copied = copied.or_else(|| {
            commands.iter().find_map(|command| match command {
                egui::OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            })
        });
    }
    let text = copied.expect("something is copied");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "| Top-1 (%) | images | main | aux |");
    assert_eq!(lines[1], "| --- | --: | --: | --: |");
    assert!(lines[2].starts_with("| clean | ") && lines[2].contains('%'), "{text}");
    assert!(lines.iter().any(|line| line.contains("gaussian\\_noise")), "{text}");
}
