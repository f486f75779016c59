//! Image folders of any size: the list kept between runs, class lists, limits, further evaluation splits.

use super::{assert_mentions, message, ramp, save};
use dualprop::config::{DataConfig, DataSource};
use dualprop::data::{Dataset, Folder, FolderIndex, open, open_validation};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::{TempDir, tempdir};

fn names(set: &dyn Dataset) -> Vec<String> {
    (0..set.len()).map(|i| set.name(i)).collect()
}

/// A folder with the files named, all empty, and every folder an hour old.
fn tree(files: &[&str]) -> TempDir {
    let dir = tempdir().expect("a folder");
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, "").expect("a file");
    }
    for split in fs::read_dir(dir.path()).expect("a folder") {
        for class in fs::read_dir(split.expect("an entry").path()).expect("a folder") {
            age(&class.expect("an entry").path());
        }
    }
    dir
}

/// Makes a folder an hour old.
fn age(dir: &Path) {
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::open(dir).and_then(|folder| folder.set_modified(hour_ago)).expect("a folder's time");
}

/// The train split's files and how often progress was heard.
fn listed(root: &Path, index: &FolderIndex) -> (Vec<String>, usize) {
    let mut heard = 0;
    let folder = Folder::open(root, "train", Some(index), |done, total| {
        heard += 1;
        assert!(done == heard && done <= total);
    });
    (names(&folder.expect("a split")), heard)
}

#[test]
fn unchanged_folders_are_read_from_the_kept_list_and_changed_ones_again() {
    let dir = tree(&["train/b/1.png", "train/b/0.jpg", "train/a/x.webp"]);
    let cache = tempdir().expect("a folder");
    let index = FolderIndex { dir: cache.path().join("new"), least_files: 3 };
    let first = ["a/x.webp", "b/0.jpg", "b/1.png"].map(String::from).to_vec();
    assert_eq!(listed(dir.path(), &index), (first.clone(), 2));
    // A file that comes without a trace shows that the list is believed.
    let late = dir.path().join("train/a/late.png");
    fs::write(&late, "").expect("a file");
    age(&dir.path().join("train/a"));
    assert_eq!(listed(dir.path(), &index).0.len(), 4, "the folder's time has changed: it must be read");
    let kept = File::open(dir.path().join("train/a")).and_then(|f| f.metadata()?.modified()).expect("a time");
    fs::remove_file(&late).expect("the file");
    File::open(dir.path().join("train/a")).and_then(|f| f.set_modified(kept)).expect("a time");
    assert_eq!(listed(dir.path(), &index).0.len(), 4, "the list was not believed");
    // With its time as it is now the folder is read.
    age(&dir.path().join("train/a"));
    assert_eq!(listed(dir.path(), &index).0, first);
    // New and vanished classes.
    fs::rename(dir.path().join("train/a"), dir.path().join("train/c")).expect("a folder");
    assert_eq!(listed(dir.path(), &index).0, ["b/0.jpg", "b/1.png", "c/x.webp"]);
    fs::remove_dir_all(dir.path().join("train/b")).expect("a folder");
    assert_eq!(listed(dir.path(), &index).0, ["c/x.webp"]);
}

#[test]
fn a_folder_changed_a_moment_ago_is_not_believed() {
    let dir = tree(&["train/a/1.png", "train/a/2.png"]);
    let cache = tempdir().expect("a folder");
    let index = FolderIndex { dir: cache.path().to_owned(), least_files: 0 };
    let class = dir.path().join("train/a");
    let now = SystemTime::now();
    let pretend = || File::open(&class).and_then(|folder| folder.set_modified(now)).expect("a time");
    pretend();
    assert_eq!(listed(dir.path(), &index).0.len(), 2);
    // A second change within the same tick of the clock.
    fs::write(class.join("3.png"), "").expect("a file");
    pretend();
    assert_eq!(listed(dir.path(), &index).0.len(), 3);
}

