//! The Runs pane as a table to work with: order, filter, columns, choice, differences, and that it follows
//! the folders.

use super::Stage;
use super::demo::Scripted;
use super::frame::{wait_for, write_run};
use dualprop::app::commands::UiCommand;
use dualprop::app::model::runs::columns::Column;
use dualprop::app::panes::Pane;
use dualprop::app::panes::runs::Beside;
use dualprop::config::Config;
use dualprop::training::run_folder::{RunFiles, RunFolder, RunNotes};
use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

/// A window that shows these runs: (name, seed, top-1). The first was written last.
fn with_runs(size: Vec2, runs: &[(&str, u64, f64)]) -> Stage {
    filled(Stage::sized(size), runs)
}

/// The same, where the system's trash does this.
fn with_trash(trash: fn(&Path) -> bool, runs: &[(&str, u64, f64)]) -> Stage {
    let (mut launcher, played) = Scripted::new();
    launcher.trash = trash;
    filled(Stage::with(vec2(1600.0, 900.0), Box::new(launcher), played), runs)
}

fn filled(mut stage: Stage, runs: &[(&str, u64, f64)]) -> Stage {
    let parent = stage.folder.path().to_owned();
    for ((name, seed, top1), age) in runs.iter().zip(1..) {
        write_run(&parent.join(name), *seed, 10, *top1);
        let metrics = std::fs::File::open(parent.join(name).join("metrics.jsonl")).expect("readable");
        metrics
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age))
            .expect("settable");
    }
    stage.window().open_run(&parent.join(runs[0].0)).expect("a run folder");
    stage.show(Pane::Runs);
    wait_for(&mut stage, &format!("{} runs", runs.len()));
    // Columns out of sight are not laid out.
    stage.window().views.runs.beside = Beside::Nothing;
    stage.frames();
    stage
}

/// The names of the runs that the table shows, from top to bottom.
fn shown(stage: &Stage) -> Vec<String> {
    let boxes = stage.harness.query_all_by_label_contains("Compare ");
    let mut rows: Vec<(f32, String)> = boxes
        .filter_map(|node| {
            let label = node.accesskit_node().label()?;
            Some((node.rect().top(), label.strip_prefix("Compare ")?.to_owned()))
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|(_, name)| name).collect()
}

fn click_with(stage: &mut Stage, label: &str, modifiers: Modifiers) {
    stage.harness.get_by_label(label).click_modifiers(modifiers);
    stage.frames();
}

fn chosen(stage: &Stage) -> Vec<String> {
    use egui::accesskit::Toggled;
    let boxes = stage.harness.query_all_by_label_contains("Compare ");
    let ticked = boxes.filter(|node| node.accesskit_node().toggled() == Some(Toggled::True));
    let mut names: Vec<String> = ticked
        .filter_map(|node| Some(node.accesskit_node().label()?.strip_prefix("Compare ")?.to_owned()))
        .collect();
    names.sort();
    names
}

const FOUR: [(&str, u64, f64); 4] = [("d", 3, 0.5), ("b", 1, 0.75), ("a", 2, 0.25), ("c", 10, 0.625)];

#[test]
fn a_click_on_a_head_sorts_and_a_second_one_turns_the_order_round() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    assert_eq!(shown(&stage), ["d", "b", "a", "c"], "the newest first");
    stage.expect("Sort by Written (UTC), falling");
    for (head, order) in [
        ("Sort by val main", ["b", "c", "d", "a"]),
        ("Sort by val main, falling", ["a", "d", "c", "b"]),
        ("Sort by Seed", ["b", "a", "d", "c"]),
        ("Sort by Run", ["a", "b", "c", "d"]),
        ("Sort by Run, rising", ["d", "c", "b", "a"]),
    ] {
        stage.click(head);
        assert_eq!(shown(&stage), order, "{head}");
    }
    stage.expect("Sort by Run, falling");
}

#[test]
fn the_filter_hides_what_does_not_fulfil_it_and_says_what_it_cannot_read() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    let write = |stage: &mut Stage, text: &str| {
        stage.window().views.runs.filter = text.into();
        stage.frames();
    };
    stage.harness.get_by_label("Filter runs").click();
    stage.harness.run_steps(2);
    stage.harness.get_by_label("Filter runs").type_text("val > 60");
    stage.frames();
    assert_eq!(shown(&stage), ["b", "c"]);
    stage.expect("2 of 4 runs");
    write(&mut stage, "val > 60 seed != 1");
    assert_eq!(shown(&stage), ["c"]);
    write(&mut stage, "val >");
    stage.expect("The filter cannot be read: a value is missing behind val >");
    assert_eq!(shown(&stage).len(), 4, "what cannot be read hides nothing");
    write(&mut stage, "val > 99");
    stage.expect("No run fulfils the filter");
    stage.click("Clear the filter");
    assert_eq!(shown(&stage).len(), 4);
}

