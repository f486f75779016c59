//! Sets that people have already: CSV lists, WebDataset shards, Parquet files. The fixtures hold the same 20
//! pictures in each form, made by the tools that people make theirs with
//! (tests/reference/make_set_fixtures.py).

use super::{assert_mentions, message, ramp, save};
use dualprop::config::{Augmentation, DataConfig, DataSource};
use dualprop::data::{
    Batch, Dataset, Loader, LoaderOptions, Recipe, Splits, Views, open, open_part, open_validation, parts,
};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sets").join(name)
}

fn config(source: DataSource, path: &Path) -> DataConfig {
    DataConfig { source, path: path.display().to_string(), image_size: 16, ..Default::default() }
}

fn names(set: &dyn Dataset) -> Vec<String> {
    (0..set.len()).map(|i| set.name(i)).collect()
}

fn labels(set: &dyn Dataset) -> Vec<usize> {
    (0..set.len()).map(|i| set.label(i)).collect()
}

fn images(set: &dyn Dataset) -> Vec<Vec<u8>> {
    (0..set.len()).map(|i| set.load(i, 16).expect("an image")).collect()
}

/// Shuffled and augmented batches of two epochs.
fn batches(set: &Arc<dyn Dataset>, config: &DataConfig) -> Vec<Batch> {
    let config = DataConfig { augment: vec![Augmentation::Inception, Augmentation::Flip], ..config.clone() };
    let options = LoaderOptions {
        batch_size: 4,
        image_size: 16,
        shuffle: true,
        balanced: false,
        seed: 3,
        recipe: Recipe::from_config(&config),
        corrupting: None,
        views: Views::One { policy: true },
        start_step: 0,
        workers: 3,
    };
    let mut loader = Loader::start(Arc::clone(set), options).expect("a loader");
    (0..6).map(|_| loader.next().expect("a batch")).collect()
}

const FORMS: [(DataSource, &str); 6] = [
    (DataSource::Folder, "folder"),
    (DataSource::Csv, "folder"),
    (DataSource::Webdataset, "webdataset"),
    (DataSource::Webdataset, "webdataset-package"),
    (DataSource::Parquet, "parquet"),
    (DataSource::Parquet, "parquet-pyarrow"),
];

#[test]
fn every_form_of_a_set_gives_the_same_training_batches_bit_for_bit() {
    let mut first: Option<(Splits, Vec<Batch>)> = None;
    for (source, name) in FORMS {
        let config = config(source, &fixture(name));
        let splits = open(&config).expect(name);
        let made = batches(&splits.train, &config);
        assert_eq!(parts(&config).expect("parts")[..2], ["train", "val"], "{name}");
        let Some((folder, expected)) = &first else {
            assert_eq!((splits.train.len(), splits.val.len()), (12, 8));
            first = Some((splits, made));
            continue;
        };
        for (set, of_folder) in [(&splits.train, &folder.train), (&splits.val, &folder.val)] {
            assert_eq!(set.class_names(), of_folder.class_names(), "{name}");
            assert_eq!(labels(&**set), labels(&**of_folder), "{name}");
            assert!(images(&**set) == images(&**of_folder), "{name}");
        }
        assert!(made == *expected, "the batches of {name} are others than the folder's");
    }
}

#[test]
fn images_are_named_by_their_place_and_what_is_odd_is_said() {
    let of = |source, name: &str| open(&config(source, &fixture(name))).expect(name);
    assert_eq!(of(DataSource::Csv, "folder").train.name(3), "train/ant/3.png");
    let shards = of(DataSource::Webdataset, "webdataset");
    assert_eq!(shards.train.name(2), "train-000000.tar/0002.webp");
    let long = "a-folder-whose-name-is-longer-than-a-header-has-room-for/".repeat(3);
    assert_eq!(shards.train.name(7), format!("train-000001.tar/{long}0007.jpg"));
    assert_eq!(shards.val.name(1), format!("val-000000.tar/ünïcode-{}0001.jpg", "long".repeat(40)));
    let parquet = of(DataSource::Parquet, "parquet");
    assert_eq!(parquet.train.name(7), "data/train-00001-of-00002.parquet, row 1");
    assert_mentions(&parquet.notes().join("; "), &["those of the part validation"]);
    let pyarrow = of(DataSource::Parquet, "parquet-pyarrow");
    assert_eq!(pyarrow.train.name(3), "train.parquet, row 4");
    assert_mentions(&pyarrow.notes().join("; "), &["train: left out for want of a label: 1 image"]);
}

