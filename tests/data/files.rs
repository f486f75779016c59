//! Image folders, single images, packed files, export.

use super::{assert_mentions, message, ramp, save};
use dualprop::config::{DataConfig, DataSource, Interpolation};
use dualprop::data::{Dataset, Folder, Framing, Splits, export, load_image_file, open, open_validation};
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use std::path::Path;
use tempfile::tempdir;

fn config(source: DataSource, path: &Path) -> DataConfig {
    DataConfig { source, path: path.display().to_string(), ..Default::default() }
}

fn names(set: &dyn Dataset) -> Vec<String> {
    (0..set.len()).map(|i| set.name(i)).collect()
}

#[test]
fn folders_are_read_in_bytewise_order_with_any_known_ending() {
    let dir = tempdir().expect("a folder");
    for (class, file) in
        [("b", "x.PNG"), ("b", "10.png"), ("b", "9.png"), ("B", "z.Jpg"), ("a-1", "q.webp"), ("a", "w.jpeg")]
    {
        save(&ramp(20, 20, 9), &dir.path().join("train").join(class).join(file));
        save(&ramp(20, 20, 9), &dir.path().join("val").join(class).join("v.png"));
    }
    std::fs::write(dir.path().join("train/b/notes.txt"), "no image").expect("a file");
    std::fs::write(dir.path().join("train/b/.hidden.png"), "no image").expect("a file");
    std::fs::write(dir.path().join("train/list.txt"), "no class").expect("a file");
    std::fs::create_dir_all(dir.path().join("train/.cache")).expect("a folder");
    let splits = open(&config(DataSource::Folder, dir.path())).expect("a data set");
    assert_eq!(splits.train.class_names(), ["B", "a", "a-1", "b"]);
    assert_eq!(
        names(&*splits.train),
        ["B/z.Jpg", "a/w.jpeg", "a-1/q.webp", "b/10.png", "b/9.png", "b/x.PNG"]
    );
    assert_eq!((0..6).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [0, 1, 2, 3, 3, 3]);
    for i in 0..6 {
        assert_eq!(splits.train.load(i, 16).expect("an image").len(), 16 * 16 * 3);
    }
    let limited = DataConfig { train_limit: 2, ..config(DataSource::Folder, dir.path()) };
    assert_eq!(names(&*open(&limited).expect("a data set").train), ["B/z.Jpg", "a/w.jpeg"]);
}

#[test]
fn class_lists_that_differ_are_named() {
    let dir = tempdir().expect("a folder");
    for path in ["train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dug/1.png"] {
        save(&ramp(8, 8, 0), &dir.path().join(path));
    }
    let folder = config(DataSource::Folder, dir.path());
    assert_mentions(&message(open(&folder)), &["data.path", "dog only in", "train", "dug only in", "val"]);
    assert_eq!(open_validation(&folder).expect("validation alone").0.class_names(), ["cat", "dug"]);
}

