//! What is wrong or odd in an image folder is found and named, and a clean copy is without it.

use super::files::{crc32, exif_turned, halves_jpeg};
use super::{assert_mentions, message, save};
use dualprop::data::check::{
    Form, Items, Matter, Report, Spread, Stopped, check, check_target, write_clean_copy,
};
use dualprop::data::{Framing, load_image_file};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{ExtendedColorType, ImageEncoder as _, RgbImage};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tempfile::{TempDir, tempdir};

/// A picture with structure at all scales, as photographs have, another for each number.
fn picture(number: u32, width: u32, height: u32) -> RgbImage {
    let noise = |a: u32, b: u32| {
        let mut value = a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca77) ^ 0x27d4_eb2f;
        for _ in 0..3 {
            value = (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d);
        }
        f64::from(value >> 8) / f64::from(1 << 24)
    };
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let mut value = [0.5; 3];
        for wave in 0..12 {
            let at = |k| noise(number * 101 + wave, k);
            let (across, down) = (1.0 + 5.0 * at(0), 1.0 + 5.0 * at(1));
            let height = (7.0 * (across * u + down * v) + 6.3 * at(2)).sin() / (across + down);
            (0..3).for_each(|c| value[c] += height * (0.3 + 0.7 * at(3 + c as u32)));
        }
        image::Rgb(value.map(|v| (v * 255.0).clamp(0.0, 255.0) as u8))
    })
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(image).expect("a JPEG");
    bytes
}

fn png(bytes: &[u8], side: u32, colour: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(bytes, side, side, colour).expect("a PNG");
    file
}

/// A PNG of two colours by a palette (colour type 3), 2×2 pixels.
fn palette_png() -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let named = [kind, data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &named, &crc32(&named).to_be_bytes()].concat()
    };
    let mut data = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    data.write_all(&[0, 0, 1, 0, 1, 0]).expect("memory");
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 2, 8, 3, 0, 0, 0]),
        chunk(b"PLTE", &[250, 10, 10, 10, 10, 250]),
        chunk(b"IDAT", &data.finish().expect("memory")),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn look(root: &Path) -> Report {
    check(root, 16, &AtomicBool::new(false), |done, total| assert!(done <= total)).expect("a folder")
}

/// The items of a matter in words, groups joined by ` = `.
fn items(report: &Report, matter: Matter) -> Vec<String> {
    let finding = report.findings.iter().find(|finding| finding.matter == matter);
    match finding.map(|finding| &finding.items) {
        None => Vec::new(),
        Some(Items::Images(images)) => images.iter().map(|image| report.path(*image)).collect(),
        Some(Items::Groups(groups)) => {
            let group =
                |group: &Vec<u32>| group.iter().map(|i| report.path(*i)).collect::<Vec<_>>().join(" = ");
            groups.iter().map(group).collect()
        }
        Some(Items::Paths(paths)) => paths.iter().map(|(path, _)| path.clone()).collect(),
    }
}