#[test]
fn columns_are_chosen_and_kept() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    assert!(!stage.sees("Sort by Network"));
    stage.click("Columns");
    stage.click("Column Network");
    stage.expect("Sort by Network");
    stage.click("Column State");
    assert!(!stage.sees("Sort by State"));
    let kept = serde_json::to_string(&stage.window().views).expect("plain data");
    stage.click("As at first");
    assert!(stage.sees("Sort by State") && !stage.sees("Sort by Network"));
    stage.window().views = serde_json::from_str(&kept).expect("its own text");
    stage.frames();
    assert!(!stage.sees("Sort by State") && stage.sees("Sort by Network"));
}

#[test]
fn runs_are_chosen_one_by_one_in_ranges_and_all_at_once() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    stage.click("Compare d");
    stage.click("Compare a");
    assert_eq!(chosen(&stage), ["a", "d"]);
    click_with(&mut stage, "Compare c", Modifiers::SHIFT);
    assert_eq!(chosen(&stage), ["a", "c"], "from the last click on");
    stage.expect("2 chosen");
    // On the row itself, beside its box and name.
    let row = stage.harness.get_by_label("Compare b").rect();
    let pos = egui::pos2(row.left() + 300.0, row.center().y);
    stage.harness.event(egui::Event::PointerMoved(pos));
    for pressed in [true, false] {
        let (button, modifiers) = (egui::PointerButton::Primary, Modifiers::NONE);
        stage.harness.event(egui::Event::PointerButton { pos, button, pressed, modifiers });
    }
    stage.frames();
    assert_eq!(chosen(&stage), ["b"]);
    stage.window().views.runs.filter = "seed > 2".into();
    stage.frames();
    stage.click("All");
    stage.window().views.runs.filter.clear();
    stage.frames();
    assert_eq!(chosen(&stage), ["c", "d"]);
    stage.click("None");
    assert!(chosen(&stage).is_empty());
}

#[test]
fn what_differs_between_the_chosen_runs_is_told_key_by_key() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    let dir = stage.folder.path().join("b");
    let mut config = Config::default();
    (config.run.seed, config.optimizer.lr) = (1, 0.25);
    std::fs::write(dir.join("config.toml"), config.resolved_toml()).expect("writable");
    stage.click("Search again");
    stage.click("Differences");
    stage.expect("Choose two runs or more");
    stage.click("Compare a");
    stage.click("Compare b");
    stage.expect("2 keys differ between 2 runs");
    for text in ["optimizer.lr", "0.25", "run.seed"] {
        stage.expect(text);
    }
    assert!(!stage.sees("run.batch_size"), "it is the same");
    stage.click("Plot");
    assert!(!stage.sees("keys differ"));
    stage.expect("Compared runs plot");
}

/// New, grown and removed folders come and go without a click, as long as the pane is seen.
#[test]
fn the_list_follows_the_folders() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR[..2]);
    let parent = stage.folder.path().to_owned();
    stage.click("Compare b");
    write_run(&parent.join("new"), 7, 10, 0.875);
    wait_for_change(&mut stage, "87.5%");
    stage.expect("3 runs");
    write_run(&parent.join("d"), 3, 20, 0.9375);
    wait_for_change(&mut stage, "93.8%");
    std::fs::remove_dir_all(parent.join("b")).expect("there");
    wait_for_change(&mut stage, "2 runs");
    stage.expect("0 chosen");
}

/// Waits as long as a look at the folders may take to come.
fn wait_for_change(stage: &mut Stage, text: &str) {
    let begun = Instant::now();
    while !stage.sees(text) && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
        stage.frames();
    }
    stage.expect(text);
}

/// Two sweeps have runs of the same names.
#[test]
fn runs_of_one_name_are_told_apart_by_their_folders() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &[("one/first", 0, 0.5), ("one/second", 1, 0.5)]);
    assert_eq!(shown(&stage), ["first", "second"]);
    let other = stage.folder.path().join("two/first");
    write_run(&other, 2, 10, 0.5);
    stage.window().open_run(&other).expect("a run folder");
    stage.show(Pane::Runs);
    stage.click("Search again");
    let mut names = shown(&stage);
    names.sort();
    assert_eq!(names, ["one/first", "second", "two/first"]);
    stage.window().views.runs.beside = Beside::Curves;
    stage.window().views.runs.filter = "two".into();
    stage.frames();
    assert_eq!(shown(&stage), ["two/first"], "the filter finds it by its folder");
    stage.click("All");
    stage.expect("two/first 50.0%");
}