/// Folders as people have them: the parts under other names, none for validation, or class folders alone.
#[test]
fn a_folder_without_val_is_divided_and_other_names_are_said() {
    let dir = tempdir().expect("a folder");
    let images = |part: &str| {
        for (class, count) in [("cat", 10), ("dog", 5)] {
            for number in 0..count {
                save(&ramp(8, 8, number), &dir.path().join(part).join(class).join(format!("{number}.png")));
            }
        }
    };
    images("photos");
    let bare = config(DataSource::Folder, &dir.path().join("photos"));
    let splits = open(&bare).expect("class folders alone");
    let (train, val) = (names(&*splits.train), names(&*splits.val));
    assert_eq!((train.len(), val.len()), (12, 3));
    assert_eq!(val.iter().filter(|name| name.starts_with("dog/")).count(), 1);
    assert!(val.iter().all(|name| !train.contains(name)), "{val:?}");
    let said = splits.notes().join("; ");
    assert!(said.contains("3 of 15 images are held out") && said.contains("data.val_share"), "{said}");
    // Evaluation alone finds the same images, another share more of them, another seed others.
    let held = |config: &DataConfig| names(&*open_validation(config).expect("validation").0);
    assert_eq!(held(&bare), val);
    let half = held(&DataConfig { val_share: 0.5, ..bare.clone() });
    assert!(half.len() == 8 && val.iter().all(|name| half.contains(name)), "{half:?}");
    assert_ne!(held(&DataConfig { val_seed: 1, ..bare.clone() }), val);
    // A new image moves no other.
    save(&ramp(8, 8, 99), &dir.path().join("photos/cat/new.png"));
    let more = held(&bare);
    assert!(more.iter().filter(|name| val.contains(name)).count() >= 2, "{val:?} {more:?}");
    std::fs::remove_file(dir.path().join("photos/cat/new.png")).expect("there");

    images("set/train");
    images("set/Test");
    let named = config(DataSource::Folder, &dir.path().join("set"));
    let splits = open(&named).expect("another name");
    assert_eq!((splits.train.len(), splits.val.len()), (15, 15));
    assert!(splits.notes().join("; ").contains("those of the folder Test"), "{:?}", splits.notes());

    save(&ramp(8, 8, 0), &dir.path().join("one/cat/1.png"));
    save(&ramp(8, 8, 0), &dir.path().join("one/dog/1.png"));
    let one = config(DataSource::Folder, &dir.path().join("one"));
    assert_mentions(&message(open(&one)), &["data.path", "class cat", "1 image ", "folder val"]);
}

#[test]
fn missing_and_empty_folders_name_the_key_and_the_path() {
    let dir = tempdir().expect("a folder");
    let gone = dir.path().join("gone");
    for source in [DataSource::Folder, DataSource::Cifar10, DataSource::Cifar100, DataSource::FashionMnist] {
        assert_mentions(&message(open(&config(source, &gone))), &["data.path", "gone"]);
        assert_mentions(
            &message(open(&DataConfig { source, ..Default::default() })),
            &["data.path", "empty"],
        );
    }
    assert_mentions(&message(open(&config(DataSource::Folder, dir.path()))), &["data.path", "train/CLASS"]);
    std::fs::create_dir_all(dir.path().join("train")).expect("a folder");
    assert_mentions(
        &message(open(&config(DataSource::Folder, dir.path()))),
        &["data.path", "no class folders"],
    );
    std::fs::create_dir_all(dir.path().join("train/cat")).expect("a folder");
    assert_mentions(&message(open(&config(DataSource::Folder, dir.path()))), &["data.path", ".png"]);
    assert_mentions(&message(open(&config(DataSource::Cifar100, dir.path()))), &["data.path", "train.bin"]);
}

#[test]
fn an_image_of_the_exact_size_keeps_every_bit() {
    let dir = tempdir().expect("a folder");
    let image = ramp(33, 33, 77);
    for file in ["a.png", "a.webp"] {
        save(&image, &dir.path().join(file));
        assert_eq!(
            &load_image_file(&dir.path().join(file), 33, Framing::default()).expect("an image"),
            image.as_raw(),
            "{file}"
        );
    }
}

#[test]
fn the_shorter_side_is_resized_and_the_centre_kept() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("wide.png");
    // Same height: a pure crop. The margin of 7 is split half to even: 4 to the left (torchvision).
    let image = ramp(31, 24, 5);
    save(&image, &path);
    let expected = image::imageops::crop_imm(&image, 4, 0, 24, 24).to_image();
    assert_eq!(&load_image_file(&path, 24, Framing::default()).expect("an image"), expected.as_raw());
    // Half size: the bilinear filter over twice its width weighs four neighbours 1:3:3:1.
    let stripes = image::RgbImage::from_fn(64, 32, |x, _| image::Rgb([if x < 32 { 0 } else { 240 }; 3]));
    save(&stripes, &path);
    let small = load_image_file(&path, 16, Framing::default()).expect("an image");
    let row: Vec<u8> = (0..16).map(|x| small[(8 * 16 + x) * 3]).collect();
    assert_eq!(row, [0, 0, 0, 0, 0, 0, 0, 30, 210, 240, 240, 240, 240, 240, 240, 240]);
    // A very long image must not be resized whole.
    save(&ramp(3, 9000, 1), &path);
    assert_eq!(load_image_file(&path, 224, Framing::default()).expect("an image").len(), 224 * 224 * 3);
}