/// A folder in which everything is wrong that can be.
fn faulty() -> TempDir {
    let dir = tempdir().expect("a folder");
    let root = dir.path();
    for (number, class) in (0..).zip(["ant", "bee"]) {
        for part in ["train", "val"] {
            for i in 0..3 {
                let number = 100 * number + 10 * u32::from(part == "val") + i;
                save(&picture(number, 32, 24), &root.join(part).join(class).join(format!("{i}.png")));
            }
        }
    }
    let ant = root.join("train/ant");
    let whole = jpeg(&picture(50, 40, 40), 90);
    write(&ant.join("cut.jpg"), &whole[..whole.len() / 2]);
    write(&ant.join("note.png"), b"not a picture at all");
    write(&ant.join("readme.txt"), b"text");
    write(&root.join("train/stray.jpg"), &whole);
    write(&root.join("train/cat/1.jpg"), &whole);
    fs::create_dir_all(root.join("val/dog")).expect("a folder");
    // The same bytes: across the parts, across classes, in a class.
    for (from, to) in [
        ("val/ant/0.png", "train/ant/copy.png"),
        ("train/bee/0.png", "train/ant/bee.png"),
        ("val/bee/1.png", "val/bee/again.png"),
    ] {
        fs::copy(root.join(from), root.join(to)).expect("a copy");
    }
    let bee = root.join("train/bee");
    write(&bee.join("grey.png"), &png(&[0, 80, 160, 255], 2, ExtendedColorType::L8));
    write(&bee.join("alpha.png"), &png(&[9; 16], 2, ExtendedColorType::Rgba8));
    write(&bee.join("opaque.png"), &png(&[[1, 2, 3, 255]; 4].concat(), 2, ExtendedColorType::Rgba8));
    write(&bee.join("deep.png"), &png(&[7; 24], 2, ExtendedColorType::Rgb16));
    write(&bee.join("palette.png"), &palette_png());
    write(&bee.join("turned.jpg"), &exif_turned(&halves_jpeg()));
    write(&bee.join("named.png"), &jpeg(&picture(51, 40, 30), 90));
    let mut cmyk = Vec::new();
    let colour = jpeg_encoder::ColorType::Cmyk;
    jpeg_encoder::Encoder::new(&mut cmyk, 90).encode(&[40; 16 * 16 * 4], 16, 16, colour).expect("a JPEG");
    write(&bee.join("cmyk.jpg"), &cmyk);
    let mut profiled = Vec::new();
    let mut encoder = PngEncoder::new(&mut profiled);
    encoder.set_icc_profile(b"a profile called Display P3".to_vec()).expect("a profile");
    encoder.write_image(picture(52, 20, 20).as_raw(), 20, 20, ExtendedColorType::Rgb8).expect("a PNG");
    write(&bee.join("wide.png"), &profiled);
    let mut gif = Vec::new();
    let frame = |v: u8| image::Frame::new(image::RgbaImage::from_pixel(20, 20, image::Rgba([v, v, 0, 255])));
    image::codecs::gif::GifEncoder::new(&mut gif).encode_frames([frame(200), frame(20)]).expect("a GIF");
    write(&bee.join("moving.gif"), &gif);
    let mut still = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut still).encode_frames([frame(90)]).expect("a GIF");
    write(&bee.join("still.gif"), &still);
    dir
}

#[test]
fn every_kind_of_fault_is_found_and_named() {
    let dir = faulty();
    let report = look(dir.path());
    let found = |matter| items(&report, matter);
    assert_eq!(found(Matter::Damaged), ["train/ant/cut.jpg"]);
    assert_eq!(found(Matter::NotAnImage), ["train/ant/note.png"]);
    assert_eq!(found(Matter::OtherFile), ["train/ant/readme.txt"]);
    assert_eq!(found(Matter::Stray), ["train/stray.jpg"]);
    assert_eq!(found(Matter::MissingClass), ["val/dog", "val/cat", "train/dog"]);
    let same = |spread| found(Matter::Same(spread));
    assert_eq!(same(Spread::TrainAndEvaluation), ["train/ant/copy.png = val/ant/0.png"]);
    assert_eq!(same(Spread::Classes), ["train/ant/bee.png = train/bee/0.png"]);
    assert_eq!(same(Spread::Class), ["val/bee/1.png = val/bee/again.png"]);
    assert_eq!(same(Spread::EvaluationParts), [""; 0]);
    for spread in [Spread::TrainAndEvaluation, Spread::Classes, Spread::EvaluationParts, Spread::Class] {
        assert_eq!(found(Matter::Alike(spread)), [""; 0], "{spread:?}");
    }
    for (form, files) in [
        (Form::Grey, &["grey.png"][..]),
        (Form::Alpha, &["alpha.png"]),
        (Form::Deep, &["deep.png"]),
        (Form::Palette, &["palette.png"]),
        (Form::Turned, &["turned.jpg"]),
        (Form::Cmyk, &["cmyk.jpg"]),
        (Form::Profile, &["wide.png"]),
        (Form::Animated, &["moving.gif"]),
        (Form::Misnamed, &["named.png"]),
    ] {
        let files: Vec<String> = files.iter().map(|file| format!("train/bee/{file}")).collect();
        assert_eq!(found(Matter::Form(form)), files, "{form:?}");
    }
    // 2×2 pixels, below the 16 asked for.
    assert_eq!(found(Matter::Small).len(), 5);
    assert_eq!(found(Matter::Imbalance), ["train/bee", "train/cat"]);
    let sides = report.shorter_sides.expect("images");
    assert_eq!((sides.smallest, sides.median, sides.largest), (2, 24, 40));
    let counts: Vec<_> = report.parts.iter().map(|part| (part.name.as_str(), part.images())).collect();
    assert_eq!(counts, [("train", 22), ("val", 7)]);
    assert!(!report.is_divided_by_chance);
    assert_eq!(report.stops.len(), 2, "{:?}", report.stops);
    assert_mentions(&report.stops.join("; "), &["2 of the 22 images of train", "different class folders"]);
}

