//! The page that compares runs: every figure is that of the rows it came from, what users wrote is text and
//! nothing else, the page is well-formed and needs no other file.

use dualprop::config::{Config, MethodKind};
use dualprop::evaluation::robustness::mce::ALEXNET;
use dualprop::report::Comparison;
use dualprop::training::checkpoint::{Checkpoint, FORMAT_VERSION, Meta};
use dualprop::training::run_folder::RunFiles;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a made-up run is.
struct Made<'a> {
    name: &'a str,
    kind: MethodKind,
    seed: u64,
    /// Top-1 on clean validation images and under attack, 0..1.
    top1: [f64; 2],
    rows: Vec<Value>,
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn run(folder: &Path, made: &Made<'_>) -> PathBuf {
    let dir = folder.join(made.name);
    std::fs::create_dir_all(dir.join("evaluation")).expect("writable");
    let files = RunFiles::of(&dir);
    let mut config = Config::default();
    config.run.seed = made.seed;
    config.run.batch_size = 8;
    config.run.name = made.name.to_owned();
    config.method.kind = made.kind;
    std::fs::write(files.config(), config.resolved_toml()).expect("writable");
    let train = |step: u64| {
        json!({"step": step, "epoch": step as f64 / 2.0, "split": "train", "branch": 0, "source": "clean",
            "domain": "main", "attack": null, "loss": 2.0 / step as f64, "top1": 0.5, "top5": 1.0, "lr": 0.1,
            "images_per_s": 16.0, "wall_s": step as f64 * 0.5})
    };
    let val = |step: u64, attack: Option<&str>, top1: f64| {
        json!({"step": step, "epoch": step as f64 / 2.0, "split": "val", "branch": null, "source": "clean",
            "domain": "main", "attack": attack, "loss": 1.0, "top1": top1, "top5": 1.0})
    };
    let attack = Some("fgsm:eps=2");
    let metrics = [
        train(1),
        train(2),
        val(2, None, 0.1),
        train(3),
        train(4),
        val(4, None, made.top1[0]),
        val(4, attack, made.top1[1]),
    ];
    std::fs::write(files.metrics(), lines(&metrics)).expect("writable");
    let bn = |layer: &str, distance: f64| json!({"step": 4, "layer": layer, "domain": "aux", "distance": distance});
    std::fs::write(files.bn_stats(), lines(&[bn("bn1", 0.25), bn("bn2", 0.75)])).expect("writable");
    std::fs::write(files.ended(), r#"{"how":"completed","step":4}"#).expect("writable");
    std::fs::write(dir.join("evaluation/rows.jsonl"), lines(&made.rows)).expect("writable");
    dir
}

fn row(domain: &str, corruption: Option<(&str, u8)>, top1: f64) -> Value {
    json!({"data": "shapes", "split": "val", "domain": domain, "statistics": "running", "attack": null,
        "corruption": corruption.map(|(name, _)| name), "severity": corruption.map(|(_, severity)| severity),
        "images": 400, "left_out": 0, "loss": 1.0, "top1": top1, "top5": 1.0})
}

/// Two seeds of vanilla and one AdvProp run, whose folder's name is markup.
fn compared() -> (tempfile::TempDir, Comparison) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fog = |top1| row("main", Some(("fog", 1)), top1);
    let snow = |top1| row("main", Some(("snow", 1)), top1);
    let mut of_fewer = row("main", None, 0.1);
    of_fewer["images"] = json!(10);
    let mut localised = row("aux", None, 0.5);
    localised["localisation"] = json!({"method": "cam", "class": "label", "energy": 0.625,
        "box_iou": null, "box_threshold": 0.2, "pointing": 0.5});
    let mut foggy = row("aux", Some(("fog", 1)), 0.5);
    foggy["localisation"] = json!({"method": "cam", "class": "label", "energy": 0.25, "box_iou": 0.5,
        "box_threshold": 0.2, "pointing": 0.5});
    let made = [
        Made {
            name: "vanilla-seed0",
            kind: MethodKind::Vanilla,
            seed: 0,
            top1: [0.7, 0.2],
            // Of two evaluations of the same images the one of more images counts.
            rows: vec![row("main", None, 0.71), fog(0.6), snow(0.5), of_fewer],
        },
        Made {
            name: "vanilla-seed1",
            kind: MethodKind::Vanilla,
            seed: 1,
            top1: [0.8, 0.3],
            rows: vec![row("main", None, 0.73), fog(0.4), snow(0.5)],
        },
        Made {
            name: "<i>&'\"adv",
            kind: MethodKind::Advprop,
            seed: 0,
            top1: [0.9, 0.4],
            // The extra corruption that the others lack counts for no mean.
            rows: vec![
                fog(0.75),
                snow(0.9),
                row("main", Some(("spatter", 1)), 0.0),
                localised,
                foggy,
                row("aux", Some(("snow", 1)), 0.5),
            ],
        },
    ];
    let dirs: Vec<PathBuf> = made.iter().map(|made| run(folder.path(), made)).collect();
    let comparison = Comparison::read(&dirs).expect("three runs");
    (folder, comparison)
}

