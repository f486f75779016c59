//! Public data sets arrive whole or not at all, whatever the server does.

use super::server::{Answer, Server};
use super::{assert_mentions, message};
use dualprop::config::{DataConfig, DataSource};
use dualprop::data::open;
use dualprop::fetch::{
    Checksum, Content, FetchOptions, Layout, Patience, PublicSet, RemoteFile, SETS, Stage, Stopped,
    check_place, fetch,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::tempdir;

const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(20),
    stall: Duration::from_millis(400),
    pause: Duration::from_millis(1),
    attempts: 4,
};

/// For sets that live as long as the test.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn remote(name: &str, bytes: &[u8], content: Content) -> RemoteFile {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    RemoteFile {
        address: leak(format!("http://nowhere.invalid/x/{name}")).as_str(),
        bytes: bytes.len() as u64,
        checksum: Checksum::Sha256(leak(digits).as_str()),
        content,
    }
}

fn set(files: &[RemoteFile], layout: Layout) -> PublicSet {
    PublicSet { name: "small", files: leak(files.to_vec()).as_slice(), layout, ..SETS[0] }
}

fn run(set: &PublicSet, server: &Server, out: &Path) -> anyhow::Result<()> {
    let options =
        FetchOptions { out: out.to_owned(), mirror: Some(server.address.clone()), patience: PATIENCE };
    fetch(set, &options, &AtomicBool::new(false), &mut |_| ())
}

/// 200,000 bytes of no pattern.
fn content() -> Vec<u8> {
    let mixed = |i: u32| {
        let value = (i ^ (i >> 7)).wrapping_mul(0x9e37_79b1);
        (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d) >> 19
    };
    (0..200_000).map(|i| mixed(i) as u8).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// Downloads one file from a server with that script; the range of each request, and the folder.
fn through(script: &[Answer]) -> (Vec<Option<String>>, anyhow::Result<()>, tempfile::TempDir) {
    let bytes = content();
    let server = Server::start(&[("data.bin", &bytes)], "\"v1\"", script);
    let dir = tempdir().expect("a folder");
    let set = set(&[remote("data.bin", &bytes, Content::File)], Layout::AsUnpacked);
    let result = run(&set, &server, &dir.path().join("set"));
    if result.is_ok() {
        assert_eq!(fs::read(dir.path().join("set/data.bin")).expect("the file"), bytes);
        assert_eq!(names(dir.path()).len(), 1, "nothing is left beside the set");
    } else {
        assert!(!dir.path().join("set").exists(), "no half set");
    }
    (server.ranges(), result, dir)
}

#[test]
fn a_file_arrives_through_every_passing_fault() {
    let from = |byte: usize| Some(format!("bytes={byte}-"));
    for (script, requests) in [
        (vec![], vec![None]),
        (vec![Answer::Moved], vec![None, None]),
        (vec![Answer::Breaks(70_000)], vec![None, from(70_000)]),
        (vec![Answer::Stalls(30_000)], vec![None, from(30_000)]),
        (
            vec![Answer::Breaks(10), Answer::Breaks(10), Answer::Stalls(5)],
            vec![None, from(10), from(20), from(25)],
        ),
        (vec![Answer::Status(503, ""), Answer::Status(429, "Retry-After: 0\r\n")], vec![None, None, None]),
        (vec![Answer::Breaks(9), Answer::WithoutRanges], vec![None, from(9)]),
        (vec![Answer::Breaks(9), Answer::Status(416, "")], vec![None, from(9), None]),
        (vec![Answer::Breaks(9), Answer::OtherRange], vec![None, from(9), None]),
        // Bytes of two answers that do not fit together show at the end, and the file is loaded anew.
        (vec![Answer::BreaksWrong(9)], vec![None, from(9), None]),
    ] {
        let (ranges, result, _dir) = through(&script);
        result.unwrap_or_else(|error| panic!("{script:?}: {error:#}"));
        assert_eq!(ranges, requests, "{script:?}");
    }
}

#[test]
fn lasting_faults_are_said_and_leave_what_can_be_gone_on_with() {
    let down = vec![Answer::Status(503, ""); 9];
    for (script, words, kept) in [
        (vec![Answer::Status(404, "")], &["404", "no such file", "data.bin"][..], 0),
        (vec![Answer::Status(403, "")], &["403", "does not give"], 0),
        (vec![Answer::Wrong], &["SHA-256", "expected", "--mirror", "nothing of it was kept"], 0),
        (vec![Answer::Lies(100)], &["100 bytes, expected 200000", "--mirror"], 0),
        (vec![Answer::Rambles(9)], &["goes on behind its 200000 bytes"], 0),
        (down, &["503", "the same command tries again"], 0),
        (
            [vec![Answer::Breaks(77)], vec![Answer::Stalls(0); 5]].concat(),
            &["nothing came for 0.4 seconds", "goes on from the 77 bytes in", "set.part"],
            77,
        ),
    ] {
        let (_, result, dir) = through(&script);
        assert_mentions(&message(result), words);
        let part = fs::metadata(dir.path().join("set.part/data.bin.part")).map_or(0, |part| part.len());
        assert_eq!(part, kept, "{script:?}");
        assert_eq!(names(dir.path()).len(), usize::from(kept > 0), "{script:?}: an empty folder is left");
    }
}

/// A server that is not there at all.
#[test]
fn no_server_is_one_sentence() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let dir = tempdir().expect("a folder");
    let set = set(&[remote("data.bin", &content(), Content::File)], Layout::AsUnpacked);
    let options = FetchOptions {
        out: dir.path().join("set"),
        mirror: Some(format!("http://{free}/")),
        patience: PATIENCE,
    };
    let text = message(fetch(&set, &options, &AtomicBool::new(false), &mut |_| ()));
    assert_mentions(&text, &["cannot download http://127.0.0.1", "data.bin", "refused"]);
    assert!(!text.contains("os error"), "{text}");
}