#[test]
fn another_source_is_named_where_the_folder_holds_its_files() {
    for (source, name) in FORMS.into_iter().skip(2) {
        let said = format!("expected \"{}\"", source.name());
        assert_mentions(
            &message(open(&config(DataSource::Folder, &fixture(name)))),
            &["`data.source`", &said],
        );
        let other = if source == DataSource::Csv { DataSource::Webdataset } else { DataSource::Csv };
        assert_mentions(&message(open(&config(other, &fixture(name)))), &["`data.source`", &said]);
    }
    let dir = tempdir().expect("a folder");
    for source in [DataSource::Csv, DataSource::Webdataset, DataSource::Parquet] {
        let text = message(open(&config(source, dir.path())));
        assert_mentions(&text, &["data.path", &dir.path().display().to_string(), "expected"]);
    }
    fs::write(dir.path().join("train-0.tar.gz"), "x").expect("a file");
    assert_mentions(
        &message(open(&config(DataSource::Webdataset, dir.path()))),
        &["train-0.tar.gz", "unpack"],
    );
}

/// A folder of images with a list beside it.
fn listed(files: &[&str], lists: &[(&str, &str)]) -> TempDir {
    let dir = tempdir().expect("a folder");
    for (number, file) in files.iter().enumerate() {
        save(&ramp(8, 8, number as u8), &dir.path().join(file));
    }
    for (name, text) in lists {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    dir
}

fn csv(dir: &TempDir) -> DataConfig {
    config(DataSource::Csv, dir.path())
}

#[test]
fn lists_are_read_as_people_write_them() {
    // Names without an ending, in `images`; semicolons; quotes; a mark of the byte order; further columns.
    let files = ["images/a.jpg", "images/b.jpg", "images/c, d.jpg", "images/e.jpg"];
    let text = "\u{feff}image_id;note;Category ID\r\na;x;10\r\nb;;9\r\n\"c, d\";\"y;z\";10\r\ne;;9\r\n";
    let dir = listed(&files, &[("labels.csv", text), ("sizes.csv", "a,b\n1,2\n")]);
    let splits = open(&DataConfig { val_share: 0.5, ..csv(&dir) }).expect("a set");
    assert_eq!(splits.train.class_names(), ["9", "10"]);
    let mut all = [names(&*splits.train), names(&*splits.val)].concat();
    all.sort();
    assert_eq!(all, ["a.jpg", "b.jpg", "c, d.jpg", "e.jpg"]);
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_mentions(&splits.notes().join("; "), &["2 of 4 images are held out", "no list val.csv"]);
    // The table of a competition: images in a folder of the list's name, no labels for the test.
    let dir = listed(
        &["train/1.png", "train/2.png", "test/3.png"],
        &[("train.csv", "id,label\n1,cat\n2,dog\n1,cat\n2,dog\n"), ("test.csv", "id\n3\n")],
    );
    let splits = open(&csv(&dir)).expect("a set");
    assert_eq!(splits.train.class_names(), ["cat", "dog"]);
    assert_eq!(parts(&csv(&dir)).expect("parts"), ["train", "val"]);
}

#[test]
fn faults_of_lists_name_file_and_line() {
    let files = ["a.png", "b.png"];
    let cases: [(&str, &[&str]); 13] = [
        ("", &["train.csv", "empty"]),
        ("path,label\n", &["train.csv", "no images"]),
        ("path,size\na.png,1\n", &["train.csv, line 1", "no column of labels", "\"size\""]),
        ("name_of_it,label\na.png,1\n", &["train.csv, line 1", "no column of images", "name_of_it"]),
        ("path,label\na.png,cat\nb.png\n", &["train.csv, line 3", "1 fields", "expected 2"]),
        ("path,label\na.png,cat\nb.png,\n", &["train.csv, line 3", "label is empty"]),
        ("path,label\n,cat\n", &["train.csv, line 2", "path is empty"]),
        ("path,label\n../../x.png,cat\n", &["train.csv, line 2", "../../x.png", "leads out"]),
        ("path,label\nimages/../../x.png,cat\n", &["train.csv, line 2", "leads out"]),
        ("path,label\n/etc/x.png,cat\n", &["train.csv, line 2", "leads out"]),
        ("path,label\nx.png,cat\n", &["train.csv, line 2", "no image x.png"]),
        ("path,label\na.png,c\0t\n", &["train.csv, line 2", "c\\0t"]),
        ("path\0label", &["train.csv", "no list"]),
    ];
    for (text, parts) in cases {
        let dir = listed(&files, &[("train.csv", text), ("val.csv", "path,label\na.png,cat\n")]);
        assert_mentions(&message(open_part(&csv(&dir), "train")), parts);
    }
    let dir = listed(&files, &[("train.csv", "path,label\na.png,1\n")]);
    fs::write(dir.path().join("train.csv"), b"path,label\na.png,\xff\n").expect("a file");
    assert_mentions(&message(open(&csv(&dir))), &["train.csv, line 2", "not UTF-8"]);
}

#[test]
fn a_part_that_lacks_a_class_keeps_the_numbers_of_training_and_one_too_many_is_named() {
    let files = ["a.png", "b.png", "c.png"];
    let train = "path,label\na.png,ant\nb.png,bee\nc.png,cat\n";
    let dir = listed(&files, &[("train.csv", train), ("val.csv", "path,label\nc.png,cat\na.png,ant\n")]);
    let splits = open(&csv(&dir)).expect("a set");
    assert_eq!((splits.val.class_names().len(), labels(&*splits.val)), (3, vec![2, 0]));
    assert_eq!(labels(&*open_validation(&csv(&dir)).expect("alone").0), [2, 0]);
    fs::write(dir.path().join("val.csv"), "path,label\nc.png,dog\n").expect("a file");
    assert_mentions(&message(open(&csv(&dir))), &["data.path", "val", "train does not have", "dog"]);
    // Names of numbers.
    fs::write(dir.path().join("classes.txt"), "zebra\n\ndog\n").expect("a file");
    fs::write(dir.path().join("train.csv"), "path,label\na.png,1\nb.png,0\n").expect("a file");
    let splits = open(&csv(&dir)).expect("a set");
    assert_eq!(splits.train.class_names(), ["zebra", "dog"]);
    assert_eq!((labels(&*splits.train), labels(&*splits.val)), (vec![1, 0], vec![1]));
    fs::write(dir.path().join("train.csv"), "path,label\na.png,1\nb.png,2\n").expect("a file");
    assert_mentions(&message(open(&csv(&dir))), &["\"2\"", "2 class names", "classes.txt"]);
}

#[test]
fn a_listed_image_that_is_not_there_is_damaged_and_named() {
    let dir = listed(&["a.png"], &[("train.csv", "path,label\na.png,1\nb.png,2\n")]);
    fs::write(dir.path().join("val.csv"), "path,label\na.png,1\n").expect("a file");
    let splits = open(&csv(&dir)).expect("a set");
    assert_mentions(&message(splits.train.load(1, 8)), &["there is no file", "b.png"]);
}

/// A tar header with these bytes as its size.
fn header(name: &str, size: &[u8], kind: u8) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..124 + size.len()].copy_from_slice(size);
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn member(name: &str, content: &[u8], kind: u8) -> Vec<u8> {
    let mut bytes = header(name, format!("{:011o}", content.len()).as_bytes(), kind);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A set with this shard for training, and another for validation.
fn shard(bytes: &[u8]) -> TempDir {
    let dir = tempdir().expect("a folder");
    fs::write(dir.path().join("train-0.tar"), bytes).expect("a file");
    fs::copy(fixture("webdataset/train-000000.tar"), dir.path().join("val-0.tar")).expect("a file");
    dir
}

#[test]
fn shards_that_lie_are_one_sentence_that_names_them() {
    let png = fs::read(fixture("folder/train/ant/0.png")).expect("an image");
    let good = [member("0.png", &png, b'0'), member("0.cls", b"1", b'0')].concat();
    let with = |more: Vec<u8>| [good.clone(), more].concat();
    let base_256 = |first: u8, rest: u8| [vec![first], vec![rest; 11]].concat();
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (vec![], &["is empty"]),
        (vec![0; 1024], &["no images"]),
        (b"no tar file at all".repeat(50), &["no header of a tar file"]),
        (good[..700].to_vec(), &["0.png", "cut off"]),
        (with(vec![1; 100]), &["cut off"]),
        (with(vec![1; 512]), &["no header", "damaged"]),
        (with(header("1.png", b"77777777777", b'0')), &["1.png", "8589934591 bytes", "0 are left"]),
        (with(header("1.png", &base_256(0xff, 0xff), b'0')), &["size is no number"]),
        (with(header("1.png", &base_256(0x80, 0xff), b'0')), &["size is no number"]),
        (with(header("1.png", &[&[0x80, 0, 0, 0][..], &[0x7f; 8]].concat(), b'0')), &["1.png", "are left"]),
        (with(header("1.png", b"-0000000001", b'0')), &["size is no number"]),
        (with(header("1.png", b"00000000009", b'0')), &["size is no number"]),
        (with(member("x", &[b'n'; 70_000], b'L')), &["a name of 70000 bytes"]),
        (with(member("x", b"long", b'L')), &["cut off in the middle of a member"]),
        (with(member("x", b"99 path=x\n", b'x')), &["pax header that is damaged"]),
        (with(member("x", b"20 size=-99999999999\n", b'x')), &["pax header"]),
        (with(member("x", b"12 size=-99\n", b'x')), &["pax header whose size is no number"]),
        (
            with([member("x", b"20 size=99999999999\n", b'x'), member("1.png", &png, b'0')].concat()),
            &["1.png", "99999999999 bytes"],
        ),
        (with(member("1.png", &png, b'S')), &["1.png", "sparse"]),
        (with([member("1.cls", &[b'x'; 2_000_000], b'0')].concat()), &["1.cls", "expected a label"]),
        (with([member("1.png", &png, b'0'), member("1.cls", b"\xff", b'0')].concat()), &["1.cls", "no name"]),
        (with([member("1.png", &png, b'0'), member("1.json", b"{", b'0')].concat()), &["1.json", "no JSON"]),
        (with([member("1.png", &png, b'0'), member("1.jpg", &png, b'0')].concat()), &["two images", "1.jpg"]),
        ([member("0.png", &png, b'0'), member("1.png", &png, b'0')].concat(), &["without labels"]),
        ([member("0.cls", b"1", b'0')].concat(), &["no images"]),
    ];
    for (bytes, expected) in cases {
        let dir = shard(&bytes);
        let text = message(open_part(&config(DataSource::Webdataset, dir.path()), "train"));
        assert_mentions(&text, expected);
        assert!(text.contains("train") && !text.contains('\n'), "{text}");
    }
}

