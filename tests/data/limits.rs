//! Files that are none: pipes that nobody writes to, devices without an end, links in circles, files of
//! terabytes that hold nothing, headers that ask for gigabytes, and what vanishes between the listing and the
//! reading. Each is one sentence; none is waited for.

use super::{assert_mentions, message};
use dualprop::config::{Config, DataConfig, DataSource, Interpolation};
use dualprop::data::{CorruptedFiles, CorruptedKind, FileCell, Folder, Framing, load_image_file, open_part};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// A fixture's file.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sets").join(name)
}

/// A set with the file `name` in place of the one that reading it begins with.
struct Set {
    source: DataSource,
    part: &'static str,
    /// The file that is put there by the tests.
    name: &'static str,
    /// Files that the set needs beside it, from the fixtures.
    beside: &'static [(&'static str, &'static str)],
}

const SETS: [Set; 7] = [
    Set { source: DataSource::Cifar10, part: "val", name: "test_batch.bin", beside: &[] },
    Set { source: DataSource::Cifar100, part: "val", name: "fine_label_names.txt", beside: &[] },
    Set { source: DataSource::FashionMnist, part: "val", name: "t10k-images-idx3-ubyte", beside: &[] },
    Set {
        source: DataSource::Csv,
        part: "train",
        name: "train.csv",
        beside: &[("val.csv", "folder/val.csv")],
    },
    Set {
        source: DataSource::Csv,
        part: "train",
        name: "classes.txt",
        beside: &[("train.csv", "folder/train.csv"), ("val.csv", "folder/val.csv")],
    },
    Set {
        source: DataSource::Webdataset,
        part: "train",
        name: "train-0.tar",
        beside: &[("val-0.tar", "webdataset/val-000000.tar")],
    },
    Set {
        source: DataSource::Parquet,
        part: "train",
        name: "train.parquet",
        beside: &[("val.parquet", "parquet-pyarrow/val.parquet")],
    },
];

impl Set {
    /// What opening the set says where `make` has made its file.
    fn fault(&self, make: impl FnOnce(&Path)) -> String {
        let dir = tempdir().expect("a folder");
        for (name, from) in self.beside {
            fs::copy(fixture(from), dir.path().join(name)).expect("a file");
        }
        make(&dir.path().join(self.name));
        let path = dir.path().to_str().expect("UTF-8").to_owned();
        let (source, part) = (self.source, self.part);
        ends(move || message(open_part(&DataConfig { source, path, ..DataConfig::default() }, part)))
    }
}

/// What `work` gives; fails where it waits for something that never comes.
fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(work()));
    told.recv_timeout(Duration::from_secs(120)).expect("it ends")
}

/// A file of so many bytes that takes no room on the disk.
fn sparse(path: &Path, bytes: u64) {
    File::create(path).and_then(|file| file.set_len(bytes)).expect("a file system with sparse files");
}

fn image(path: &Path) -> String {
    let path = path.to_owned();
    ends(move || message(load_image_file(&path, 16, Framing::default())))
}

#[cfg(target_os = "linux")]
fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, mknodat};
    mknodat(CWD, path, FileType::Fifo, 0o600.into(), 0).expect("a pipe");
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_devices_are_refused_and_not_waited_for() {
    let endless = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).expect("a link");
    let folder = |path: &Path| fs::create_dir(path).expect("a folder");
    for set in &SETS {
        let said = [set.fault(pipe), set.fault(endless), set.fault(folder)];
        for (said, what) in said.iter().zip(["a pipe, a socket", "a pipe, a socket", "is a folder"]) {
            // What is found by its ending is a file, or it is none of the set's.
            let is_missed = set.part == "train" && said.contains("there is no part \"train\"");
            assert!(is_missed || (said.contains(set.name) && said.contains(what)), "{}: {said}", set.name);
        }
    }
    let dir = tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("train/ant")).expect("a folder");
    pipe(&path("train/ant/0.png"));
    std::os::unix::fs::symlink("/dev/zero", path("train/ant/1.png")).expect("a link");
    let set = Folder::open(dir.path(), "train", None, |_, _| ()).expect("a folder with two names");
    use dualprop::data::Dataset as _;
    for index in 0..2 {
        let path = path("train/ant").join(format!("{index}.png"));
        assert_mentions(&image(&path), &["a pipe, a socket or a device"]);
        assert_mentions(&message(set.load(index, 8)), &["a pipe, a socket or a device"]);
    }
    pipe(&path("run.toml"));
    let config = path("run.toml");
    let said = ends(move || Config::load(&config, &[]).expect_err("a pipe").to_string());
    assert_mentions(&said, &["run.toml", "a pipe, a socket or a device"]);
    pipe(&path("labels.npy"));
    pipe(&path("fog.npy"));
    let kind = CorruptedKind::Cifar10;
    let files =
        CorruptedFiles::find(kind, dir.path(), None, &[1], Interpolation::Bilinear).expect("by its name");
    let said = ends(move || message(files.open(&FileCell { corruption: "fog".into(), severity: 1 })));
    assert_mentions(&said, &["fog.npy", "a pipe, a socket or a device"]);
}