#[test]
fn a_crop_ratio_keeps_the_middle_of_a_larger_square() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("photo.png");
    save(&ramp(97, 80, 3), &path);
    for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
        let load = |size, crop_ratio| {
            load_image_file(&path, size, Framing { crop_ratio, interpolation }).expect("an image")
        };
        // 28 / 0.875 = 32 pixels, of which 2 fall away on each side; the filter's weights are rounded either
        // way.
        let (whole, middle) = (load(32, 1.0), load(28, 0.875));
        assert_eq!(middle.len(), 28 * 28 * 3);
        for (i, found) in middle.iter().enumerate() {
            let (y, x, c) = (i / 84, i / 3 % 28, i % 3);
            let expected = whole[((y + 2) * 32 + x + 2) * 3 + c];
            assert!(found.abs_diff(expected) <= 1, "{interpolation:?} {x} {y}: {found} {expected}");
        }
        assert_ne!(middle, load(28, 1.0), "{interpolation:?}");
    }
    let of = |interpolation| {
        load_image_file(&path, 32, Framing { crop_ratio: 1.0, interpolation }).expect("an image")
    };
    assert_ne!(of(Interpolation::Bilinear), of(Interpolation::Bicubic));
    // An image of the wanted size is cropped all the same.
    save(&ramp(28, 28, 3), &path);
    let bilinear = Framing { crop_ratio: 0.875, ..Framing::default() };
    assert_ne!(load_image_file(&path, 28, bilinear).expect("an image"), ramp(28, 28, 3).into_raw());
}