#[test]
fn a_later_command_goes_on_where_an_earlier_one_ended() {
    let bytes = content();
    let dir = tempdir().expect("a folder");
    let out = dir.path().join("set");
    let set = set(&[remote("data.bin", &bytes, Content::File)], Layout::AsUnpacked);
    let fails: Vec<Answer> =
        std::iter::once(Answer::Breaks(50_000)).chain(vec![Answer::Status(500, ""); 4]).collect();
    let serve = |etag: &str, script: &[Answer]| Server::start(&[("data.bin", &bytes)], etag, script);
    run(&set, &serve("\"v1\"", &fails), &out).expect_err("it broke off");
    let server = serve("\"v1\"", &[]);
    run(&set, &server, &out).expect("the rest");
    assert_eq!(server.ranges(), [Some("bytes=50000-".to_owned())]);
    assert_eq!(fs::read(out.join("data.bin")).expect("the file"), bytes);
    // The file at the address has changed meanwhile: the server sends it whole.
    fs::remove_dir_all(&out).expect("the set");
    run(&set, &serve("\"v1\"", &fails), &out).expect_err("it broke off");
    let server = serve("\"v2\"", &[]);
    run(&set, &server, &out).expect("all of it");
    assert_eq!(server.ranges().len(), 1);
    // A part that is not of this file is found by the checksum, and loaded anew.
    fs::remove_dir_all(&out).expect("the set");
    fs::create_dir(dir.path().join("set.part")).expect("a folder");
    fs::write(dir.path().join("set.part/data.bin.part"), [1; 1000]).expect("a part");
    let server = serve("\"v1\"", &[]);
    run(&set, &server, &out).expect("all of it");
    assert_eq!(server.ranges(), [Some("bytes=1000-".to_owned()), None]);
}