#[test]
fn a_sound_folder_has_no_findings_and_one_of_classes_alone_is_read() {
    let dir = tempdir().expect("a folder");
    for i in 0..8 {
        save(&picture(i, 40, 40), &dir.path().join(["cat", "dog"][i as usize % 2]).join(format!("{i}.png")));
    }
    let report = look(dir.path());
    assert!(report.findings.is_empty() && report.stops.is_empty(), "{:?}", report.findings);
    assert!(report.is_divided_by_chance);
    assert_eq!((report.parts.len(), report.images(), report.path(4).as_str()), (1, 8, "dog/1.png"));
    let nothing = tempdir().expect("a folder");
    let stop = AtomicBool::new(false);
    assert_mentions(&message(check(nothing.path(), 16, &stop, |_, _| ())), &["no class folders with images"]);
    assert_mentions(&message(check(&nothing.path().join("x"), 16, &stop, |_, _| ())), &["no folder"]);
    let stopped = check(dir.path(), 16, &AtomicBool::new(true), |_, _| ());
    assert!(stopped.err().expect("stopped").is::<Stopped>());
}

/// Copies at half and at twice the size, in poor quality, are found; no two of 300 other pictures are taken
/// for copies.
#[test]
fn copies_are_known_by_their_looks_and_other_pictures_are_told_apart() {
    let dir = tempdir().expect("a folder");
    for i in 0..300 {
        let class = format!("train/{}", ["a", "b"][i as usize % 2]);
        write(&dir.path().join(class).join(format!("{i:03}.jpg")), &jpeg(&picture(i, 96, 72), 92));
    }
    let copy = |number: u32, width: u32, quality: u8| {
        let image = picture(number, 96, 72);
        let resized = image::imageops::resize(&image, width, width * 3 / 4, FilterType::Triangle);
        jpeg(&resized, quality)
    };
    write(&dir.path().join("val/a/small.jpg"), &copy(10, 48, 60));
    write(&dir.path().join("val/b/large.jpg"), &copy(11, 192, 75));
    // In another class, and with its brother there in the same one.
    write(&dir.path().join("val/b/other.jpg"), &copy(20, 80, 40));
    write(&dir.path().join("train/b/013x.jpg"), &copy(13, 96, 30));
    write(&dir.path().join("train/a/013y.jpg"), &copy(15, 96, 30));
    let report = look(dir.path());
    let alike = |spread| items(&report, Matter::Alike(spread));
    assert_eq!(
        alike(Spread::TrainAndEvaluation),
        [
            "train/a/010.jpg = val/a/small.jpg",
            "train/a/020.jpg = val/b/other.jpg",
            "train/b/011.jpg = val/b/large.jpg"
        ]
    );
    assert_eq!(alike(Spread::Classes), ["train/a/013y.jpg = train/b/015.jpg"]);
    assert_eq!(alike(Spread::Class), ["train/b/013.jpg = train/b/013x.jpg"]);
    assert!(report.faults(false).next().is_none(), "what looks alike is for a person to judge");
}

/// Plain pictures differ in noise alone, and outlines are shared by pictures of other colours.
#[test]
fn plain_pictures_and_other_colours_are_no_copies() {
    let dir = tempdir().expect("a folder");
    for i in 0..6_u8 {
        let plain = RgbImage::from_fn(32, 32, |x, y| {
            image::Rgb([200, 200, 200 + ((x * y + u32::from(i)) % 2) as u8])
        });
        save(&plain, &dir.path().join(format!("train/plain/{i}.png")));
        let mut colours = picture(7, 32, 32);
        colours.pixels_mut().for_each(|p| p.0.rotate_left(usize::from(i % 3)));
        if i < 3 {
            save(&colours, &dir.path().join(format!("train/colour/{i}.png")));
        }
    }
    let report = look(dir.path());
    assert_eq!(items(&report, Matter::Alike(Spread::Class)), [""; 0]);
}