/// Only the rows in sight are laid out.
#[test]
fn a_long_list_costs_the_rows_in_sight() {
    let runs: Vec<(String, u64, f64)> = (0..300).map(|n| (format!("run-{n}"), n, 0.5)).collect();
    let runs: Vec<(&str, u64, f64)> = runs.iter().map(|(name, n, top1)| (name.as_str(), *n, *top1)).collect();
    let mut stage = with_runs(vec2(1280.0, 720.0), &runs);
    let rows = shown(&stage).len();
    assert!((5..60).contains(&rows), "{rows} rows");
    stage.click("Sort by Run");
    stage.click("Sort by Run, rising");
    assert_eq!(shown(&stage)[0], "run-299");
}

/// A search of many folders says how far it is, and ends where that is asked for.
#[test]
fn a_long_search_is_told_and_can_be_cancelled() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    assert!(!stage.sees("Cancel the search"));
    let runs = &mut stage.window().runs;
    runs.searching = true;
    runs.progress.total.store(1000, Ordering::Relaxed);
    runs.progress.done.store(250, Ordering::Relaxed);
    let progress = Arc::clone(&runs.progress);
    stage.frames();
    stage.expect("250 of 1\u{202f}000 read, ");
    stage.click("Cancel the search");
    assert!(progress.is_cancelled());
    assert!(!stage.sees("Cancel the search"));
    stage.window().runs.left_out = 750;
    stage.frames();
    stage.expect("750 older left out");
}

/// Writes `count` runs of `steps` steps into a folder.
fn many(folder: &Path, count: u64, steps: u64) -> PathBuf {
    for n in 0..count {
        write_run(&folder.join(format!("run-{n}")), n % 5, steps, 0.3 + 0.0005 * n as f64);
    }
    folder.join("run-0")
}

/// Prints what a list of many runs costs.
#[test]
#[ignore = "a measurement"]
fn measure_a_thousand_runs() {
    let mut stage = Stage::new();
    let parent = stage.folder.path().to_owned();
    let first = many(&parent, 1000, 200);
    stage.window().open_run(&first).expect("a run folder");
    let begun = Instant::now();
    stage.show(Pane::Runs);
    let mut frames = Vec::new();
    let mut frame = |stage: &mut Stage| {
        let begun = Instant::now();
        stage.harness.run_steps(1);
        frames.push(begun.elapsed());
    };
    wait_for_change(&mut stage, "1\u{202f}000 runs");
    println!("first listing: {:?}", begun.elapsed());
    let begun = Instant::now();
    stage.click("Search again");
    println!("refresh: {:?}", begun.elapsed());
    (0..50).for_each(|_| frame(&mut stage));
    frames.sort();
    println!("a frame: median {:?}, longest {:?}", frames[25], frames[49]);
    let begun = Instant::now();
    stage.window().views.runs.filter = "val > 50 advprop".into();
    stage.harness.run_steps(1);
    println!("a frame with another filter: {:?}", begun.elapsed());
}

/// What a user writes about a run is kept in its folder, and shown.
#[test]
fn a_run_has_a_name_notes_and_a_star() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    let files = RunFiles::of(stage.folder.path().join("b"));
    stage.click("Star b");
    stage.expect("Unstar b");
    assert!(RunNotes::load(&files).expect("written").starred);
    stage.click("Compare b");
    stage.click("Actions");
    stage.click("Rename and notes…");
    stage.harness.get_by_label("Name of the run").type_text("best of all");
    stage.frames();
    stage.harness.get_by_label("Notes of the run").click();
    stage.harness.run_steps(2);
    stage.harness.get_by_label("Notes of the run").type_text("with the larger ε");
    stage.frames();
    stage.click("Save");
    stage.expect("Compare best of all");
    let notes = RunNotes { name: "best of all".into(), notes: "with the larger ε".into(), starred: true };
    assert_eq!(RunNotes::load(&files).expect("written"), notes);
    for filter in ["starred = yes", "larger", "name = \"best of all\""] {
        stage.window().views.runs.filter = filter.into();
        stage.frames();
        assert_eq!(shown(&stage), ["best of all"], "{filter}");
    }
    stage.click("Search again");
    assert_eq!(shown(&stage), ["best of all"], "as it is read from the folder");

    // Damaged notes are told, and the star of a run does not replace them.
    std::fs::write(files.notes(), "{").expect("writable");
    stage.window().views.runs.filter.clear();
    stage.frames();
    stage.click("Search again");
    stage.expect("fault");
    stage.click("Star b");
    stage.expect("notes.json holds no notes of a run");
    assert_eq!(std::fs::read(files.notes()).expect("there"), b"{");
    stage.click("Actions");
    stage.click("Rename and notes…");
    stage.expect("To save replaces them");
    stage.click("Save");
    assert_eq!(RunNotes::load(&files).expect("written anew"), RunNotes::default());
}