#[test]
fn ctrl_c_ends_the_wait_at_once_and_keeps_the_part() {
    let bytes = content();
    let server = Server::start(&[("data.bin", &bytes)], "\"v1\"", &[Answer::Stalls(40_000)]);
    let dir = tempdir().expect("a folder");
    let set = set(&[remote("data.bin", &bytes, Content::File)], Layout::AsUnpacked);
    let out = dir.path().join("set");
    // It would wait for longer than any test takes.
    let patience = Patience { stall: Duration::from_secs(100_000), ..PATIENCE };
    let options = FetchOptions { out: out.clone(), mirror: Some(server.address.clone()), patience };
    let stop = AtomicBool::new(false);
    let result = fetch(&set, &options, &stop, &mut |stage| {
        if matches!(stage, Stage::Downloading { done: 40_000, .. }) {
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert!(result.expect_err("stopped").is::<Stopped>());
    run(&set, &server, &out).expect("the rest");
    assert_eq!(server.ranges(), [None, Some("bytes=40000-".to_owned())]);
}

/// A tar archive of files with these names, compressed.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(&mut packed);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).expect("memory");
    }
    archive.finish().expect("memory");
    drop(archive);
    packed.finish().expect("memory")
}

fn png(blue: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    super::ramp(8, 8, blue).write_to(&mut file, image::ImageFormat::Png).expect("memory");
    file.into_inner()
}

#[test]
fn archives_become_what_the_program_reads() {
    let dir = tempdir().expect("a folder");
    let (a, b, filler) = (png(1), png(2), content());
    let folder = archive(&[
        ("top/train/x/a.png", &a),
        ("top/train/y/b.png", &b),
        ("top/val/x/b.png", &b),
        ("top/val/y/a.png", &a),
        ("top/notes.csv", &filler),
    ]);
    let server = Server::start(&[("set.tgz", &folder)], "\"v1\"", &[]);
    let nette = set(&[remote("set.tgz", &folder, Content::Tar { strip: 1 })], Layout::AsUnpacked);
    let out = dir.path().join("nette");
    run(&nette, &server, &out).expect("a set");
    let config = DataConfig {
        source: DataSource::Folder,
        path: out.display().to_string(),
        image_size: 8,
        ..DataConfig::default()
    };
    let splits = open(&config).expect("a data set");
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_eq!(splits.val.load(0, 8).expect("an image")[2], 2);
    // Classes alone become the validation part.
    let classes = archive(&[("top/x/a.png", &a), ("top/y/b.png", &b), ("top/README.txt", &filler)]);
    let server = Server::start(&[("set.tar", &classes)], "\"v1\"", &[]);
    let imagenet_a = set(&[remote("set.tar", &classes, Content::Tar { strip: 1 })], Layout::Evaluation);
    run(&imagenet_a, &server, &dir.path().join("a")).expect("a set");
    assert!(dir.path().join("a/val/y/b.png").is_file());
    // Several archives side by side, of which the second one breaks off.
    let (one, two) = (archive(&[("fog/1/x/a.png", &filler)]), archive(&[("snow/1/x/a.png", &filler)]));
    let files: &[(&str, &[u8])] = &[("one.tar", &one), ("two.tar", &two)];
    let fails = [vec![Answer::Good], vec![Answer::Breaks(9); 1], vec![Answer::Status(500, ""); 4]].concat();
    let tar = Content::Tar { strip: 0 };
    let imagenet_c = set(&[remote("one.tar", &one, tar), remote("two.tar", &two, tar)], Layout::AsUnpacked);
    let out = dir.path().join("c");
    run(&imagenet_c, &Server::start(files, "\"v1\"", &fails), &out).expect_err("it broke off");
    assert!(!out.exists());
    let server = Server::start(files, "\"v1\"", &[]);
    run(&imagenet_c, &server, &out).expect("a set");
    assert_eq!(server.ranges(), [Some("bytes=9-".to_owned())], "the first one is not loaded again");
    assert_eq!(names(&out), ["fog", "snow"].map(String::from).into());
}

/// Killed while the files were moved to their places: no half set comes of it.
#[test]
fn moving_files_to_their_places_goes_on_where_it_was_cut_off() {
    let dir = tempdir().expect("a folder");
    let place = |file: &str, bytes: &[u8]| {
        let path = dir.path().join("a.part").join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    };
    place("set.tar.unpacked/x/a.png", &png(1));
    place("small.set/val/y/b.png", &png(2));
    let server = Server::start(&[], "\"v1\"", &[]);
    let set = set(&[remote("set.tar", b"an archive", Content::Tar { strip: 1 })], Layout::Evaluation);
    run(&set, &server, &dir.path().join("a")).expect("a set");
    assert!(server.ranges().is_empty(), "nothing is loaded again");
    assert_eq!(names(&dir.path().join("a/val")), ["x", "y"].map(String::from).into());
    assert_eq!(names(dir.path()).len(), 1);
}

#[test]
fn an_archive_with_a_link_leaves_no_set() {
    let mut packed = Vec::new();
    let mut builder = tar::Builder::new(&mut packed);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "top/x", "/etc").expect("memory");
    builder.finish().expect("memory");
    drop(builder);
    let server = Server::start(&[("set.tar", &packed)], "\"v1\"", &[]);
    let set = set(&[remote("set.tar", &packed, Content::Tar { strip: 1 })], Layout::AsUnpacked);
    let dir = tempdir().expect("a folder");
    let out = dir.path().join("set");
    assert_mentions(&message(run(&set, &server, &out)), &["set.tar", "top/x", "a link"]);
    assert!(!out.exists());
}