#[test]
fn what_is_beside_the_images_of_a_shard_harms_nothing() {
    let png = fs::read(fixture("folder/train/ant/0.png")).expect("an image");
    let bytes = [
        member("folder/", b"", b'5'),
        member("readme", b"text", b'0'),
        member("g", b"11 mtime=1\n", b'g'),
        member("../../../0.PNG", &png, b'0'),
        member("../../../0.cls", b" cat\n", b'0'),
        member("link.png", b"", b'2'),
        member("1.cls", b"dog", 0),
        member("1.json", b"{\"label\": 7}", 0),
        member("1.png", &png, 0),
        member("2.json", b"{\"label\": 7}", b'0'),
        member("2.txt", b"a caption", b'0'),
        member("2.png", &png, b'0'),
        member("3.png", &png, b'0'),
    ];
    // Without the blocks of zeros at the end, too.
    for end in [vec![], vec![0; 512], vec![0; 10_240]] {
        let dir = shard(&[bytes.concat(), end].concat());
        let set = open_part(&config(DataSource::Webdataset, dir.path()), "train").expect("a set");
        assert_eq!(set.class_names(), ["7", "cat", "dog"]);
        assert_eq!((names(&*set)[0].as_str(), labels(&*set)), ("train-0.tar/../../../0.PNG", vec![1, 2, 0]));
        assert_mentions(&set.notes().join("; "), &["left out for want of a label: 1 image"]);
        assert!(images(&*set).windows(2).all(|pair| pair[0] == pair[1]));
    }
}