/// An evaluation of a checkpoint, in a folder that is no run's, whose errors are AlexNet's.
fn evaluated_checkpoint(folder: &Path) -> PathBuf {
    let checkpoint = Checkpoint {
        meta: Meta {
            format_version: FORMAT_VERSION,
            arch: "resnet18".into(),
            classes: vec!["ant".into(), "bee".into()],
            domains: vec!["main".into()],
            image_size: 32,
            mean: [0.5; 3],
            std: [0.5; 3],
            config: String::new(),
            step: 7,
            epoch: 0.0,
        },
        tensors: BTreeMap::new(),
        loop_state: BTreeMap::new(),
    };
    let file = folder.join("net.safetensors");
    checkpoint.save_atomic(&file).expect("writable");
    let dir = folder.join("alexnet");
    std::fs::create_dir_all(&dir).expect("writable");
    let asked = json!({"checkpoint": file, "checksum": "crc32c:0", "data": "folder", "path": "nowhere"});
    std::fs::write(dir.join("evaluation.json"), asked.to_string()).expect("writable");
    let mut rows = vec![row("main", None, 0.56522)];
    for (name, errors) in ALEXNET {
        rows.extend(
            (1..).zip(errors).map(|(severity, error)| row("main", Some((name, severity)), 1.0 - error)),
        );
    }
    std::fs::write(dir.join("rows.jsonl"), lines(&rows)).expect("writable");
    dir
}

#[test]
fn an_evaluated_checkpoint_is_compared_as_a_run_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = evaluated_checkpoint(folder.path());
    let mut comparison = Comparison::read(std::slice::from_ref(&dir)).expect("an evaluation");
    let title = "Mean corruption error over AlexNet's";
    let has = |comparison: &Comparison| comparison.tables().iter().any(|table| table.title == title);
    assert!(!has(&comparison), "only where that is asked for");
    comparison.with_alexnet = true;
    assert!(has(&comparison));
    let json = comparison.json();
    for column in ["mCE", "relative mCE"] {
        let found = cell(&json, title, "alexnet", Some("main"), column);
        let mean = found["mean"].as_f64().unwrap_or_else(|| panic!("{column}: {found}"));
        assert!((mean - 100.0).abs() < 1e-4, "{column}: {mean}");
    }
    assert_eq!(json["groups"][0]["runs"][0]["steps"], 7);
    let page = comparison.page();
    assert!(page.contains("an evaluated checkpoint") && !page.contains("Cost of a step"));

    let other = folder.path().join("alexnet/more");
    std::fs::create_dir(&other).expect("writable");
    std::fs::write(other.join("evaluation.json"), r#"{"checksum": "crc32c:1"}"#).expect("writable");
    let refused = Comparison::read(std::slice::from_ref(&dir)).expect_err("two checkpoints").to_string();
    assert!(refused.contains("several checkpoints"), "{refused}");
    std::fs::remove_dir_all(&other).expect("there");
    std::fs::remove_file(folder.path().join("net.safetensors")).expect("there");
    let lost = format!("{:#}", Comparison::read(&[dir]).expect_err("no checkpoint"));
    assert!(lost.contains("net.safetensors"), "{lost}");
}