/// A MATLAB file of one array of bytes for each name.
fn mat(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    let packed = |kind: u32, bytes: &[u8]| {
        let mut element = [kind.to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
        element.extend(bytes);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    };
    let mut file = b"MATLAB 5.0 MAT-file".to_vec();
    file.resize(124, b' ');
    file.extend([0, 1, b'I', b'M']);
    for (name, values) in arrays {
        let parts = [packed(6, &[9; 8]), packed(5, &[1; 8]), packed(1, name.as_bytes()), packed(2, values)];
        file.extend(packed(14, &parts.concat()));
    }
    file
}

#[test]
fn flowers_lie_by_split_and_number_as_their_matlab_files_say() {
    let pictures: Vec<Vec<u8>> = (1..=4).map(png).collect();
    let names: Vec<String> = (1..=4).map(|number| format!("jpg/image_{number:05}.jpg")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(&pictures).map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let images = archive(&[files, vec![("jpg/filler", &content())]].concat());
    let labels = mat(&[("labels", &[77, 3, 3, 102])]);
    let split = mat(&[("trnid", &[2]), ("valid", &[1]), ("tstid", &[3, 4])]);
    let wrong = mat(&[("trnid", &[9]), ("valid", &[1]), ("tstid", &[3, 4])]);
    let dir = tempdir().expect("a folder");
    for (split, out) in [(&split, "good"), (&wrong, "wrong")] {
        let served: &[(&str, &[u8])] =
            &[("102flowers.tgz", &images), ("imagelabels.mat", &labels), ("setid.mat", split)];
        let server = Server::start(served, "\"v1\"", &[]);
        let files = [
            remote("102flowers.tgz", &images, Content::Tar { strip: 1 }),
            remote("imagelabels.mat", &labels, Content::File),
            remote("setid.mat", split, Content::File),
        ];
        let out = dir.path().join(out);
        let result = run(&set(&files, Layout::Flowers102), &server, &out);
        if out.ends_with("wrong") {
            assert_mentions(&message(result), &["setid.mat", "image 9", "no label"]);
            assert!(!out.exists());
            continue;
        }
        result.expect("a set");
        for (file, blue) in [
            ("train/003/image_00002.jpg", 2),
            ("val/077/image_00001.jpg", 1),
            ("test/102/image_00004.jpg", 4),
        ] {
            assert_eq!(fs::read(out.join(file)).expect("an image"), png(blue), "{file}");
        }
    }
}

#[test]
fn a_place_is_refused_before_anything_is_downloaded() {
    let dir = tempdir().expect("a folder");
    let small = set(&[remote("data.bin", &content(), Content::File)], Layout::AsUnpacked);
    fs::write(dir.path().join("file"), "").expect("a file");
    assert_mentions(&message(check_place(&small, dir.path())), &["is not empty", "--out"]);
    assert_mentions(&message(check_place(&small, &dir.path().join("file"))), &["file"]);
    check_place(&small, &dir.path().join("new/set")).expect("room for a small set");
    let huge = RemoteFile { bytes: 1 << 60, ..small.files[0] };
    let huge = set(&[huge], Layout::AsUnpacked);
    if cfg!(unix) {
        let text = message(check_place(&huge, &dir.path().join("set")));
        assert_mentions(&text, &["small needs", "GB of free space", "--out"]);
    }
}

/// A second command in the same place would write into the first one's files.
#[test]
fn two_downloads_in_one_place_do_not_meet() {
    let bytes = content();
    let dir = tempdir().expect("a folder");
    let set = set(&[remote("data.bin", &bytes, Content::File)], Layout::AsUnpacked);
    let server = Server::start(&[("data.bin", &bytes)], "\"v1\"", &[]);
    let part = dir.path().join("set.part");
    fs::create_dir(&part).expect("a folder");
    let lock = fs::File::create(part.join("lock")).expect("a file");
    lock.lock().expect("a lock");
    let out = dir.path().join("set");
    assert_mentions(&message(run(&set, &server, &out)), &["another", "set.part"]);
    drop(lock);
    run(&set, &server, &out).expect("a set");
}

/// What a slip of the keyboard in the table would break.
#[test]
fn the_table_of_sets_is_well_formed() {
    let names: BTreeSet<&str> = SETS.iter().map(|set| set.name).collect();
    assert_eq!(names.len(), SETS.len());
    for set in SETS {
        let files: BTreeSet<&str> = set.files.iter().map(RemoteFile::name).collect();
        assert_eq!(files.len(), set.files.len(), "{}: a mirror has all files side by side", set.name);
        for file in set.files {
            let (kind, digits) = file.checksum.parts();
            assert_eq!(digits.len(), if kind == "MD5" { 32 } else { 64 }, "{}", file.address);
            assert!(
                digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
                "{}",
                file.address
            );
            assert!(file.address.starts_with("http") && file.bytes > 0, "{}", file.address);
        }
        if let Some(source) = set.train_source {
            let known: Result<DataSource, _> = serde_json::from_value(source.into());
            assert!(known.is_ok(), "{}: there is no source {source}", set.name);
        }
    }
}