#[test]
fn a_damaged_image_of_a_shard_is_named_with_its_place() {
    let mut bytes = fs::read(fixture("webdataset/train-000000.tar")).expect("a shard");
    let magic: &[u8] = b"\x89PNG\r\n\x1a\n";
    let starts: Vec<usize> =
        (0..bytes.len() - magic.len()).filter(|at| bytes[*at..].starts_with(magic)).collect();
    bytes[starts[1] + 60..starts[1] + 80].fill(0);
    let dir = shard(&bytes);
    let set = open_part(&config(DataSource::Webdataset, dir.path()), "train").expect("a set");
    let failed: Vec<usize> = (0..set.len()).filter(|index| set.load(*index, 16).is_err()).collect();
    assert_eq!(failed, [3]);
    assert!(set.name(3).starts_with("train-0.tar/"), "{}", set.name(3));
    assert_mentions(&message(set.load(3, 16)), &["damaged"]);
}

#[test]
fn a_damaged_image_of_a_parquet_file_is_named_with_its_row() {
    let mut bytes = fs::read(fixture("parquet/data/train-00000-of-00002.parquet")).expect("a file");
    let magic: &[u8] = b"\x89PNG\r\n\x1a\n";
    let starts: Vec<usize> =
        (0..bytes.len() - magic.len()).filter(|at| bytes[*at..].starts_with(magic)).collect();
    bytes[starts[1] + 60..starts[1] + 80].fill(0);
    let dir = tempdir().expect("a folder");
    fs::write(dir.path().join("train.parquet"), &bytes).expect("a file");
    fs::write(dir.path().join("val.parquet"), &bytes).expect("a file");
    let set = open_part(&config(DataSource::Parquet, dir.path()), "train").expect("a set");
    let failed: Vec<usize> = (0..set.len()).filter(|index| set.load(*index, 16).is_err()).collect();
    assert_eq!(failed, [3]);
    assert_eq!(set.name(3), "train.parquet, row 3");
    assert_mentions(&message(set.load(3, 16)), &["damaged"]);
    assert_eq!(read_parquet(&bytes).expect("a file"), 5);
}