/// The text and the attributes of a page; fails where it is not well-formed.
fn parsed(page: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut reader = Reader::from_str(page);
    let (mut texts, mut attributes, mut open) = (vec![String::new()], Vec::new(), 0);
    loop {
        match reader.read_event().unwrap_or_else(|e| panic!("at byte {}: {e}", reader.error_position())) {
            Event::Eof => break,
            Event::Text(text) => texts.last_mut().expect("one").push_str(&text.decode().expect("UTF-8")),
            Event::GeneralRef(name) => {
                let name = name.decode().expect("UTF-8").into_owned();
                assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name.as_str()), "&{name};");
                texts.last_mut().expect("one").push_str(&format!("&{name};"));
            }
            event @ (Event::Start(_) | Event::Empty(_)) => {
                let is_start = matches!(event, Event::Start(_));
                let (Event::Start(tag) | Event::Empty(tag)) = event else { unreachable!("matched above") };
                assert_ne!(tag.name().as_ref(), b"script");
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("well-formed");
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
                    attributes.push((text(attribute.key.as_ref()), text(&attribute.value)));
                }
                open += i32::from(is_start);
                texts.push(String::new());
            }
            Event::End(_) => {
                open -= 1;
                texts.push(String::new());
            }
            _ => {}
        }
    }
    assert_eq!(open, 0, "every element is closed");
    (texts, attributes)
}

#[test]
fn the_page_is_well_formed_escapes_names_and_fetches_nothing() {
    let (_folder, comparison) = compared();
    let page = comparison.page();
    let (texts, attributes) = parsed(&page);
    assert!(!page.contains("<i>"), "a folder's name is no markup");
    assert!(texts.iter().any(|text| text.contains("&lt;i&gt;&amp;&#39;&quot;adv")));
    for outside in ["http:", "https:", "url(", "@import", "<link", "<script", "javascript:"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for (key, value) in &attributes {
        let is_reference = ["src", "href", "xlink:href", "srcset", "data", "poster"].contains(&key.as_str());
        assert!(!is_reference || value.starts_with("data:"), "{key} = {value}");
        assert!(!key.starts_with("on"), "{key} = {value}");
    }
    // Each chart says in words what it shows.
    let charts = page.matches("<figure>").count();
    assert!(charts >= 3, "{charts} charts");
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), charts);
    assert!(page.contains("Not measured."), "no maps were asked for");
}

/// The cell of a table in the JSON object.
fn cell(json: &Value, title: &str, group: &str, domain: Option<&str>, column: &str) -> Value {
    let tables = json["tables"].as_array().expect("a list");
    let table =
        tables.iter().find(|table| table["title"] == title).unwrap_or_else(|| panic!("{title}: {json}"));
    let columns = table["columns"].as_array().expect("a list");
    let place =
        columns.iter().position(|name| name == column).unwrap_or_else(|| panic!("{column}: {columns:?}"));
    let rows = table["rows"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["group"] == group && row["domain"] == json!(domain)).expect("a row");
    row["cells"][place].clone()
}