#[test]
fn a_damaged_list_or_a_closed_cache_only_costs_time() {
    let dir = tree(&["train/a/1.png", "train/b/2.png"]);
    let cache = tempdir().expect("a folder");
    let index = FolderIndex { dir: cache.path().to_owned(), least_files: 0 };
    let all = listed(dir.path(), &index).0;
    let file = fs::read_dir(cache.path()).expect("a folder").next().expect("a file").expect("a file").path();
    let whole = fs::read(&file).expect("the list");
    for i in 0..whole.len() {
        let mut broken = whole.clone();
        broken[i] ^= 4;
        fs::write(&file, &broken).expect("a file");
        assert_eq!(listed(dir.path(), &index).0, all, "byte {i}");
        fs::write(&file, &whole[..i]).expect("a file");
        assert_eq!(listed(dir.path(), &index).0, all, "cut at {i}");
    }
    let closed = FolderIndex { dir: file, least_files: 0 };
    assert_eq!(listed(dir.path(), &closed).0, all);
    // Small sets are not kept.
    let other = tempdir().expect("a folder");
    listed(dir.path(), &FolderIndex { dir: other.path().to_owned(), least_files: 3 });
    assert_eq!(fs::read_dir(other.path()).expect("a folder").count(), 0);
}

#[test]
fn two_folders_have_two_lists() {
    let (one, two) = (tree(&["train/a/1.png"]), tree(&["train/a/2.png"]));
    let cache = tempdir().expect("a folder");
    let index = FolderIndex { dir: cache.path().to_owned(), least_files: 0 };
    for _ in 0..2 {
        assert_eq!(listed(one.path(), &index).0, ["a/1.png"]);
        assert_eq!(listed(two.path(), &index).0, ["a/2.png"]);
    }
    assert_eq!(fs::read_dir(cache.path()).expect("a folder").count(), 2);
}

/// Three classes with three training images each, told apart by their blue.
fn pictures() -> TempDir {
    let dir = tempdir().expect("a folder");
    for (k, class) in ["ant", "bee", "cat"].iter().enumerate() {
        for i in 0..3u8 {
            let blue = k as u8 * 10 + i;
            save(&ramp(8, 8, blue), &dir.path().join(format!("train/{class}/{i}.png")));
        }
        save(&ramp(8, 8, 100 + k as u8), &dir.path().join(format!("val/{class}/v.png")));
    }
    dir
}

fn folder(dir: &TempDir) -> DataConfig {
    let path = dir.path().display().to_string();
    DataConfig { source: DataSource::Folder, path, image_size: 8, ..Default::default() }
}

fn with_classes(dir: &TempDir, text: &str) -> DataConfig {
    let file = dir.path().join("classes.txt");
    fs::write(&file, text).expect("a file");
    DataConfig { classes_file: file.display().to_string(), ..folder(dir) }
}

#[test]
fn a_class_list_leaves_only_its_classes_in_sorted_order() {
    let dir = pictures();
    save(&ramp(8, 8, 200), &dir.path().join("val-odd/bee/o.png"));
    save(&ramp(8, 8, 201), &dir.path().join("val-odd/cat/o.png"));
    let splits = open(&with_classes(&dir, "# two of three\ncat\n\n  ant  \n")).expect("a data set");
    for set in [&splits.train, &splits.val, &splits.extra[0].1] {
        assert_eq!(set.class_names(), ["ant", "cat"]);
    }
    assert_eq!(splits.train.len(), 6);
    for i in 0..6 {
        let blue = splits.train.load(i, 8).expect("an image")[2];
        assert_eq!(usize::from(blue), [0, 1, 2, 20, 21, 22][i]);
        assert_eq!(splits.train.decode(i, 8).expect("an image").width(), 8);
        assert_eq!(splits.train.label(i), i / 3);
    }
    assert_eq!(names(&*splits.val), ["ant/v.png", "cat/v.png"]);
    assert_eq!((names(&*splits.extra[0].1), splits.extra[0].1.label(0)), (vec!["cat/o.png".to_owned()], 1));
    let limits = DataConfig { class_limit: 2, train_limit: 3, ..with_classes(&dir, "cat\nbee") };
    let splits = open(&limits).expect("a data set");
    assert_eq!(names(&*splits.train), ["bee/0.png", "bee/1.png", "cat/0.png"]);
    assert_eq!(splits.val.len(), 2, "the limits are the training set's");
}