#[test]
fn a_run_is_duplicated_into_the_set_up_and_that_can_be_undone() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    let before = stage.window().form.config().clone();
    stage.click("Compare c");
    stage.click("Actions");
    stage.click("Duplicate as set-up");
    stage.expect("Set up like ");
    assert_eq!(stage.window().form.config().run.seed, 10);
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::UndoSetUp);
    assert_eq!(*stage.window().form.config(), before);
}

/// A trash of the tests: a folder beside the runs.
fn to_the_side(dir: &Path) -> bool {
    let trash = dir.parent().expect("a folder of runs").join("trash");
    std::fs::create_dir_all(&trash).is_ok() && std::fs::rename(dir, trash.join("run")).is_ok()
}

#[test]
fn a_run_goes_to_the_trash_where_that_was_answered_and_never_one_at_work() {
    let mut stage = with_trash(to_the_side, &FOUR);
    let dir = stage.folder.path().join("b");
    let ask = |stage: &mut Stage| {
        stage.click("Actions");
        stage.click("Move to the trash…");
    };
    stage.click("Compare b");
    ask(&mut stage);
    stage.expect("Move b to the trash?");
    stage.expect(&dir.display().to_string());
    stage.harness.key_press(Key::Enter);
    stage.frames();
    assert!(dir.is_dir() && !stage.sees("Move b to the trash?"), "Enter keeps it");

    let config = Config::load(&dir.join("config.toml"), &[]).expect("valid");
    ask(&mut stage);
    let (run, _) = RunFolder::open(&dir, &config, true).expect("a run to resume");
    stage.click("Move to the trash");
    stage.expect("a program trains in ");
    assert!(dir.is_dir());
    drop(run);
    stage.click("Search again");
    ask(&mut stage);
    stage.click("Move to the trash");
    stage.expect("is in the system's trash");
    assert!(!dir.exists() && stage.folder.path().join("trash/run").is_dir());
    assert!(!shown(&stage).contains(&"b".to_owned()));
}

#[test]
fn without_a_trash_nothing_is_deleted() {
    let mut stage = with_trash(|_| false, &FOUR);
    for name in ["a", "c"] {
        stage.click(&format!("Compare {name}"));
    }
    stage.click("Actions");
    stage.click("Move to the trash…");
    stage.expect("Move 2 runs to the trash?");
    stage.click("Move to the trash");
    stage.expect("the system has no trash that takes it");
    assert!(["a", "c"].iter().all(|name| stage.folder.path().join(name).is_dir()));
}

/// What is shown goes to the clipboard or a file, figures for programs or for people.
#[test]
fn the_table_is_copied_and_saved_as_it_is_shown() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR[..2]);
    stage.window().views.runs.columns =
        [("state", false), ("date", false)].map(|(key, on)| (Column::from(key.to_owned()), on)).into();
    stage.frames();
    let copied = |stage: &mut Stage, item: &str| {
        stage.click("Export Runs");
        stage.harness.get_by_label(item).click();
        for _ in 0..6 {
            stage.harness.run_steps(1);
            let commands = &stage.harness.output().platform_output.commands;
            let text = commands.iter().find_map(|command| match command {
                egui::OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            });
            if let Some(text) = text {
                return text;
            }
        }
        panic!("nothing was copied");
    };
    let markdown = "| Run | Method | Seed | val main | Steps |\n| --- | --- | --: | --: | --: |\n\
                    | d | advprop | 3 | 50.0% | 10 |\n| b | advprop | 1 | 75.0% | 10 |\n";
    assert_eq!(copied(&mut stage, "Copy numbers (Markdown)"), markdown);
    let csv = "Run,Method,Seed,val main (%),Steps\nd,advprop,3,50,10\nb,advprop,1,75,10\n";
    assert_eq!(copied(&mut stage, "Copy numbers (CSV)"), csv);
    stage.click("Export Runs");
    stage.click("Numbers (Markdown)…");
    stage.expect("Save the numbers");
    let file = stage.folder.path().join("table.md");
    stage.harness.get_by_label("Path").focus();
    stage.harness.run_steps(1);
    stage.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    stage.harness.get_by_label("Path").type_text(&file.display().to_string());
    stage.frames();
    stage.click("Save");
    assert_eq!(std::fs::read_to_string(file).expect("written"), markdown);
}