#[test]
fn a_clean_copy_is_without_the_faults_and_says_every_change() {
    let dir = faulty();
    let root = dir.path();
    // The name that `turned.jpg` would get belongs to another image.
    save(&picture(60, 20, 20), &root.join("train/bee/turned.png"));
    let report = look(root);
    let target = tempdir().expect("a folder");
    let out = target.path().join("clean");
    let copy = write_clean_copy(&report, &out, &AtomicBool::new(false), |done, total| assert!(done <= total))
        .expect("a copy");
    let changes: Vec<_> = copy.changes.iter().map(|c| (c.path.as_str(), c.written.as_deref())).collect();
    assert_eq!(
        changes,
        [
            ("train/ant/copy.png", None),
            ("train/ant/cut.jpg", None),
            ("train/ant/note.png", None),
            ("train/ant/readme.txt", None),
            ("train/bee/alpha.png", Some("train/bee/alpha.png")),
            ("train/bee/cmyk.jpg", Some("train/bee/cmyk.png")),
            ("train/bee/deep.png", Some("train/bee/deep.png")),
            ("train/bee/palette.png", Some("train/bee/palette.png")),
            ("train/bee/turned.jpg", Some("train/bee/turned.jpg.png")),
            ("train/stray.jpg", None),
        ]
    );
    assert_mentions(&copy.changes[0].reason, &["val/ant/0.png has the same bytes", "comparable"]);
    assert_mentions(&copy.changes[8].reason, &["RGB PNG", "EXIF"]);
    // What the program sees is the same, and is there in the file itself.
    for change in copy.changes.iter().filter(|change| change.written.is_some()) {
        let written = out.join(change.written.as_deref().expect("written"));
        let load = |path: &Path| load_image_file(path, 8, Framing::default()).expect("an image");
        assert_eq!(load(&root.join(&change.path)), load(&written), "{}", change.path);
        let image = image::open(&written).expect("a PNG");
        assert_eq!(image.color(), image::ColorType::Rgb8, "{}", change.path);
    }
    // All else keeps its bytes.
    assert_eq!(copy.copied, report.images() - 8);
    for file in ["train/bee/moving.gif", "val/ant/0.png", "train/bee/named.png", "val/bee/again.png"] {
        assert_eq!(fs::read(root.join(file)).expect("a file"), fs::read(out.join(file)).expect("a copy"));
    }
    assert!(out.join("val/dog").is_dir(), "a class keeps its folder");
    assert_eq!(fs::read_dir(target.path()).expect("a folder").count(), 1, "nothing else is left");
    let left: Vec<_> = report.faults(true).map(|finding| finding.matter).collect();
    assert_eq!(left, [Matter::MissingClass, Matter::Same(Spread::Classes)]);
    let again: Vec<_> = look(&out).faults(false).map(|finding| finding.matter).collect();
    assert_eq!(again, left, "the copy has what was said");
}

#[test]
fn a_copy_that_is_stopped_or_has_no_place_leaves_nothing() {
    let dir = faulty();
    let report = look(dir.path());
    let target = tempdir().expect("a folder");
    let out = target.path().join("clean");
    let stopped = write_clean_copy(&report, &out, &AtomicBool::new(true), |_, _| ());
    assert!(stopped.expect_err("stopped").is::<Stopped>());
    assert_eq!(fs::read_dir(target.path()).expect("a folder").count(), 0);
    // In the middle of it.
    let stop = AtomicBool::new(false);
    let stopped = write_clean_copy(&report, &out, &stop, |done, _| {
        stop.store(done > 3, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(stopped.expect_err("stopped").is::<Stopped>());
    assert_eq!(fs::read_dir(target.path()).expect("a folder").count(), 0);
    let refused = |out: &Path| message(check_target(dir.path(), out));
    fs::write(target.path().join("file"), "").expect("a file");
    assert_mentions(&refused(target.path()), &["is not empty"]);
    assert_mentions(&refused(&target.path().join("file")), &["file"]);
    assert_mentions(&refused(&dir.path().join("train/new/clean")), &["the folder that is copied"]);
    // An empty folder will do.
    fs::create_dir(&out).expect("a folder");
    write_clean_copy(&report, &out, &AtomicBool::new(false), |_, _| ()).expect("a copy");
    assert!(out.join("train/ant/0.png").is_file());
}