#[test]
fn grey_alpha_and_deep_images_become_rgb() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("x.png");
    let load = || load_image_file(&path, 2, Framing::default()).expect("an image");
    let write = |bytes: &[u8], colour| {
        let file = std::fs::File::create(&path).expect("a file");
        image::codecs::png::PngEncoder::new(file).write_image(bytes, 2, 2, colour).expect("a PNG");
    };
    write(&[0, 80, 160, 255], ExtendedColorType::L8);
    assert_eq!(load(), [0, 0, 0, 80, 80, 80, 160, 160, 160, 255, 255, 255]);
    // Alpha is dropped, not blended.
    write(&[10, 20, 30, 0, 1, 2, 3, 255, 4, 5, 6, 128, 7, 8, 9, 1], ExtendedColorType::Rgba8);
    assert_eq!(load(), [10, 20, 30, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let deep: Vec<u8> = [0u16, 257 * 7, 65535, 257 * 200].iter().flat_map(|v| v.to_ne_bytes()).collect();
    write(&deep, ExtendedColorType::L16);
    assert_eq!(load(), [0, 0, 0, 7, 7, 7, 255, 255, 255, 200, 200, 200]);
}

/// A JPEG of a left dark and a right bright half.
pub(super) fn halves_jpeg() -> Vec<u8> {
    let image = image::RgbImage::from_fn(32, 32, |x, _| image::Rgb([if x < 16 { 20 } else { 220 }; 3]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&image).expect("a JPEG");
    bytes
}

/// EXIF data with one entry: tag 0x0112 (orientation), type 3, one value, 6: turn right to show.
const TURNED: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

/// A JPEG with an APP1 segment of [`TURNED`] behind its first marker.
pub(super) fn exif_turned(jpeg: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    let app1 = [&[0xff, 0xe1, 0, TURNED.len() as u8 + 8][..], b"Exif\0\0", TURNED].concat();
    bytes.splice(2..2, app1);
    bytes
}

/// By whatever kind of file it is said in.
#[test]
fn exif_orientation_is_applied() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("turned");
    let halves = image::RgbImage::from_fn(32, 32, |x, _| image::Rgb([if x < 16 { 20 } else { 220 }; 3]));
    let (size, colour) = (32, ExtendedColorType::Rgb8);
    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    encoder.set_exif_metadata(TURNED.to_vec()).expect("EXIF in a PNG");
    encoder.write_image(halves.as_raw(), size, size, colour).expect("a PNG");
    let mut webp = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
    encoder.set_exif_metadata(TURNED.to_vec()).expect("EXIF in a WebP");
    encoder.write_image(halves.as_raw(), size, size, colour).expect("a WebP");
    let mut tiff = std::io::Cursor::new(Vec::new());
    halves.write_to(&mut tiff, ImageFormat::Tiff).expect("a TIFF");
    let tiff = with_orientation(tiff.into_inner());
    for (kind, file) in [("JPEG", exif_turned(&halves_jpeg())), ("PNG", png), ("WebP", webp), ("TIFF", tiff)]
    {
        std::fs::write(&path, file).expect("a file");
        let image = load_image_file(&path, 32, Framing::default()).expect("an image");
        let at = |x: usize, y: usize| image[(y * 32 + x) * 3];
        assert!(at(4, 4) < 60 && at(28, 4) < 60, "{kind}: the dark half is not on top");
        assert!(at(4, 28) > 180 && at(28, 28) > 180, "{kind}: the bright half is not at the bottom");
    }
}

/// A little-endian TIFF whose directory says that the image is to be turned right: it is written anew behind
/// the file with one entry more.
fn with_orientation(mut tiff: Vec<u8>) -> Vec<u8> {
    let word = |at: usize| usize::from(u16::from_le_bytes([tiff[at], tiff[at + 1]]));
    let start = word(4) | word(6) << 16;
    let mut entries: Vec<Vec<u8>> =
        tiff[start + 2..start + 2 + 12 * word(start)].chunks(12).map(<[u8]>::to_vec).collect();
    entries.push([&[0x12, 1, 3, 0, 1, 0, 0, 0][..], &[6, 0, 0, 0]].concat());
    entries.sort_by_key(|entry| u16::from_le_bytes([entry[0], entry[1]]));
    let place = (tiff.len() as u32).to_le_bytes();
    tiff[4..8].copy_from_slice(&place);
    tiff.extend((entries.len() as u16).to_le_bytes());
    tiff.extend(entries.concat());
    tiff.extend([0; 4]);
    tiff
}

#[test]
fn damaged_files_are_errors_that_name_the_file() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("bad.jpg");
    let jpeg = halves_jpeg();
    std::fs::write(&path, &jpeg).expect("a file");
    load_image_file(&path, 32, Framing::default()).expect("a whole JPEG");
    for end in [0, 1, 3, 30, jpeg.len() / 2, jpeg.len() - 2] {
        std::fs::write(&path, &jpeg[..end]).expect("a file");
        assert_mentions(&message(load_image_file(&path, 32, Framing::default())), &["bad.jpg"]);
    }
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(ramp(16, 16, 3).as_raw(), 16, 16, ExtendedColorType::Rgb8)
        .expect("a PNG");
    for end in [20, png.len() / 2, png.len() - 14] {
        std::fs::write(&path, &png[..end]).expect("a file");
        assert_mentions(&message(load_image_file(&path, 16, Framing::default())), &["bad.jpg"]);
    }
    std::fs::write(&path, b"not one of the known kinds").expect("a file");
    assert_mentions(
        &message(load_image_file(&path, 16, Framing::default())),
        &["bad.jpg", "is not a PNG, JPEG, WebP, BMP, GIF or TIFF image"],
    );
    assert_mentions(
        &message(load_image_file(&dir.path().join("none.png"), 16, Framing::default())),
        &["none.png"],
    );
}