#[test]
fn files_of_terabytes_that_hold_nothing_are_refused_at_once() {
    const HUGE: u64 = 3073 << 30;
    for set in &SETS {
        set.fault(|path| sparse(path, HUGE));
    }
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("huge.png");
    sparse(&path, HUGE);
    assert_mentions(&image(&path), &["huge.png", "bytes"]);
    let said = Config::load(&path, &[]).expect_err("no configuration").to_string();
    assert_mentions(&said, &["huge.png", "expected a TOML file"]);
    // An array that is as long as its header says.
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}, 32, 32, 3), }}", 1 << 28);
    let mut bytes = [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes()].concat();
    bytes.extend(header.as_bytes());
    for name in ["labels.npy", "fog.npy"] {
        fs::write(dir.path().join(name), &bytes).expect("a file");
        let file = File::options().write(true).open(dir.path().join(name)).expect("a file");
        file.set_len(HUGE).expect("a file system with sparse files");
    }
    let kind = CorruptedKind::Cifar10;
    let files =
        CorruptedFiles::find(kind, dir.path(), None, &[1], Interpolation::Bilinear).expect("by its name");
    assert_mentions(
        &message(files.open(&FileCell { corruption: "fog".into(), severity: 1 })),
        &["fog.npy", "expected"],
    );
}

#[test]
fn headers_that_ask_for_gigabytes_are_refused() {
    let with = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |path: &Path| {
            fs::write(path, &bytes).expect("a file");
            // As long as it says, and more.
            let file = File::options().write(true).open(path).expect("a file");
            file.set_len(5 << 30).expect("a file system with sparse files");
        }
    };
    let idx = [&[0, 0, 8, 3][..], &[0, 16, 0, 0].repeat(3)].concat();
    assert_mentions(&SETS[2].fault(with(&idx)), &["bytes of data, expected 1 to"]);
    let footer = |path: &Path| {
        with(b"PAR1")(path);
        let mut file = File::options().append(true).open(path).expect("a file");
        std::io::Write::write_all(&mut file, b"\xf0\xff\xff\xffPAR1").expect("writable");
    };
    assert_mentions(&SETS[6].fault(footer), &["4294967280 bytes"]);
    // A member of 4 GiB, which is all there.
    let mut header = [0; 512];
    header[..5].copy_from_slice(b"0.cls");
    header[124..135].copy_from_slice(b"40000000000");
    header[156] = b'0';
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_mentions(&SETS[5].fault(with(&header)), &["0.cls", "4294967296 bytes; expected a label"]);
}