#[test]
fn class_lists_work_for_every_source() {
    let dir = tempdir().expect("a folder");
    let file = dir.path().join("classes.txt");
    let all = open(&DataConfig::default()).expect("the built-in set");
    let names = all.train.class_names();
    fs::write(&file, format!("{}\n{}\n", names[7], names[2])).expect("a file");
    let config =
        DataConfig { classes_file: file.display().to_string(), class_limit: 30, ..Default::default() };
    let splits = open(&config).expect("the built-in set");
    assert_eq!((splits.train.len(), splits.val.len(), splits.extra[0].1.len()), (60, 200, 200));
    let mut sorted = [names[7].clone(), names[2].clone()];
    sorted.sort();
    assert_eq!(splits.train.class_names(), sorted);
    for i in 0..60 {
        let original: usize = splits.train.name(i)[6..].parse().expect("a number");
        assert_eq!(splits.train.class_names()[splits.train.label(i)], names[all.train.label(original)]);
    }
}

#[test]
fn faults_of_class_lists_are_named() {
    let dir = pictures();
    let fault = |text: &str| message(open(&with_classes(&dir, text)));
    assert_mentions(&fault("ant\ndog\nemu\n"), &["data.classes_file", "classes.txt", "dog, emu"]);
    assert_mentions(&fault("ant\nbee\nant\n"), &["data.classes_file", "ant twice"]);
    assert_mentions(&fault("ant\n"), &["data.classes_file", "1 classes", "at least 2"]);
    // The built-in list is found from any folder; these classes are not its.
    let own = DataConfig { classes_file: "imagenet100".into(), ..folder(&dir) };
    assert_mentions(&message(open(&own)), &["imagenet100 names classes", "n01440764"]);
    let gone = DataConfig { classes_file: "gone.txt".into(), ..folder(&dir) };
    assert_mentions(&message(open(&gone)), &["data.classes_file", "gone.txt"]);
    fs::remove_dir_all(dir.path().join("val/bee")).expect("a folder");
    assert_mentions(&fault("ant\nbee\n"), &["data.classes_file", "validation set", "bee"]);
    assert!(open(&with_classes(&dir, "ant\ncat\n")).is_ok(), "classes outside the list do not count");
}

#[test]
fn further_splits_of_a_folder_are_evaluated_under_the_numbers_of_val() {
    let dir = pictures();
    save(&ramp(8, 8, 1), &dir.path().join("val-stylized/cat/1.png"));
    save(&ramp(8, 8, 1), &dir.path().join("val-a/bee/1.png"));
    save(&ramp(8, 8, 1), &dir.path().join("validate/bee/1.png"));
    fs::write(dir.path().join("val-notes.txt"), "").expect("a file");
    let (_, extra) = open_validation(&folder(&dir)).expect("a data set");
    let found: Vec<_> = extra.iter().map(|(name, set)| (name.as_str(), set.len(), set.label(0))).collect();
    assert_eq!(found, [("val-a", 1, 1), ("val-stylized", 1, 2)]);
    assert!(extra.iter().all(|(_, set)| set.class_names() == ["ant", "bee", "cat"]));
    save(&ramp(8, 8, 1), &dir.path().join("val-a/dog/1.png"));
    assert_mentions(&message(open(&folder(&dir))), &["data.path", "val-a", "dog"]);
}