#[test]
fn a_small_file_that_asks_for_gigabytes_is_refused() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("bomb.png");
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&[0; 3], 1, 1, ExtendedColorType::Rgb8)
        .expect("a PNG");
    for (side, word) in [(16_000u32, "cannot hold"), (60_000, "too large")] {
        let mut bomb = png.clone();
        bomb[16..20].copy_from_slice(&side.to_be_bytes());
        bomb[20..24].copy_from_slice(&side.to_be_bytes());
        let checksum = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
        std::fs::write(&path, bomb).expect("a file");
        let text = message(load_image_file(&path, 32, Framing::default()));
        assert_mentions(&text, &["bomb.png", word]);
        assert!(!text.contains("CRC") && !text.contains("damaged"), "{text}");
    }
}

/// A flat photograph of 204 megapixels, and a long panorama.
#[test]
fn large_photographs_and_panoramas_decode() {
    let dir = tempdir().expect("a folder");
    let flat = |width: u32, height: u32| image::GrayImage::from_pixel(width, height, image::Luma([90]));
    let path = dir.path().join("train/a/large.png");
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    flat(17_000, 12_000).save(&path).expect("a file");
    let set = Folder::open(dir.path(), "train", None, |_, _| {}).expect("a split");
    let picture = set.decode(0, 0).expect("an image");
    assert_eq!((picture.width(), picture.height()), (17_000, 12_000));
    let path = dir.path().join("long.jpg");
    flat(20_000, 64).save(&path).expect("a file");
    let image = load_image_file(&path, 8, Framing::default()).expect("an image");
    assert_eq!(image, [90; 8 * 8 * 3]);
}

/// A TIFF file of one pixel with a palette, which the decoder does not know.
fn palette_tiff() -> Vec<u8> {
    // (tag, type, count, value): the pixel lies behind the header, the palette behind the directory.
    let entries: [(u16, u16, u32, u32); 9] = [
        (256, 3, 1, 1),
        (257, 3, 1, 1),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 3),
        (273, 4, 1, 8),
        (278, 3, 1, 1),
        (279, 4, 1, 1),
        (320, 3, 768, 10 + 2 + 9 * 12 + 4),
    ];
    let mut file = b"II*\0\x0a\0\0\0\x07\0".to_vec();
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    file.extend([0; 4]);
    file.extend([0; 2 * 768]);
    file
}

#[test]
fn an_image_of_a_kind_that_is_not_decoded_is_not_called_damaged() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("x.tif");
    std::fs::write(&path, palette_tiff()).expect("a file");
    let text = message(load_image_file(&path, 8, Framing::default()));
    assert_mentions(&text, &["x.tif", "a kind of image that is not decoded, save it as PNG"]);
}

/// What the kinds of file that keep every pixel hold is what they were given; of an animation the first
/// frame.
#[test]
fn further_kinds_of_image_are_read() {
    let dir = tempdir().expect("a folder");
    let image = ramp(16, 16, 7);
    for (ending, kind) in [
        ("bmp", ImageFormat::Bmp),
        ("dib", ImageFormat::Bmp),
        ("tif", ImageFormat::Tiff),
        ("TIFF", ImageFormat::Tiff),
    ] {
        let path = dir.path().join(format!("x.{ending}"));
        image.save_with_format(&path, kind).expect("a file");
        let read = load_image_file(&path, 16, Framing::default()).expect("an image");
        assert!(read == *image.as_raw(), "{ending}");
    }
    let path = dir.path().join("two.gif");
    let frame = |value: u8| {
        let rgba = image::RgbaImage::from_pixel(16, 16, image::Rgba([value, 0, value, 255]));
        image::Frame::new(rgba)
    };
    let mut file = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut file).encode_frames([frame(200), frame(20)]).expect("a GIF");
    std::fs::write(&path, file).expect("a file");
    let read = load_image_file(&path, 16, Framing::default()).expect("an image");
    assert_eq!(read[..3], [200, 0, 200]);
}