/// A few bytes of each kind of image that ask for four billion pixels.
#[test]
fn small_images_of_every_kind_that_ask_for_gigabytes_are_refused() {
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x4c\x01\0\x3b".to_vec();
    let webp = b"RIFF\x1c\0\0\0WEBPVP8 \x10\0\0\0\x10\x02\0\x9d\x01\x2a\xff\x3f\xff\x3f\0\0\0\0\0\0".to_vec();
    let mut bmp = vec![0; 54];
    bmp[..2].copy_from_slice(b"BM");
    bmp[10] = 54;
    bmp[14] = 40;
    for at in [18, 22] {
        bmp[at..at + 4].copy_from_slice(&60_000_u32.to_le_bytes());
    }
    bmp[26] = 1;
    bmp[28] = 24;
    let entry = |tag: u16, kind: u16, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &1_u32.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let entries = [
        entry(256, 4, 60_000),
        entry(257, 4, 60_000),
        entry(258, 3, 8),
        entry(259, 3, 1),
        entry(262, 3, 1),
        entry(273, 4, 8),
        entry(277, 3, 1),
        entry(278, 4, 60_000),
        entry(279, 4, 100),
    ];
    let tiff = [b"II\x2a\0\x08\0\0\0\x09\0".to_vec(), entries.concat(), vec![0; 100]].concat();
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(&[0; 3], 1, 1, image::ExtendedColorType::Rgb8)
        .unwrap();
    let frame = jpeg.windows(2).position(|part| part == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].fill(0xff);
    let dir = tempdir().expect("a folder");
    for (name, bytes) in [("gif", gif), ("webp", webp), ("bmp", bmp), ("tiff", tiff), ("jpg", jpeg)] {
        let path = dir.path().join(format!("bomb.{name}"));
        fs::write(&path, bytes).expect("a file");
        let said = image(&path);
        assert_mentions(&said, &[&format!("bomb.{name}")]);
        assert!(said.contains("too large") || said.contains("cannot hold"), "{said}");
    }
}

/// Ten folders that each link to all others would be walked on millions of ways.
#[cfg(unix)]
#[test]
fn links_in_circles_come_to_an_end() {
    use dualprop::data::Dataset as _;
    use std::os::unix::fs::symlink;
    let tree = || {
        let dir = tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("train/ant/0")).expect("a folder");
        fs::write(dir.path().join("train/ant/0/0.png"), "").expect("a file");
        dir
    };
    let names = |dir: &TempDir| {
        let root = dir.path().to_owned();
        ends(move || {
            let set = Folder::open(&root, "train", None, |_, _| ()).map_err(|error| format!("{error:#}"))?;
            Ok::<_, String>((0..set.len()).map(|index| set.name(index)).collect::<Vec<_>>())
        })
    };
    let dir = tree();
    let ant = dir.path().join("train/ant");
    symlink(&ant, ant.join("0/above")).expect("a link");
    symlink("itself", ant.join("itself")).expect("a link");
    symlink("nowhere", ant.join("nowhere.png")).expect("a link");
    symlink("0", ant.join("again")).expect("a link");
    symlink(&ant, dir.path().join("train/bee")).expect("a link");
    let found = names(&dir).expect("a set");
    let of_ant = ["again/0.png", "0/0.png", "nowhere.png"].map(|name| format!("ant/{name}"));
    assert!(of_ant.iter().all(|name| found.contains(name)), "{found:?}");

    let dir = tree();
    let ant = dir.path().join("train/ant");
    for from in 0..10 {
        fs::create_dir_all(ant.join(from.to_string())).expect("a folder");
        for to in (0..10).filter(|to| *to != from) {
            symlink(ant.join(to.to_string()), ant.join(format!("{from}/to{to}"))).expect("a link");
        }
    }
    assert_mentions(&names(&dir).expect_err("a web of links"), &["ant", "10000 links to folders"]);
}

#[test]
fn what_vanishes_after_the_listing_is_named() {
    for (set, file) in
        [(&SETS[5], "webdataset/train-000000.tar"), (&SETS[6], "parquet-pyarrow/train.parquet")]
    {
        let dir = tempdir().expect("a folder");
        for (name, from) in set.beside {
            fs::copy(fixture(from), dir.path().join(name)).expect("a file");
        }
        fs::copy(fixture(file), dir.path().join(set.name)).expect("a file");
        let path = dir.path().to_str().expect("UTF-8").to_owned();
        let config = DataConfig { source: set.source, path, ..DataConfig::default() };
        let images = open_part(&config, "train").expect("a set");
        fs::remove_file(dir.path().join(set.name)).expect("the file");
        assert_mentions(&message(images.load(0, 8)), &["there is no file", set.name]);
    }
}
