//! `data check` and `data fetch` as a shell sees them.

use super::server::{Answer, Server};
use super::{dualprop, fails, succeeds, text};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Two classes in two parts, every picture another.
fn sound(root: &Path) {
    for (i, place) in (0_u32..).zip(["train/ant", "train/bee", "val/ant", "val/bee"]) {
        let class = root.join("photos").join(place);
        fs::create_dir_all(&class).expect("writable");
        for k in 0..2 {
            let number = 3 + 2 * i + k;
            let picture = image::RgbImage::from_fn(48, 32, |x, y| {
                image::Rgb([(x * number % 251) as u8, (y * y * number % 241) as u8, (x * y / number) as u8])
            });
            picture.save(class.join(format!("{k}.png"))).expect("writable");
        }
    }
}

#[test]
fn check_exits_by_what_it_found_and_fix_by_what_is_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    sound(root);
    let said = succeeds(&["data", "check", "photos", "--image-size", "32"], root);
    assert!(
        said.contains("photos: 8 images") && said.contains("train: 4 images in 2 classes of 2"),
        "{said}"
    );
    assert!(said.contains("nothing was found"), "{said}");
    // Notes are no faults.
    let said = succeeds(&["data", "check", "photos"], root);
    assert!(said.contains("note: images whose shorter side is smaller"), "{said}");
    assert!(said.contains("and 3 more"), "{said}");
    fs::write(root.join("photos/train/ant/text.jpg"), "text").expect("writable");
    fs::copy(root.join("photos/val/bee/0.png"), root.join("photos/train/bee/9.png")).expect("writable");
    let output = dualprop(&["data", "check", "photos"], root);
    assert_eq!(output.status.code(), Some(1));
    let (said, fault) = (text(&output.stdout), text(&output.stderr));
    assert!(
        said.contains("  train/ant/text.jpg: its content is not a PNG") && said.contains("fault: "),
        "{said}"
    );
    assert!(fault.starts_with("dualprop: photos has faults: ") && fault.lines().count() == 1, "{fault}");
    let said = succeeds(&["data", "check", "photos", "--fix", "clean"], root);
    assert!(said.contains("left out: train/bee/9.png: val/bee/0.png has the same bytes"), "{said}");
    assert!(said.contains("clean: 8 images as before, 0 as RGB PNGs, 2 files left out"), "{said}");
    succeeds(&["data", "check", "clean"], root);
    // What a copy cannot mend.
    fs::remove_dir_all(root.join("clean")).expect("there is one");
    fs::remove_dir_all(root.join("photos/val/bee")).expect("there is one");
    let output = dualprop(&["data", "check", "photos", "--fix", "clean", "--json"], root);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("clean still has faults, which need a person: classes"));
    assert!(root.join("clean/train/bee/0.png").is_file());
}

#[test]
fn check_prints_one_json_value_with_every_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    sound(root);
    for i in 0..30 {
        fs::write(root.join(format!("photos/train/ant/{i:02}.jpg")), "text").expect("writable");
    }
    let output = dualprop(&["data", "check", "photos", "--json", "--fix", "clean"], root);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
    assert_eq!((&report["images"], &report["parts"][0]["classes"]["ant"]), (&38.into(), &32.into()));
    let finding =
        report["findings"].as_array().expect("a list").iter().find(|f| f["matter"] == "not_an_image");
    let finding = finding.expect("found");
    assert_eq!((&finding["count"], &finding["fault"]), (&30.into(), &true.into()));
    let items = finding["items"].as_array().expect("a list");
    assert_eq!((items.len(), &items[29]["path"]), (30, &"train/ant/29.jpg".into()));
    assert!(items[0]["reason"].as_str().expect("words").contains("is not a PNG"));
    assert_eq!(report["training_would_stop"], serde_json::json!([]));
    let fixed = &report["fixed"];
    assert_eq!((&fixed["copied"], fixed["changes"].as_array().map(Vec::len)), (&8.into(), Some(30)));
    assert_eq!(fixed["changes"][0]["written"], Value::Null);
}

#[test]
fn check_refuses_wrong_places_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    sound(root);
    assert!(fails(&["data", "check", "fotos"], 1, root).contains("there is no folder fotos"));
    assert!(
        fails(&["data", "check", "photos/val/ant/0.png"], 1, root).contains("is a file; expected a folder")
    );
    fs::create_dir(root.join("empty")).expect("writable");
    assert!(fails(&["data", "check", "empty"], 1, root).contains("no class folders with images"));
    let message = fails(&["data", "check", "photos", "--fix", "photos"], 2, root);
    assert!(message.contains("--fix: the folder photos is not empty"), "{message}");
    let message = fails(&["data", "check", "photos", "--fix", "photos/clean"], 2, root);
    assert!(message.contains("--fix: photos/clean lies in photos"), "{message}");
    assert!(fails(&["data", "check"], 2, root).contains("<DIR>"));
}

/// The last line on stderr of a command that must fail so.
fn fault(arguments: &[&str], code: i32, folder: &Path) -> String {
    let output = dualprop(arguments, folder);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    let last = said.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("dualprop: "), "{said}");
    last
}

#[test]
fn fetch_says_what_comes_and_waits_for_a_yes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let server = Server::start(&[], "\"v1\"", &[]);
    let arguments = ["data", "fetch", "fashion_mnist", "--mirror", &server.address];
    let output = dualprop(&arguments, root);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in ["licence: MIT", "github.com/zalandoresearch", "26.4 MB", "30.9 MB to download", "--yes"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(server.ranges().is_empty(), "nothing was asked for");
    assert_eq!(fs::read_dir(root).expect("readable").count(), 0, "nothing was written");
    let message = fault(&["data", "fetch", "cifar-10"], 2, root);
    assert!(message.contains("nearest is cifar10") && message.contains("imagenet-c"), "{message}");
    let message = fault(&["data", "fetch", "cifar10", "--mirror", "ftp://x"], 2, root);
    assert!(message.contains("--mirror") && message.contains("https://"), "{message}");
}

#[test]
fn fetch_that_fails_leaves_no_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let first = "train-images-idx3-ubyte.gz";
    let server =
        Server::start(&[(first, b"a page that says to log in")], "\"v1\"", &[Answer::Status(404, "")]);
    let fetch = ["data", "fetch", "fashion_mnist", "--yes", "--mirror", &server.address, "--out", "new/set"];
    let message = fault(&fetch, 1, root);
    assert!(message.contains(first) && message.contains("404: there is no such file"), "{message}");
    let message = fault(&[&fetch[..], &["--json"]].concat(), 1, root);
    assert!(message.contains("has 26 bytes, expected 26421880") && message.contains("--mirror"), "{message}");
    assert!(!root.join("new/set").exists());
    fs::create_dir_all(root.join("fashion_mnist/x")).expect("writable");
    let message = fault(&["data", "fetch", "fashion_mnist", "--yes"], 1, root);
    assert!(
        message.contains("the folder fashion_mnist is not empty") && message.contains("--out"),
        "{message}"
    );
}