/// PNG's checksum, bit by bit.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// `count` records with the given label bytes; the planes hold 1, 2 and 3, the first pixel its number.
fn records(count: u8, labels: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    for i in 0..count {
        file.extend(labels(i));
        for plane in 1..=3 {
            file.extend(std::iter::once(i).chain(std::iter::repeat_n(plane, 1023)));
        }
    }
    file
}

#[test]
fn cifar_100_uses_the_fine_label_and_planar_pixels() {
    let dir = tempdir().expect("a folder");
    std::fs::write(dir.path().join("train.bin"), records(4, |i| vec![1, 99 - i])).expect("a file");
    std::fs::write(dir.path().join("test.bin"), records(2, |i| vec![250, i])).expect("a file");
    let splits = open(&config(DataSource::Cifar100, dir.path())).expect("a data set");
    assert_eq!((splits.train.len(), splits.val.len()), (4, 2));
    assert_eq!((0..4).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [99, 98, 97, 96]);
    assert_eq!(splits.train.class_names()[7], "07");
    assert_eq!(splits.train.load(3, 32).expect("an image")[..6], [3, 3, 3, 1, 2, 3]);
    assert_eq!(splits.train.load(3, 64).expect("an image").len(), 64 * 64 * 3);
    let text: String = (0..100).map(|i| format!("class {i}\n")).collect();
    std::fs::write(dir.path().join("fine_label_names.txt"), text).expect("a file");
    let splits = open(&config(DataSource::Cifar100, dir.path())).expect("a data set");
    assert_eq!(splits.val.class_names()[7], "class 7");
    std::fs::write(dir.path().join("fine_label_names.txt"), "one\ntwo\n").expect("a file");
    let text = message(open(&config(DataSource::Cifar100, dir.path())));
    assert_mentions(&text, &["fine_label_names.txt", "2 class names", "100"]);
}

#[test]
fn cifar_10_reads_five_batches_in_order() {
    let dir = tempdir().expect("a folder");
    let inner = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&inner).expect("a folder");
    for k in 1..=5u8 {
        std::fs::write(inner.join(format!("data_batch_{k}.bin")), records(2, |_| vec![k])).expect("a file");
    }
    std::fs::write(inner.join("test_batch.bin"), records(1, |_| vec![9])).expect("a file");
    std::fs::write(inner.join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").expect("a file");
    let splits = open(&config(DataSource::Cifar10, dir.path())).expect("a data set");
    assert_eq!((0..10).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    assert_eq!((splits.val.label(0), splits.val.class_names()[9].as_str()), (9, "j"));
    std::fs::remove_file(inner.join("data_batch_3.bin")).expect("the file");
    assert_mentions(
        &message(open(&config(DataSource::Cifar10, dir.path()))),
        &["data.path", "data_batch_3.bin"],
    );
}

#[test]
fn cut_or_mislabelled_cifar_files_are_errors() {
    let dir = tempdir().expect("a folder");
    let open_it = || message(open(&config(DataSource::Cifar100, dir.path())));
    let whole = records(3, |i| vec![0, i]);
    std::fs::write(dir.path().join("test.bin"), &whole).expect("a file");
    for end in [0, 1, whole.len() - 1] {
        std::fs::write(dir.path().join("train.bin"), &whole[..end]).expect("a file");
        assert_mentions(&open_it(), &["train.bin", "bytes", "3074"]);
    }
    std::fs::write(dir.path().join("train.bin"), records(3, |i| vec![0, 98 + i])).expect("a file");
    assert_mentions(&open_it(), &["image 2", "train.bin", "label 100", "0 to 99"]);
}

/// An IDX file of bytes.
fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    file.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(data);
    file
}