#[test]
fn every_figure_is_that_of_its_rows() {
    let (_folder, comparison) = compared();
    let json = comparison.json();
    let page = comparison.page();
    let adv = "<i>&'\"adv";
    let expect = |cell: Value, values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        assert!((cell["mean"].as_f64().expect("a number") - mean).abs() < 1e-4, "{cell} for {values:?}");
        assert_eq!(cell["n"], values.len(), "{cell}");
        match cell["spread"].as_f64() {
            Some(spread) => {
                assert!((spread - (squares / (n - 1.0)).sqrt()).abs() < 1e-4, "{cell} for {values:?}")
            }
            None => assert_eq!(values.len(), 1, "{cell}"),
        }
    };
    let validated = "Accuracy by the runs' last validation";
    let main = Some("main");
    expect(cell(&json, validated, "vanilla", main, "val clean"), &[70.0, 80.0]);
    expect(cell(&json, validated, "vanilla", main, "val under fgsm:eps=2"), &[20.0, 30.0]);
    expect(cell(&json, validated, adv, main, "val clean"), &[90.0]);
    assert!(page.contains("<td>75.0 ± 7.1 <span class=\"n\">n = 2</span></td>"));
    assert!(page.contains("<td>90.0 <span class=\"n\">n = 1</span></td>"));

    let evaluated = "Accuracy by evaluation";
    let clean = "shapes:val clean, 400 images";
    expect(cell(&json, evaluated, "vanilla", main, clean), &[71.0, 73.0]);
    expect(cell(&json, evaluated, adv, Some("aux"), clean), &[50.0]);
    assert_eq!(cell(&json, evaluated, adv, main, clean), Value::Null);
    assert!(page.contains("<td class=\"absent\">not measured</td>"));

    // Fog costs vanilla 40 and 60 percent, snow 50 and 50: over the seeds 50 each.
    let corrupted = "Corrupted images";
    expect(cell(&json, corrupted, "vanilla", main, "mean corruption error"), &[45.0, 55.0]);
    expect(cell(&json, corrupted, adv, main, "mean corruption error"), &[17.5]);
    expect(cell(&json, corrupted, "vanilla", main, "mCE, normalised by vanilla"), &[90.0, 110.0]);
    expect(cell(&json, corrupted, adv, main, "mCE, normalised by vanilla"), &[(50.0 + 20.0) / 2.0]);
    assert!(page.contains("of the 2 corruptions at severity 1 that all runs have measured"));
    expect(cell(&json, "Error by corruption", adv, main, "fog"), &[25.0]);
    let markdown = comparison.markdown();
    let row = "| vanilla | main | 50.0 ± 7.1 | 100.0 ± 14.1 |";
    assert!(markdown.contains(row), "{markdown}");
    assert!(markdown.contains("| \\<i>&'\"adv | main | 17.5 (n = 1) | 35.0 (n = 1) |"), "{markdown}");

    let on = "cam, shapes:val clean";
    expect(cell(&json, "Localisation", adv, Some("aux"), &format!("energy on the object, {on}")), &[62.5]);
    assert_eq!(cell(&json, "Localisation", adv, Some("aux"), &format!("box overlap, {on}")), Value::Null);
    let on = "cam, shapes:val corrupted";
    expect(cell(&json, "Localisation", adv, Some("aux"), &format!("energy on the object, {on}")), &[25.0]);
    expect(cell(&json, "Distance of the BN domains", "vanilla", None, "aux"), &[0.5, 0.5]);
    expect(cell(&json, "Cost of a step", "vanilla", None, "passes"), &[1.0, 1.0]);
    expect(cell(&json, "Cost of a step", adv, None, "passes"), &[3.0]);
    expect(cell(&json, "Measured time", adv, None, "a step"), &[0.5]);
    expect(cell(&json, "Measured time", "vanilla", None, "training"), &[2.0, 2.0]);
    assert_eq!(json["differences"], json!({"method.kind": {"vanilla": "\"vanilla\"", adv: "\"advprop\""}}));
}

#[test]
fn a_folder_that_is_no_run_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fault = Comparison::read(&[folder.path().to_owned()]).expect_err("an empty folder").to_string();
    assert!(fault.contains("is no run folder") && fault.contains("metrics.jsonl"), "{fault}");
    std::fs::write(folder.path().join("sweep.toml"), "base = \"base.toml\"\n").expect("writable");
    let fault = Comparison::read(&[folder.path().to_owned()]).expect_err("a sweep without runs").to_string();
    assert!(fault.contains("has not begun"), "{fault}");
}