/// Opens a Parquet file of these bytes and reads all its images.
fn read_parquet(bytes: &[u8]) -> anyhow::Result<usize> {
    let dir = tempdir().expect("a folder");
    fs::write(dir.path().join("train.parquet"), bytes).expect("a file");
    fs::copy(fixture("parquet-pyarrow/val.parquet"), dir.path().join("val.parquet")).expect("a file");
    let set = open_part(&config(DataSource::Parquet, dir.path()), "train")?;
    Ok((0..set.len()).filter(|index| set.load(*index, 8).is_ok()).count())
}

#[test]
fn a_parquet_file_cut_anywhere_is_one_sentence() {
    for name in ["parquet/data/train-00000-of-00002.parquet", "parquet-pyarrow/val.parquet"] {
        let whole = fs::read(fixture(name)).expect("a file");
        for end in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            let text = message(read_parquet(&whole[..end]));
            assert_mentions(&text, &["train.parquet"]);
        }
        let mut no_footer = whole.clone();
        let at = whole.len() - 8;
        no_footer[at..at + 4].fill(0xff);
        assert_mentions(&message(read_parquet(&no_footer)), &["4294967295 bytes", "damaged"]);
        no_footer[at + 4..].copy_from_slice(b"PARE");
        assert_mentions(&message(read_parquet(&no_footer)), &["encrypted"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_parquet_file_with_bytes_changed_is_read_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        in_footer: bool,
        which: bool,
    ) {
        let name = if which { "parquet/data/train-00000-of-00002.parquet" } else { "parquet-pyarrow/val.parquet" };
        let mut bytes = fs::read(fixture(name)).expect("a file");
        let from = if in_footer { bytes.len() - 1500 } else { 0 };
        for (place, value) in changes {
            let place = from + place.index(bytes.len() - from);
            bytes[place] = value;
        }
        if let Err(error) = read_parquet(&bytes) {
            let text = format!("{error:#}");
            prop_assert!(text.contains("train"), "{}", text);
        }
    }

    #[test]
    fn a_shard_with_bytes_changed_is_read_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        end in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = fs::read(fixture("webdataset/train-000000.tar")).expect("a file");
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(bytes.len() - end.index(bytes.len() / 2));
        let dir = shard(&bytes);
        if let Ok(set) = open_part(&config(DataSource::Webdataset, dir.path()), "train") {
            for index in 0..set.len() {
                let _ = set.load(index, 8);
            }
        }
    }
}