/// The run that the cursor of the table is on, as a screen reader is told.
fn under_cursor(stage: &Stage) -> Option<String> {
    let rows = stage.harness.query_all_by_role(Role::Row);
    let row = rows.into_iter().find(|row| row.is_focused())?;
    let label = row.accesskit_node().label()?;
    label.split(',').next().map(str::to_owned)
}

fn press(stage: &mut Stage, key: Key, modifiers: Modifiers) {
    stage.harness.key_press_modifiers(modifiers, key);
    stage.frames();
}

#[test]
fn the_table_is_worked_with_by_keys() {
    let runs: Vec<(String, u64, f64)> = (10..60).map(|n| (format!("run-{n}"), n, 0.5)).collect();
    let runs: Vec<(&str, u64, f64)> = runs.iter().map(|(name, n, top1)| (name.as_str(), *n, *top1)).collect();
    let mut stage = with_runs(vec2(1280.0, 720.0), &runs);
    let to = |stage: &mut Stage, keys: &[Key]| {
        keys.iter().for_each(|key| press(stage, *key, Modifiers::NONE));
        under_cursor(stage).expect("the cursor is in sight")
    };
    // The filter is a stop of Tab, and the table the one behind all that is above it.
    stage.harness.get_by_label("Search again").focus();
    stage.frames();
    assert_eq!(to(&mut stage, &[Key::Tab]), "run-10");
    for (keys, run) in [
        (&[Key::ArrowDown, Key::ArrowDown][..], "run-12"),
        (&[Key::ArrowUp], "run-11"),
        (&[Key::ArrowUp, Key::ArrowUp], "run-10"),
        (&[Key::End], "run-59"),
        (&[Key::ArrowDown], "run-59"),
        (&[Key::Home], "run-10"),
    ] {
        assert_eq!(to(&mut stage, keys), run, "{keys:?}");
    }
    let page: u64 = to(&mut stage, &[Key::PageDown]).trim_start_matches("run-").parse().expect("a number");
    assert!((12..50).contains(&page), "a page down is run-{page}");
    assert_eq!(to(&mut stage, &[Key::PageUp]), "run-10");

    press(&mut stage, Key::Space, Modifiers::NONE);
    assert_eq!(chosen(&stage), ["run-10"]);
    press(&mut stage, Key::ArrowDown, Modifiers::SHIFT);
    press(&mut stage, Key::ArrowDown, Modifiers::SHIFT);
    assert_eq!(chosen(&stage), ["run-10", "run-11", "run-12"]);
    press(&mut stage, Key::Space, Modifiers::NONE);
    assert_eq!(chosen(&stage), ["run-10", "run-11"]);

    press(&mut stage, Key::Delete, Modifiers::NONE);
    stage.expect("Move run-12 to the trash?");
    press(&mut stage, Key::Enter, Modifiers::NONE);
    assert!(!stage.sees("to the trash?") && stage.folder.path().join("run-12").is_dir());
    let opened = stage.window().run.dir.clone();
    assert!(opened.is_some_and(|dir| dir.ends_with("run-10")), "Enter was the dialog's");
    stage.click("run-13");
    assert!(stage.window().run.dir.as_ref().is_some_and(|dir| dir.ends_with("run-13")));
}

/// The rows are one stop of Tab, to which the cursor comes back, and Enter opens its run.
#[test]
fn the_rows_are_one_stop_of_tab_and_enter_opens_a_run() {
    let mut stage = with_runs(vec2(1600.0, 900.0), &FOUR);
    stage.harness.get_by_label("Search again").focus();
    stage.frames();
    press(&mut stage, Key::Tab, Modifiers::NONE);
    press(&mut stage, Key::A, Modifiers::COMMAND);
    assert_eq!(chosen(&stage).len(), 4);
    press(&mut stage, Key::Tab, Modifiers::NONE);
    assert_eq!(under_cursor(&stage), None, "the rows are one stop");
    let heads: Vec<_> = stage.harness.query_all_by_label_contains("Sort by ").collect();
    assert!(heads.iter().any(|head| head.is_focused()), "the next one is a head of the table");
    drop(heads);
    press(&mut stage, Key::Tab, Modifiers::SHIFT);
    assert_eq!(under_cursor(&stage).as_deref(), Some("d"), "where it was");
    press(&mut stage, Key::ArrowDown, Modifiers::NONE);
    press(&mut stage, Key::Enter, Modifiers::NONE);
    assert!(stage.window().run.dir.as_ref().is_some_and(|dir| dir.ends_with("b")));
}