#[test]
fn fashion_mnist_is_read_plain_or_compressed() {
    let dir = tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("a file");
    write("train-images-idx3-ubyte", &idx(&[2, 28, 28], &[50; 2 * 784]));
    write("train-labels-idx1-ubyte", &idx(&[2], &[9, 3]));
    write("t10k-labels-idx1-ubyte", &idx(&[1], &[1]));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, &idx(&[1, 28, 28], &[60; 784])).expect("memory");
    write("t10k-images-idx3-ubyte.gz", &gz.finish().expect("memory"));
    let open_it = || open(&config(DataSource::FashionMnist, dir.path()));
    let splits = open_it().expect("a data set");
    assert_eq!((splits.train.label(0), splits.train.label(1), splits.val.label(0)), (9, 3, 1));
    assert_eq!(splits.train.load(0, 32).expect("an image"), [50; 32 * 32 * 3]);
    assert_eq!(splits.val.load(0, 28).expect("an image"), [60; 28 * 28 * 3]);
    // A grey image is the same in all channels, at any size; a ramp of 28 pixels stays one at 32.
    let ramp: Vec<u8> = (0..784).map(|i| (i % 28 * 9) as u8).collect();
    write("train-images-idx3-ubyte", &idx(&[2, 28, 28], &[ramp, vec![50; 784]].concat()));
    let grey = open_it().expect("a data set").train.load(0, 32).expect("an image");
    assert!(grey.chunks(3).all(|pixel| pixel == [pixel[0]; 3]));
    let row: Vec<f64> = grey[..96].chunks(3).map(|pixel| f64::from(pixel[0])).collect();
    for (x, value) in row.iter().enumerate().take(30).skip(2) {
        let expected = ((x as f64 + 0.5) * 28.0 / 32.0 - 0.5) * 9.0;
        assert!((value - expected).abs() <= 1.0, "{value} at {x}, expected {expected}");
    }
    write("train-labels-idx1-ubyte", &idx(&[2], &[9, 10]));
    assert_mentions(&message(open_it()), &["image 1", "label 10"]);
    write("train-labels-idx1-ubyte", &idx(&[3], &[1, 2, 3]));
    assert_mentions(&message(open_it()), &["2 images", "3 labels"]);
    write("train-images-idx3-ubyte", &idx(&[2, 28, 28], &[50; 784]));
    assert_mentions(&message(open_it()), &["train-images-idx3-ubyte", "less"]);
    write("train-images-idx3-ubyte", &idx(&[u32::MAX, 28, 28], &[]));
    assert_mentions(&message(open_it()), &["train-images-idx3-ubyte", "bytes of data"]);
}

#[test]
fn an_exported_set_reads_back_as_the_same_images() {
    let dir = tempdir().expect("a folder");
    let shapes = open(&DataConfig { train_limit: 40, ..Default::default() }).expect("the built-in set");
    let small = Splits {
        val: shapes.train.clone(),
        extra: vec![("val-stylized".into(), shapes.train.clone())],
        ..shapes
    };
    let out = dir.path().join("out");
    let mut last = (0, 0);
    let report = export(&small, 32, &out, |done, total| {
        assert!(done > last.0);
        last = (done, total);
    })
    .expect("an export");
    assert_eq!((report.written, report.damaged.len(), last), (120, 0, (120, 120)));
    let back = open(&config(DataSource::Folder, &out)).expect("the exported folder");
    assert_eq!(back.train.class_names(), small.train.class_names());
    for i in 0..40 {
        let original: usize =
            back.train.name(i)[back.train.name(i).len() - 10..][..6].parse().expect("a number");
        assert_eq!(back.train.label(i), small.train.label(original));
        assert_eq!(
            back.train.load(i, 32).expect("an image"),
            small.train.load(original, 32).expect("an image")
        );
    }
    assert!(out.join("val-stylized/arrow/000000.png").is_file());
    assert_mentions(&message(export(&small, 32, &out, |_, _| ())), &["not empty", "out"]);
    std::fs::write(dir.path().join("file"), "").expect("a file");
    assert_mentions(&message(export(&small, 32, &dir.path().join("file"), |_, _| ())), &["file"]);
}