#[test]
fn a_class_is_all_that_is_below_its_folder_and_what_is_left_out_is_counted() {
    let dir = tree(&[
        "train/a/1.png",
        "train/a/deep/er/2.JPG",
        "train/a/deep/0.jfif",
        "train/a/b.gif",
        "train/a/notes.txt",
        "train/a/photo.heic",
        "train/a/deep/photo.HEIC",
        "train/a/README",
        // What systems leave behind counts for nothing.
        "train/a/.DS_Store",
        "train/a/._1.png",
        "train/a/Thumbs.db",
        "train/a/@eaDir/1.png/thumb.jpg",
        "train/__MACOSX/a/1.png",
        "train/.ipynb_checkpoints/1.png",
    ]);
    let cache = tempdir().expect("a folder");
    let index = FolderIndex { dir: cache.path().to_owned(), least_files: 1 };
    // Twice: by the walk, and by what was kept of it.
    for _ in 0..2 {
        let set = Folder::open(dir.path(), "train", Some(&index), |_, _| {}).expect("a split");
        assert_eq!(set.class_names(), ["a"]);
        assert_eq!(names(&set), ["a/1.png", "a/b.gif", "a/deep/0.jfif", "a/deep/er/2.JPG"]);
        assert_eq!(set.notes(), ["train: 4 files are left out: 2 .heic, 1 .txt, 1 without an ending"]);
    }
    // A flat folder is believed with its count.
    let flat = tree(&["train/a/1.png", "train/a/x.avif"]);
    for _ in 0..2 {
        let set = Folder::open(flat.path(), "train", Some(&index), |_, _| {}).expect("a split");
        assert_eq!(set.notes(), ["train: 1 file is left out: 1 .avif"]);
    }
    let none = tree(&["train/a/x.heic"]);
    let text = message(Folder::open(none.path(), "train", None, |_, _| {}));
    assert_mentions(&text, &["hold no images", ".tiff", "1 file is left out: 1 .heic"]);
}

#[cfg(unix)]
#[test]
fn a_link_back_to_a_folder_above_ends_the_way_and_odd_names_stop_nothing() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tree(&["train/a/deep/1.png"]);
    let deep = dir.path().join("train/a/deep");
    std::os::unix::fs::symlink(dir.path().join("train/a"), deep.join("back")).expect("a link");
    fs::write(deep.join(std::ffi::OsStr::from_bytes(b"\xff.png")), "").expect("a file");
    fs::write(dir.path().join("train").join(std::ffi::OsStr::from_bytes(b"\xfe.txt")), "").expect("a file");
    let set = Folder::open(dir.path(), "train", None, |_, _| {}).expect("a split");
    assert_eq!(names(&set), ["a/deep/1.png"]);
    assert_mentions(&set.notes()[0], &["1 with a name that is not valid UTF-8"]);
}

#[test]
fn class_names_that_look_equal_are_one_class_in_two_splits_and_said_in_one() {
    let dir = tempdir().expect("a folder");
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    for (split, name) in [("train", composed), ("val", decomposed), ("val-odd", decomposed)] {
        save(&ramp(8, 8, 1), &dir.path().join(split).join(name).join("x.png"));
        save(&ramp(8, 8, 2), &dir.path().join(split).join("cafz").join("x.png"));
    }
    let splits = open(&folder(&dir)).expect("a data set");
    // Bytewise, the decomposed name stands before `cafz` and the composed one behind it.
    assert_eq!(splits.train.class_names(), ["cafz", composed]);
    for set in [&splits.val, &splits.extra[0].1] {
        assert_eq!(set.class_names(), ["cafz", composed]);
        assert_eq!((set.name(0), set.label(0)), (format!("{decomposed}/x.png"), 1));
    }
    for other in ["Cafz", "cafz "] {
        save(&ramp(8, 8, 3), &dir.path().join("train").join(other).join("x.png"));
        let set = Folder::open(dir.path(), "train", None, |_, _| {}).expect("a split");
        assert_mentions(&set.notes()[0], &["look alike", "cafz", other]);
        fs::remove_dir_all(dir.path().join("train").join(other)).expect("a folder");
    }
}
